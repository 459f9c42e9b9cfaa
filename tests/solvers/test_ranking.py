"""The area under the ROC curve from shares, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mpcfl.errors import HeadroomError
from mpcfl.solvers.ranking import area_under_curve
from tests.evaluation import dry, evaluate
from tests.solvers.shared_scores import SCALE, breast_cancer, given, labels, running

PARTIES = pytest.mark.parametrize("parties", [2, 3])


def area(parties: int, z: np.ndarray, y: np.ndarray, *, scale: int = SCALE, bound: float = 2.0**10) -> float:
    outcome = evaluate(parties, running(area_under_curve), given(z, scale=scale, bound=bound), labels(y))
    assert (outcome.results[0].scale, outcome.results[0].shape) == (30, ())
    return int(outcome.ring()) / 2.0**30


def made(kind: str, n: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    y = (rng.random(n) < (0.02 if kind == "rare" else 0.4)).astype(float)
    noise = rng.standard_t(2.1, n) if kind == "heavy tails" else rng.normal(size=n)
    z = {
        "weak": noise + 0.2 * y,
        "strong": noise + 3 * y,
        "rare": 0.3 * noise - 5 + 0.6 * y,
        "heavy tails": noise + y,
        "tiny": 0.003 * (noise + y) + 1,
        "huge": 20 * (noise + y),
        "upside down": noise - 2 * y,
        "discrete": np.round(2 * (noise + y)) / 2,
    }
    return z[kind], y


@PARTIES
@pytest.mark.parametrize("C", [1.0, 1e-2, 1e-4])
def test_the_area_of_a_model_is_sklearns(C: float, parties: int) -> None:
    """A pair of rows is 5e-5 to 6e-5 of all: a few that are nearly alike may be miscounted."""
    z, y = breast_cancer(C)
    assert abs(area(parties, z, y) - roc_auc_score(y, z)) < 1e-3


@PARTIES
@pytest.mark.parametrize("kind", ["weak", "strong", "rare", "heavy tails", "tiny", "huge", "upside down"])
def test_scores_of_all_kinds(kind: str, parties: int) -> None:
    z, y = made(kind)
    assert abs(area(parties, z, y) - roc_auc_score(y, z)) < 5e-4


def test_scores_that_are_the_same_count_half() -> None:
    z, y = made("discrete")
    assert abs(area(2, z, y) - roc_auc_score(y, z)) < 5e-4
    assert area(2, np.full(1000, 0.3), y[:1000]) == pytest.approx(0.5, abs=1e-7)


@pytest.mark.parametrize(("scale", "bound"), [(10, 2.0**10), (24, 2.0**30), (50, 100.0), (30, 2.0**31)])
def test_all_scales_and_bounds(scale: int, bound: float) -> None:
    z, y = made("strong")
    assert abs(area(2, z, y, scale=scale, bound=bound) - roc_auc_score(y, z)) < 5e-4


def test_perfect_scores_and_two_rows() -> None:
    y = np.arange(200) % 2
    assert area(2, 3.0 * y - 1, y) == pytest.approx(1, abs=1e-7)
    assert area(3, 1 - 3.0 * y, y) == pytest.approx(0, abs=1e-7)
    assert area(2, np.array([-1.0, 1.0]), np.array([0, 1])) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_gives_0(only: int) -> None:
    z, y = made("weak", 200)
    assert area(2, z, np.full_like(y, only)) == 0


@PARTIES
def test_cost_is_a_round_more_than_22_and_256_offline_elements_a_row_for_the_histogram(parties: int) -> None:
    n, others = 1000, parties - 1
    outcome = evaluate(parties, running(area_under_curve), given(np.zeros(n), bound=100.0), labels(np.zeros(n)))
    online, offline = outcome.cost("online"), outcome.cost("offline", parties)
    assert sum(cost[0] for cost in online.values()) == 22, "scores within 120 need not be clipped first"
    assert online["histogram"] == (1, others, 2 * n * others) and online["extension"] == (1, others, 2 * 1024 * others)
    assert offline["histogram"] == (0, 1, 256 * n * 8) and offline["extension"] == (0, 1, 2 * 1024 * 8)
    assert online["steps"] == (2, 2 * others, 10 * n * others)
    assert online["pinned matrix"] == (1, others, 8 * n * others)
    wide = evaluate(parties, running(area_under_curve), given(np.zeros(n), bound=121.0), labels(np.zeros(n)))
    assert sum(cost[0] for cost in wide.cost("online").values()) == 24


def test_what_has_no_area_is_refused() -> None:
    for y in (dry(1.0, scale=3), dry(1.0, shape=(4,))):
        with pytest.raises(ValueError, match=r"two rows and labels \(n,\) at scale 0"):
            next(area_under_curve(dry(1.0, scale=20), y))
    with pytest.raises(ValueError, match="two rows"):
        next(area_under_curve(dry(1.0, shape=(1,)), dry(1.0, shape=(1,))))
    with pytest.raises(HeadroomError):
        next(area_under_curve(dry(2.0**40, scale=40), dry(1.0)))
