"""Secret weights become fractions of their secret sum: exact to 50 bits and more, rounded at random, adding up to 1."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from mpcfl.protocols.proportions import proportions
from mpcfl.protocols.rounds import run
from tests.evaluation import PARTIES, UNLIKELY, Given, dry, evaluate


def fractions(parties: int, weights: list[int], scale: int, *, bits: int) -> list[int]:
    """The ring values of the fractions; `bits`: of the bound of a weight in the ring."""
    given = Given(torch.tensor(weights), 20, 2.0 ** (bits - 20))
    return evaluate(parties, lambda session, w: run(session, proportions(w, scale=scale)), given).ring().tolist()


def spread(count: int, bits: int, seed: int) -> list[int]:
    return [int(w) for w in np.exp2(np.random.default_rng(seed).uniform(0, bits, count))]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("count", "bits"), [(2, 59), (2, 30), (3, 58), (5, 40), (40, 54)])
@pytest.mark.parametrize("scale", [24, 50])
def test_each_but_the_last_is_a_neighbour_of_its_fraction_and_all_add_up_to_one(
    scale: int, count: int, bits: int, parties: int
) -> None:
    """At scale 50 this says that the fractions were right to 2^-54 before they were rounded."""
    weights = spread(count, bits, seed=scale + parties)
    got = fractions(parties, weights, scale, bits=bits)
    assert sum(got) == 1 << scale
    for value, weight in zip(got[:-1], weights, strict=False):
        exact = Fraction(weight << scale, sum(weights))
        assert math.floor(exact - Fraction(1, 16)) <= value <= math.ceil(exact + Fraction(1, 16))


@pytest.mark.parametrize("weights", [[1, 1], [1, 1 << 50], [1 << 50, 1], [(1 << 50) - 1, 1 << 50], [1 << 50, 1 << 50]])
def test_extreme_weights(weights: list[int]) -> None:
    got = fractions(2, weights, 24, bits=50)
    assert abs(Fraction(got[0]) - Fraction(weights[0] << 24, sum(weights))) <= 1 + Fraction(1, 1 << 20)
    assert sum(got) == 1 << 24


def test_rounding_is_random_and_unbiased() -> None:
    """1000 equal weights at 12 bits: 4.096 each, so 5 with probability 0.096. Hoeffding bounds the frequency."""
    got = fractions(2, [77] * 1000, 12, bits=40)[:-1]
    assert set(got) == {4, 5}
    frequency = sum(value == 5 for value in got) / len(got)
    assert abs(frequency - 0.096) <= math.sqrt(math.log(2 / UNLIKELY) / (2 * len(got)))


@pytest.mark.parametrize("parties", PARTIES)
def test_cost_is_eleven_rounds(parties: int) -> None:
    count, others = 4, parties - 1
    given = Given(torch.ones(count, dtype=torch.int64), 0, 2.0**40)
    outcome = evaluate(parties, lambda session, w: run(session, proportions(w, scale=24)), given)
    for cost in (outcome.cost("online", rank) for rank in range(parties)):
        assert sum(rounds for rounds, _, _ in cost.values()) == 11
        sent = {name: bytes_ for name, (_, _, bytes_) in cost.items() if name not in ("comparison", "lookup")}
        assert sent == {
            "product": 8 * 8 * count * others,  # of two elements each: power, twice reciprocal, correction
            "spline": 8 * others,
            "truncation": 8 * (5 * count) * others,  # 1 + 3 count + count + (count - 1)
        }


@pytest.mark.parametrize(
    ("shape", "scale", "match"),
    [((1,), 24, "no proportions of 1 weights"), ((2,), 0, "at scale 0"), ((2,), 51, "at scale 51")],
)
def test_what_makes_no_sense_is_refused(shape: tuple[int, ...], scale: int, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        next(proportions(dry(1.0, shape=shape, scale=20), scale=scale))


def test_weights_too_long_for_the_ring_are_refused_in_the_plan() -> None:
    with pytest.raises(ValueError, match="a sum of weights of 62 bits is too long: 60 at most"):
        next(proportions(dry(2.0**41, shape=(2,), scale=20), scale=24))
