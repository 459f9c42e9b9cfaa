"""Accuracy of several classes from shares, against numpy's argmax."""

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.solvers.class_scores import correct_of_classes
from tests.evaluation import Given, dry, evaluate
from tests.joint import Array
from tests.solvers.shared_scores import given, running

PARTIES = pytest.mark.parametrize("parties", [2, 3])


def one_hot(y: Array, classes: int) -> Given:
    return Given(torch.from_numpy((y[:, None] == np.arange(classes)).astype(np.int64)), 0, 1.0)


def made(n: int, classes: int, size: float = 8.0) -> tuple[Array, Array]:
    """Scores of all sizes, the highest two of a row 2^-12 apart at least, and labels that half of them contradict."""
    rng = np.random.default_rng(classes)
    z = rng.normal(size=(n, classes)) * size * rng.uniform(size=(n, 1)) ** 2
    z[np.arange(n), z.argmax(axis=1)] += 2.0**-12
    return z, np.where(rng.uniform(size=n) < 0.5, z.argmax(axis=1), rng.integers(0, classes, n))


def count(z: Given, y: Given, parties: int = 2) -> int:
    return int(evaluate(parties, running(correct_of_classes), z, y).ring())


@PARTIES
@pytest.mark.parametrize("classes", [2, 3, 4, 10])
def test_rows_whose_class_has_the_highest_score_are_counted(classes: int, parties: int) -> None:
    z, y = made(300, classes)
    assert count(given(z), one_hot(y, classes), parties) == (z.argmax(axis=1) == y).sum()


@pytest.mark.parametrize(("scale", "bound"), [(8, 100.0), (20, 200.0), (40, 2.0**20), (10, 2.0**40)])
def test_all_scales_and_bounds(scale: int, bound: float) -> None:
    z, y = made(200, 3)
    z = np.round(z * 2.0**scale) / 2.0**scale
    second, first = np.sort(z, axis=1)[:, -2:].T
    z, y = z[first > second], y[first > second]
    assert count(given(z, scale=scale, bound=bound), one_hot(y, 3)) == (z.argmax(axis=1) == y).sum()


def test_a_row_is_decided_by_2_to_the_minus_13_and_may_count_either_way_below() -> None:
    unit, own = 2.0**-13, np.zeros(100, dtype=int)

    def of(lead: float) -> int:
        return count(given(np.tile([1.0, 1.0 - lead, 0.0], (100, 1)), bound=64.0), one_hot(own, 3))

    assert of(unit) == 100 and of(-unit) == 0 and 0 <= of(-0.5 * unit) <= 100
    assert of(0.0) <= 100


def test_all_scores_alike_and_far_away_lose_to_nothing_but_their_own_class() -> None:
    z = np.array([[-500.0, -500.5, -501.0], [500.0, 499.0, 499.0]])
    assert count(given(z), one_hot(np.array([0, 0]), 3)) == 2
    assert count(given(z), one_hot(np.array([1, 2]), 3)) == 0


@PARTIES
def test_cost(parties: int) -> None:
    n, classes, others = 30, 10, parties - 1
    y = one_hot(np.zeros(n), classes)
    for bound, elements in ((2.0**6, 40), (2.0**18, 104)):
        z = given(np.zeros((n, classes)), bound=bound / 2 - 1)
        outcome = evaluate(parties, running(correct_of_classes), z, y)
        assert outcome.cost("online") == {
            "product": (1, others, 16 * n * classes * others),
            "steps": (2, 2 * others, 9 * n * classes * others),
            "lookup": (1, others, n * others),
        }
        offline = outcome.cost("offline", parties)
        assert offline["steps"] == (0, 2, elements * n * classes * 8)
        assert offline["lookup"] == (0, 1, 16 * n * 8) and offline["product"] == (0, 1, n * classes * 8)


def test_what_cannot_be_compared_is_refused() -> None:
    for z, y in (((3, 2), (3, 3)), ((3,), (3,)), ((3, 1), (3, 1)), ((2, 257), (2, 257))):
        with pytest.raises(ValueError, match=r"scores and labels \(n, K\) at scale 0"):
            next(correct_of_classes(dry(1.0, shape=z, scale=20), dry(1.0, shape=y)))
    with pytest.raises(ValueError, match="at scale 0"):
        next(correct_of_classes(dry(1.0, shape=(3, 3), scale=20), dry(1.0, shape=(3, 3), scale=2)))
    with pytest.raises(HeadroomError):
        next(correct_of_classes(dry(2.0**30, shape=(3, 3), scale=40), dry(1.0, shape=(3, 3))))
