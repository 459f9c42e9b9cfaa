"""Protocols that do not wait for each other share their rounds, and each pays for its own bytes."""

import pytest
import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol, parallel, run, together
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, Given, Outcome, dry, evaluate
from tests.parties import run_parties

X, Y = Given(torch.arange(6) << 10, 20, 4.0), Given(torch.arange(6) << 8, 20, 4.0)


def rounds(outcome: Outcome, rank: int = 0) -> int:
    return sum(cost[0] for cost in outcome.cost("online", rank).values())


def power(x: Share, exponent: int) -> Protocol:
    """x^exponent by one product and one truncation each: 2 (exponent - 1) rounds."""
    result = x
    for _ in range(exponent - 1):
        wide = yield from product(result, x)
        result = yield from truncation(wide.within(1.0), x.scale)
    return result


def immediate(value: object) -> Protocol:
    """Opens nothing."""
    if False:
        yield []
    return value


# -- rounds and results ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
def test_rounds_together_are_those_of_the_longest(parties: int) -> None:
    def program(session: Session, x: Share, y: Share) -> list[Share]:
        return together(session, product(x, y), at_least(x, torch.tensor([1 << 10])), power(y, 3))

    outcome = evaluate(parties, program, X, Y)
    assert [rounds(outcome, rank) for rank in range(parties)] == [4] * parties
    assert torch.equal(outcome.ring(0), X.ring * Y.ring)
    assert outcome.ring(1)[:, 0].tolist() == [0, 1, 1, 1, 1, 1]


def test_one_after_the_other_rounds_add_up() -> None:
    def program(session: Session, x: Share, y: Share) -> list[Share]:
        return [run(session, product(x, y)), run(session, at_least(x, torch.tensor([0]))), run(session, power(y, 3))]

    assert rounds(evaluate(2, program, X, Y)) == 1 + 3 + 4


def test_messages_together_are_those_of_one() -> None:
    """One flat buffer a round, whatever is in it."""

    def program(session: Session, x: Share, y: Share) -> list[Share]:
        return together(session, product(x, y), truncation(x, 3), truncation(y, 5), product(y, y))

    outcome = evaluate(3, program, X, Y)
    costs = outcome.cost("online").values()
    assert [sum(column) for column in zip(*costs, strict=True)] == [1, 2, (2 + 1 + 1 + 2) * 6 * 8 * 2]


def test_results_come_in_the_order_of_the_protocols_whichever_ends_first() -> None:
    def program(session: Session, x: Share, y: Share) -> list[Share]:
        return together(session, at_least(x, torch.tensor([0])), product(x, y), immediate("done"), truncation(y, 1))

    bits, wide, done, half = evaluate(2, program, X, Y).results[0]
    assert (bits.shape, wide.scale, done, half.scale) == ((6, 1), 40, "done", 19)


def test_a_protocol_may_be_made_of_parallel_protocols() -> None:
    def both(x: Share, y: Share) -> Protocol:
        a, b = yield from parallel(product(x, x), product(y, y))
        return (yield from product(a, b))

    def program(session: Session, x: Share, y: Share) -> list[Share]:
        return together(session, both(x, y), parallel(product(x, y), truncation(x, 1)))

    outcome = evaluate(2, program, X, Y)
    assert rounds(outcome) == 2
    assert torch.equal(outcome.ring(0), X.ring * X.ring * Y.ring * Y.ring)
    assert torch.equal(outcome.ring(1, 0), X.ring * Y.ring)


def test_nothing_to_open_is_no_round() -> None:
    def program(session: Session) -> list[object]:
        return [run(session, immediate(1)), together(session), together(session, immediate(2), immediate(3))]

    outcome = evaluate(2, program)
    assert outcome.results == [[1, [], [2, 3]]] * 3
    assert outcome.cost("online") == {}


def test_tensors_without_elements_are_opened_to_tensors_without_elements() -> None:
    def program(session: Session, x: Share) -> Share:
        return run(session, product(x, x))

    outcome = evaluate(3, program, Given(torch.empty(0, 3, dtype=torch.int64), bound=1.0))
    assert outcome.ring().shape == (0, 3)
    assert outcome.cost("online") == {"product": (1, 2, 0)}


def test_an_error_in_a_protocol_is_the_error_of_the_run() -> None:
    def failing(x: Share) -> Protocol:
        yield [Masked(x)]
        raise LookupError("after its opening")

    share = dry(1.0)
    with pytest.raises(LookupError, match="after its opening"):
        together(share.session, truncation(dry(1.0, scale=30), 3), failing(share))


# -- whose cost it is --------------------------------------------------------------------------------------------------


def test_bytes_are_those_of_each_protocol_and_the_round_is_of_the_first() -> None:
    def program(session: Session, x: Share, y: Share) -> list[Share]:
        return together(session, truncation(x, 3), product(x, y))

    for parties in PARTIES:
        outcome, others = evaluate(parties, program, X, Y), parties - 1
        assert outcome.cost("online") == {
            "truncation": (1, others, 6 * 8 * others),
            "product": (0, 0, 2 * 6 * 8 * others),
        }


def test_a_protocol_is_named_the_same_online_and_offline_whoever_calls_it() -> None:
    def program(session: Session, x: Share) -> Share:
        return run(session, power(x, 3))

    outcome = evaluate(2, program, X)
    assert outcome.cost("online") == {"product": (2, 2, 4 * 6 * 8), "truncation": (2, 2, 2 * 6 * 8)}
    assert outcome.cost("online").keys() == outcome.cost("offline", 2).keys()


def test_a_protocol_without_a_name_of_its_own_is_named_by_its_function() -> None:
    def tell_all(x: Share) -> Protocol:
        (value,) = yield [Masked(x)]
        return value

    def program(session: Session, x: Share) -> torch.Tensor:
        return run(session, tell_all(x))

    outcome = evaluate(2, program, X)
    assert outcome.cost("online") == {"tell all": (1, 1, 6 * 8)}
    assert torch.equal(outcome.results[0], X.ring) and torch.equal(outcome.results[1], X.ring)


def test_a_dealer_runs_the_same_program_on_shapes() -> None:
    def program(session: Session) -> list[Share]:
        x = Share(session, torch.zeros(4, dtype=torch.int64, device=session.device), scale=20, bound=1.0)
        return together(session, product(x, x), truncation(x, 2), at_least(x, torch.tensor([1, 2])))

    for share, shape in zip(run_parties(2, program)[2], [(4,), (4,), (4, 2)], strict=True):
        assert share._ring.is_meta and share.shape == shape
