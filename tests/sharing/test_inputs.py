"""Owners split their values into shares: uniform each, exact together, and cheap."""

import numpy as np
import pytest
import torch

from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from tests.evaluation import EDGES, PARTIES, UNLIKELY, full_range, plan, sum_of_shares, uniformity, wrapped
from tests.parties import roster, run_parties, run_with_sessions

RNG = np.random.default_rng(1)
A, B, C = torch.cat([wrapped(EDGES), full_range(RNG, 40)]), full_range(RNG, 3, 5), full_range(RNG, 2, 1, 4)


def sharing(owners: dict[str, tuple[int, torch.Tensor]]):
    """A program in which each owner brings its tensor; nobody else has it."""

    def program(session: Session) -> list[Share]:
        inputs = [
            Input(name, owner, tuple(value.shape), 7, 2.0**56, value if session.rank == owner else None)
            for name, (owner, value) in owners.items()
        ]
        with session.phase("online"):
            return share_inputs(session, inputs)

    return program


def everybody(who: Roster) -> dict[str, tuple[int, torch.Tensor]]:
    """Each owner brings one, some bring two."""
    tensors = [A, B, C]
    owners = [*who.owners, *who.owners[::2]]
    return {f"input {k}": (owner, tensors[k % 3]) for k, owner in enumerate(owners)}


@pytest.mark.parametrize("extra", [0, 1, 3], ids=["owners compute", "the dealer owns too", "two only own"])
@pytest.mark.parametrize("parties", PARTIES)
def test_shares_add_up_to_what_the_owner_brought(parties: int, extra: int) -> None:
    who = roster(parties, owners=parties + extra)
    given = everybody(who)
    results = run_parties(who, sharing(given))
    for k, (_, value) in enumerate(given.values()):
        assert torch.equal(sum_of_shares(results[rank][k] for rank in who.compute), value)


@pytest.mark.parametrize("parties", PARTIES)
def test_an_owner_who_computes_sends_nothing(parties: int) -> None:
    who = roster(parties)
    _, sessions = run_with_sessions(who, sharing(everybody(who)))
    assert all("online" not in session.meter.exact() for session in sessions)
    handshakes = [len(who.peers(rank)) for rank in range(who.size)]
    assert [len(session.wire.view) for session in sessions] == handshakes


@pytest.mark.parametrize("parties", PARTIES)
def test_another_owner_sends_each_element_once_to_the_last_compute_party(parties: int) -> None:
    who = roster(parties, owners=parties + 3)
    given = {"a": (parties, A), "b": (parties + 1, B), "c": (parties + 1, C), "d": (0, A)}
    _, sessions = run_with_sessions(who, sharing(given))
    costs = [session.meter.exact().get("online", {}).get("share") for session in sessions]
    sent = {parties: A.numel() * 8, parties + 1: (B.numel() + C.numel()) * 8}
    for rank in who.compute:
        assert costs[rank] == {"rounds": 1, "messages": 0, "bytes": 0}
    for rank, size in sent.items():
        assert costs[rank] == {"rounds": 1, "messages": 1, "bytes": size}
    assert costs[parties + 2] is None, "who brings nothing sends nothing"
    after = [session.wire.view[len(who.peers(rank)) :] for rank, session in enumerate(sessions)]
    received = [sum(message.numel() for message in messages) for messages in after]
    assert received == [0] * (parties - 1) + [A.numel() + B.numel() + C.numel()] + [0] * 3


@pytest.mark.parametrize("extra", [0, 3])
@pytest.mark.parametrize("parties", PARTIES)
def test_the_plan_is_the_run(parties: int, extra: int) -> None:
    who = roster(parties, owners=parties + extra)
    program = sharing(everybody(who))
    _, sessions = run_with_sessions(who, program)
    assert [plan(who, session.rank, program) for session in sessions] == [s.meter.exact() for s in sessions]


@pytest.mark.parametrize("owner", [0, 1, 2, 3], ids=["first", "last", "dealer", "owner only"])
def test_no_share_is_the_value_and_no_share_comes_twice(owner: int) -> None:
    who = roster(2, owners=4)
    first, second = (run_parties(who, sharing({"a": (owner, A)})) for _ in range(2))
    for rank in who.compute:
        one, two = first[rank][0]._ring, second[rank][0]._ring
        assert not (one == A).any()
        assert not (one == two).any()


@pytest.mark.parametrize("owner", [0, 1, 2, 3, 4], ids=["first", "middle", "last", "dealer", "owner only"])
@pytest.mark.parametrize("value", [0, 1, -1, 2**61])
def test_each_share_looks_uniform_whatever_the_value(value: int, owner: int) -> None:
    """And any two of three together: the third then hides the value."""
    results = run_parties(roster(3, owners=5), sharing({"a": (owner, torch.full((500,), value))}))
    rings = [results[rank][0]._ring for rank in range(3)]
    for views in (
        rings[:1],
        rings[1:2],
        rings[2:],
        [rings[0] + rings[1]],
        [rings[1] + rings[2]],
        [rings[0] + rings[2]],
    ):
        assert uniformity(views) > UNLIKELY


def test_what_an_owner_sends_looks_uniform() -> None:
    who = roster(3, owners=5)
    zeros = torch.zeros(500, dtype=torch.int64)
    _, sessions = run_with_sessions(who, sharing({"a": (3, zeros), "b": (4, zeros)}))
    assert uniformity(sessions[2].wire.view[len(who.peers(2)) :]) > UNLIKELY


def test_parties_without_shares_get_shapes_with_scale_and_bound() -> None:
    who = roster(2, owners=4)
    results = run_parties(who, sharing({"b": (3, B)}))
    for rank in (2, 3):
        (share,) = results[rank]
        assert share._ring.is_meta and (share.shape, share.scale, share.bound) == ((3, 5), 7, 2.0**56)


def test_what_an_owner_brings_is_left_as_it_was() -> None:
    value = torch.arange(5)
    for owner in range(4):
        run_parties(roster(2, owners=4), sharing({"a": (owner, value)}))
    assert value.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ring", [None, torch.zeros(3, dtype=torch.int64)], ids=["missing", "another shape"])
def test_an_owner_must_bring_what_it_announced(ring: torch.Tensor | None) -> None:
    def program(session: Session) -> list[Share]:
        return share_inputs(session, [Input("wages", 0, (2, 2), 0, 1.0, ring)])

    with pytest.raises(ValueError, match=r"'wages' needs its owner's ring elements of shape \(2, 2\)"):
        run_parties(2, program)
