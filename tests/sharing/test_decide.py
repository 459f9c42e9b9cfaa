"""A decision is one bit that everybody learns, that the ledger has, and that a plan can be given."""

import torch

from mpcfl.sharing.decide import decide
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.world.session import Session
from tests.parties import roster, run_with_sessions

WHO = roster(2, owners=4)  # with a dealer, and an owner who does not compute


def program(session: Session, bits: list[int]) -> list[bool]:
    """Decides on each of the bits, which rank 0 shares."""
    answers = []
    for value in bits:
        ring = torch.tensor(value) if session.rank == 0 and not session.dry_run else None
        (bit,) = share_inputs(session, [Input("bit", 0, (), 0, 1.0, ring)])
        with session.phase("online"):
            answers.append(decide(bit, what="stop", reason="asked for", expected=True))
    return answers


def test_every_party_goes_by_the_same_bit_and_the_ledger_has_it() -> None:
    answers, sessions = run_with_sessions(WHO, lambda s: program(s, [1, 0, 0]))
    assert answers == [[True, False, False]] * WHO.size
    for session in sessions:
        assert [entry["to"] for entry in session.ledger] == [list(WHO.names)] * 3


def test_a_plan_goes_on_as_expected_or_by_the_script_of_a_run() -> None:
    assert program(Session.dry(WHO, 0), [0, 0]) == [True, True]
    _, (session, *_) = run_with_sessions(WHO, lambda s: program(s, [0, 1]))
    dry = Session.dry(WHO, 0, script=session.decisions)
    assert program(dry, [0, 0]) == [False, True]
    assert dry.meter.exact()["online"] == session.meter.exact()["online"]


def test_a_decision_costs_a_round_and_eight_bytes_to_every_other_party() -> None:
    _, sessions = run_with_sessions(WHO, lambda s: program(s, [1]))
    cost = sessions[0].meter.total("online")
    assert (cost.rounds, cost.bytes) == (1, 8 * (WHO.size - 1))
