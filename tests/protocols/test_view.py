"""What a compute party sees while a program runs is uniform, whatever the data are."""

import os
from typing import Any

import pytest
import torch

from mpcfl.protocols import rounds
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.exponential import exponential
from mpcfl.protocols.extension import extension
from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.lookup import lookup, select
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.product import congruence, product
from mpcfl.protocols.rounds import run, together
from mpcfl.protocols.sigmoid import sigmoid
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, uniformity
from tests.parties import roster, run_with_sessions

D = 24
ENOUGH = 1000  # bytes for a chi-square test of 256 classes
ZERO = torch.zeros(D, D, dtype=torch.int64)
LARGE = torch.full((D, D), (1 << 29) + 12345)
DATA = {"nothing but zeros": ZERO, "large and all alike": LARGE}


def program(session: Session, data: torch.Tensor) -> None:
    """A bit of everything that opens; the data at an owner who does not compute."""
    ring = data if session.rank == session.roster.owners[-1] else None
    (x,) = share_inputs(session, [Input("x", session.roster.owners[-1], (D, D), 28, 4.0, ring)])
    with session.phase("online"):
        pinned = Pinned(x)
        _, v, square = together(session, pinned.opening(), pinned.times(x[:, 0]), pinned.square())
        small = run(session, truncation(square.within(64.0), 28))
        bits = run(session, at_least(small, torch.tensor([1, 1 << 20])))
        together(session, product(small, x), congruence(x, v), select(x[:, :8], bits[:, 0, 0]))
        waves = sigmoid(x, Series(8, 8), table_scale=16, scale=16)
        together(session, exponential(small, 4, scale=32), waves, extension(x))
        run(session, lookup((bits[..., 0] + bits[..., 1]).expand(4, D, D), torch.arange(4)))


def opened_by(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[torch.Tensor]]:
    """Every opened value by rank: what a party knows after it has added up all messages of a round."""
    seen: dict[int, list[torch.Tensor]] = {}
    original = rounds.open_masked

    def watched(session: Session, items: list) -> list[torch.Tensor]:
        values = original(session, items)
        narrow = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}
        pairs = zip(values, items, strict=True)
        seen.setdefault(session.rank, []).extend(value.to(narrow[item.width]) for value, item in pairs)
        return values

    monkeypatch.setattr(rounds, "open_masked", watched)
    return seen


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("data", DATA)
def test_all_that_a_compute_party_sees_is_uniform(data: str, parties: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The messages of each other party, what they add up to, and what came from the dealer and the owner."""
    opened = opened_by(monkeypatch)
    who = roster(parties, owners=parties + 2)  # of whom the dealer is one, and one only owns
    _, sessions = run_with_sessions(who, lambda session: program(session, DATA[data]))
    for rank in who.compute:
        handshakes = len(who.peers(rank))
        for seen in (sessions[rank].wire.view[handshakes:], opened[rank]):
            assert uniformity(seen) > UNLIKELY
            long = [tensor for tensor in seen if tensor.numel() * tensor.element_size() >= ENOUGH]
            assert len(long) >= 7, "of each round one message and one value"
            for tensor in long:
                assert uniformity([tensor]) > UNLIKELY


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("data", DATA)
def test_all_that_can_be_read_where_openings_go_in_the_clear_is_uniform(
    data: str, parties: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The messages of all compute parties; what they add up to is tested above."""
    sent: dict[int, list[torch.Tensor]] = {}
    original = Session.exchange_masked

    def watched(session: Session, sends: dict[int, torch.Tensor], receives: Any) -> Any:
        sent.setdefault(session.rank, []).append(next(iter(sends.values())).clone())
        return original(session, sends, receives)

    monkeypatch.setattr(Session, "exchange_masked", watched)
    who = roster(parties, owners=parties + 2)
    run_with_sessions(who, lambda session: program(session, DATA[data]))
    assert set(sent) == set(who.compute)
    for messages in zip(*sent.values(), strict=True):
        if sum(message.numel() for message in messages) >= ENOUGH:
            assert uniformity(messages) > UNLIKELY
    assert uniformity([message for messages in sent.values() for message in messages]) > UNLIKELY


@pytest.mark.parametrize("data", DATA)
def test_the_dealer_sees_nothing_after_the_handshake(data: str) -> None:
    who = roster(3)
    _, sessions = run_with_sessions(who, lambda session: program(session, DATA[data]))
    assert len(sessions[who.dealer].wire.view) == len(who.compute), "one handshake with each compute party"


def test_the_test_would_notice_a_value_that_is_not_masked() -> None:
    assert uniformity([ZERO]) < UNLIKELY and uniformity([LARGE]) < UNLIKELY
    masked = torch.frombuffer(bytearray(os.urandom(8 * 1000)), dtype=torch.int64)
    assert uniformity([masked]) > UNLIKELY
    assert uniformity([masked & ~0xFF]) < UNLIKELY, "one byte in eight that is always zero"
