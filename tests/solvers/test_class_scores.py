"""Accuracy and areas of several classes from shares, against numpy's argmax and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mpcfl.errors import HeadroomError
from mpcfl.solvers.class_scores import areas_of_classes, correct_of_classes
from mpcfl.solvers.ranking import area_under_curve
from tests.evaluation import Given, dry, evaluate
from tests.joint import Array
from tests.solvers.shared_scores import given, labels, running

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
def test_areas_of_all_classes_are_added_up(parties: int) -> None:
    rng = np.random.default_rng(7)
    y = rng.integers(0, 4, 300)
    z = rng.normal(size=(300, 4)) * 3 + 2 * (y[:, None] == np.arange(4))
    found = int(evaluate(parties, running(areas_of_classes), given(z), one_hot(y, 4)).ring()) / 2.0**30
    assert abs(found - sum(roc_auc_score(y == k, z[:, k]) for k in range(4))) < 4 * 5e-4


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_class_without_rows_gives_0(missing: int) -> None:
    z, y = made(100, 3)
    y[y == missing] = (missing + 1) % 3
    assert evaluate(2, running(areas_of_classes), given(z), one_hot(y, 3)).ring() == 0


@PARTIES
def test_cost_of_the_areas_is_that_of_each_side_by_side_and_of_a_bit(parties: int) -> None:
    n, classes, others = 50, 3, parties - 1
    z, y = given(np.zeros((n, classes)), bound=100.0), one_hot(np.zeros(n), classes)
    one = evaluate(parties, running(area_under_curve), given(np.zeros(n), bound=100.0), labels(np.zeros(n)))
    all_of_them = evaluate(parties, running(areas_of_classes), z, y)
    for phase, rank in (("online", 0), ("offline", parties)):
        before, after = one.cost(phase, rank), all_of_them.cost(phase, rank)
        more = {name: after[name][2] - classes * before.get(name, (0, 0, 0))[2] for name in after}
        if phase == "online":
            assert sum(c[0] for c in after.values()) - sum(c[0] for c in before.values()) == 1
            bit = {"comparison": 11 * classes * others, "lookup": 1 * others, "product": 16 * others}
        else:
            bit = {"comparison": 72 * classes * 8, "lookup": 4 * 8, "product": 8}
        assert {name: size for name, size in more.items() if size} == bit


@PARTIES
def test_cost(parties: int) -> None:
    n, classes, others = 30, 10, parties - 1
    y = one_hot(np.zeros(n), classes)
    for bound, elements in ((2.0**6, 28), (2.0**18, 72)):
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
