"""Reveal is the only exit: named parties learn the value, nothing else, and the ledger says so at every party."""

import json

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError, JobError
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.reveal import default_receivers, reveal, zero_share
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate, uniformity
from tests.parties import roster, run_parties, run_with_sessions

SCALE = 20
VALUE = torch.tensor([[1.5, -2.25, 0.0], [2.0**-20, -(2.0**41), 123456.75]], dtype=torch.float64)
RING = (VALUE * 2.0**SCALE).to(torch.int64)
WEIGHTS = Given(RING, SCALE)


def revealing(to: list[str] | None):
    def program(session: Session, *shares: Share) -> dict[str, torch.Tensor]:
        return reveal({f"w{k}": share for k, share in enumerate(shares)}, to=to, reason="the result")

    return program


# -- who learns what ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
def test_all_who_own_data_or_compute_learn_the_value_by_default(parties: int) -> None:
    for owners in (parties, parties + 1, parties + 2):
        who = roster(parties, owners=owners)
        outcome = evaluate(who, revealing(None), WEIGHTS)
        for rank, result in enumerate(outcome.results):
            if rank == who.dealer and rank not in who.owners:
                assert result["w0"].is_meta
            else:
                assert result["w0"].dtype == torch.float64 and torch.equal(result["w0"], VALUE)


@pytest.mark.parametrize("to", [["p0"], ["p1"], ["dealer"], ["o3"], ["p1", "o3"], []])
def test_only_named_receivers_learn_the_value(to: list[str]) -> None:
    who = roster(2, owners=4)
    outcome = evaluate(who, revealing(to), WEIGHTS)
    for name, result in zip(who.names, outcome.results, strict=True):
        assert result["w0"].shape == VALUE.shape
        if name in to:
            assert torch.equal(result["w0"], VALUE)
        else:
            assert result["w0"].is_meta, "no content"


def test_nothing_is_sent_to_others_than_the_receivers() -> None:
    who = roster(2, owners=4)
    _, sessions = run_with_sessions(who, lambda session: reveal_zero(session, to=["p1"]))
    assert [len(session.wire.view) - len(who.peers(rank)) for rank, session in enumerate(sessions)] == [0, 1, 0, 0]


def reveal_zero(session: Session, to: list[str]) -> dict[str, torch.Tensor]:
    (x,) = share_inputs(session, [Input("x", 0, (3,), 0, 1.0, torch.zeros(3, dtype=torch.int64))])
    return reveal({"x": x}, to=to, reason="")


def test_several_values_of_several_scales_at_once() -> None:
    outcome = evaluate(3, revealing(None), WEIGHTS, Given(torch.tensor(3 << 40), 40), Given(torch.tensor([-7])))
    for rank in range(3):
        result = outcome.results[rank]
        assert list(result) == ["w0", "w1", "w2"]
        assert torch.equal(result["w0"], VALUE)
        assert result["w1"].item() == 3.0 and result["w2"].tolist() == [-7.0]


def test_mantissa_and_exponent_are_one_value() -> None:
    """Of any size that float64 has, in one ledger entry; for the cost of two."""

    def program(session: Session, mantissa: Share, exponent: Share, w: Share) -> dict[str, torch.Tensor]:
        return reveal({"coef": (mantissa, exponent), "w": w}, to=["p0", "p1"], reason="the result")

    mantissa = Given(torch.tensor([3 << 60, -(3 << 60), 1 << 60]), 62)
    outcome = evaluate(2, program, mantissa, Given(torch.tensor([0, 300, -300])), WEIGHTS)
    for rank in (0, 1):
        assert outcome.results[rank]["coef"].tolist() == [0.75, -0.75 * 2.0**300, 0.25 * 2.0**-300]
        assert torch.equal(outcome.results[rank]["w"], VALUE)
        assert outcome.cost("online", rank) == {"reveal": (1, 1, (3 + 3 + 6) * 8)}
    assert outcome.results[2]["coef"].is_meta and outcome.results[2]["coef"].shape == (3,)
    assert [entry["what"] for entry in outcome.sessions[2].ledger] == ["coef", "w"]


def test_an_unknown_receiver_is_named() -> None:
    with pytest.raises(JobError, match="no party is called 'west'"):
        reveal({"w": dry(1.0)}, to=["west"], reason="")


def test_what_might_not_fit_the_ring_is_refused_in_the_plan() -> None:
    with pytest.raises(HeadroomError, match="coef might need 2 bits"):
        reveal({"coef": dry(4.0, scale=63)}, reason="")


# -- cost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("to", [None, ["p0"], ["p0", "p1"], ["dealer"]], ids=["all", "one", "two", "a dealer"])
def test_each_compute_party_sends_every_element_once_to_each_receiver(to: list[str] | None, parties: int) -> None:
    outcome = evaluate(parties, revealing(to), WEIGHTS, Given(torch.tensor([1, 2])))
    receivers = {outcome.roster.rank_of(name) for name in to or [f"p{k}" for k in range(parties)]}
    for rank in range(parties):
        messages = len(receivers - {rank})
        assert outcome.cost("online", rank) == {"reveal": (1, messages, messages * 8 * 8)}
    dealer = {"reveal": (1, 0, 0)} if parties in receivers else {}
    assert outcome.cost("online", parties) == dealer, "who is told nothing has no round"


# -- the ledger --------------------------------------------------------------------------------------------------------


def test_every_party_writes_the_same_entry_and_never_the_value() -> None:
    who = roster(2, owners=4)
    secret = Given(torch.tensor([123456789 << 10]), 10)
    outcome = evaluate(who, revealing(["p0", "o3"]), secret, Given(torch.zeros(2, 2, dtype=torch.int64)))
    expected = [
        {"what": "w0", "shape": [1], "to": ["p0", "o3"], "reason": "the result"},
        {"what": "w1", "shape": [2, 2], "to": ["p0", "o3"], "reason": "the result"},
    ]
    for session in outcome.sessions:
        assert session.ledger == expected
        assert "123456789" not in json.dumps(session.ledger)


def test_the_default_receivers_are_written_by_name() -> None:
    outcome = evaluate(roster(2, owners=4), revealing(None), WEIGHTS)
    assert outcome.sessions[0].ledger[0]["to"] == ["p0", "p1", "dealer", "o3"] == default_receivers(outcome.sessions[0])
    assert default_receivers(Session.dry(roster(2), 0)) == ["p0", "p1"], "a dealer without data learns nothing"


@pytest.mark.parametrize(("to", "bound", "error"), [(None, 2.0, HeadroomError), (["west"], 0.5, JobError)])
def test_what_is_refused_is_in_no_ledger(to: list[str] | None, bound: float, error: type[Exception]) -> None:
    fine, share = dry(0.5), dry(bound, scale=63)
    share.session = fine.session
    with pytest.raises(error):
        reveal({"fine": fine, "w": share}, to=to, reason="")
    assert fine.session.ledger == []


def test_a_value_may_have_a_reason_of_its_own() -> None:
    def program(session: Session, x: Share, y: Share) -> dict[str, torch.Tensor]:
        return reveal({"x": x, "y": y}, reason="the result", reasons={"y": "a guard"})

    outcome = evaluate(2, program, WEIGHTS, WEIGHTS)
    assert [[entry["reason"] for entry in session.ledger] for session in outcome.sessions] == [
        ["the result", "a guard"]
    ] * 3


# -- what a receiver sees ----------------------------------------------------------------------------------------------


def special(session: Session, value: int) -> Share:
    """Party 0 holds the value, the others zero: what a horizontal partition starts from."""
    ring = torch.full((400,), value if session.rank == 0 else 0, device=session.device)
    return Share(session, ring, scale=0, bound=2.0**62)


def messages_at(outcome_of: list[Session], rank: int, who: int) -> list[torch.Tensor]:
    return outcome_of[rank].wire.view[who:]


@pytest.mark.parametrize("receiver", ["p2", "dealer", "o4"])
@pytest.mark.parametrize("value", [0, 1, 2**61])
def test_messages_are_re_randomised_also_of_special_shares(value: int, receiver: str) -> None:
    """Neither the value nor zero nor the message of another run is among them, and single messages are uniform; only
    their sum with the receiver's own share says something."""
    who = roster(3, owners=5)
    rank = who.rank_of(receiver)
    views = []
    for _ in range(2):
        results, sessions = run_with_sessions(who, lambda s: reveal({"x": special(s, value)}, to=[receiver], reason=""))
        assert results[rank]["x"].tolist() == [float(value)] * 400
        views.append(messages_at(sessions, rank, len(who.peers(rank))))
    first, second = views
    assert len(first) == len(set(who.compute) - {rank})
    for message, other in zip(first, second, strict=True):
        assert not (message == value).any() and not (message == 0).any()
        assert not (message == other).any()
        assert uniformity([message]) > UNLIKELY


@pytest.mark.parametrize("parties", PARTIES)
def test_zero_shares_add_up_to_zero_are_uniform_and_never_the_same(parties: int) -> None:
    def program(session: Session) -> tuple[torch.Tensor, torch.Tensor]:
        return zero_share(session, (40, 10)), zero_share(session, (40, 10))

    results = run_parties(parties, program)
    for k in range(2):
        assert not torch.stack([results[rank][k] for rank in range(parties)]).sum(0).any()
    for rank in range(parties):
        assert uniformity(results[rank]) > UNLIKELY
        assert not (results[rank][0] == results[rank][1]).any()
    assert results[parties][0].is_meta and results[parties][0].shape == (40, 10)


def test_zero_shares_cost_nothing() -> None:
    outcome: Outcome = evaluate(3, lambda session: zero_share(session, (4,)))
    assert not any(outcome.cost("online", rank) for rank in range(4))


def test_full_range_values_are_revealed_to_float64_precision() -> None:
    ring = torch.from_numpy(np.random.default_rng(5).integers(-(2**63), 2**63 - 1, 100))
    outcome = evaluate(3, revealing(None), Given(ring, 40, 2.0**23))
    assert torch.equal(outcome.results[1]["w0"], ring.double() / 2.0**40)
