"""The place of the largest of a few secrets."""

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.largest import place_of_largest
from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import EDGES, Given, dry, evaluate

RNG = np.random.default_rng(5)


def largest(session: Session, x: Share) -> Share:
    return run(session, place_of_largest(x))


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 16])
def test_the_place_is_that_of_the_largest(count: int, parties: int) -> None:
    values = RNG.integers(-(2**40), 2**40, count)
    assert evaluate(parties, largest, Given(torch.from_numpy(values), 20)).ring() == values.argmax()


@pytest.mark.parametrize("values", [[4, 7, 7, 1], [0, 0, 0], [-1, -1], [-(2**61), 2**61, 2**61 - 1]])
def test_of_equal_ones_it_is_the_first(values: list[int]) -> None:
    assert evaluate(2, largest, Given(torch.tensor(values))).ring() == np.argmax(values)


def test_any_two_numbers_whose_difference_fits_are_told_apart() -> None:
    small = [value for value in EDGES if abs(value) < 2**62]
    for low in small[:8]:
        assert evaluate(2, largest, Given(torch.tensor([low, low + 1]))).ring() == 1


def test_what_it_costs() -> None:
    for count in (2, 8, 16):
        pairs, parties = count * (count - 1) // 2, 3
        outcome = evaluate(parties, largest, Given(torch.arange(count)))
        online, offline = outcome.cost("online").values(), outcome.cost("offline", parties).values()
        assert sum(cost[0] for cost in online) == 4
        assert sum(cost[2] for cost in online) == (11 * pairs + count) * (parties - 1)
        assert sum(cost[2] for cost in offline) == 8 * (72 * pairs + count**2)


def test_too_many_and_too_wide_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 64"):
        next(place_of_largest(dry(1.0, shape=(65,))))
    with pytest.raises(HeadroomError):
        next(place_of_largest(dry(2.0**62.5)))
