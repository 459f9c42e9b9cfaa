"""The guards of a solution: one bit each, set only where every element says so."""

import pytest
import torch

from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.solvers.solution import arrived
from mpcfl.world.session import Session
from tests.evaluation import HIGH, LOW, PARTIES, Given, evaluate

SCALE = 20
ONE = 1 << SCALE


def is_arrived(ring: list[int], *, parties: int = 2, shape: tuple[int, ...] = (-1,)) -> int:
    def program(session: Session, change: Share) -> Share:
        return run(session, arrived(change, 0.5))

    change = Given(torch.tensor(ring).reshape(shape), SCALE, 128.0)
    return int(evaluate(parties, program, change).ring())


@pytest.mark.parametrize("parties", PARTIES)
def test_a_change_is_arrived_where_no_element_is_larger_than_the_tolerance(parties: int) -> None:
    half = ONE // 2
    assert is_arrived([0, half, -half, 1 - half], parties=parties) == 1
    assert is_arrived([0, half, -half, half + 1], parties=parties) == 0


@pytest.mark.parametrize("index", [0, 3, 5])
@pytest.mark.parametrize("size", [ONE, -ONE, LOW, HIGH, 1 << 61, -(1 << 61) - 12345])
def test_one_large_element_is_enough_whatever_it_is(size: int, index: int) -> None:
    """Also of values that left the ring, whose bound says nothing."""
    change = [0, 1, -1, 2, -2, 3]
    change[index] = size
    assert is_arrived(change, shape=(3, 2)) == 0


def test_it_takes_six_rounds() -> None:
    def program(session: Session, change: Share) -> Share:
        return run(session, arrived(change, 0.5))

    outcome = evaluate(2, program, Given(torch.zeros(7, dtype=torch.int64), SCALE, 1.0))
    assert outcome.cost("online")["comparison"][0] == 6
