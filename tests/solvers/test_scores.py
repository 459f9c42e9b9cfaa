"""Accuracy, confusion matrix and log loss from shares, against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from sklearn.metrics import log_loss as sklearn_log_loss

from mpcfl.errors import HeadroomError
from mpcfl.solvers.scores import confusion, correct, log_loss
from tests.evaluation import Given, dry, evaluate
from tests.solvers.shared_scores import breast_cancer, given, labels, running

PARTIES = pytest.mark.parametrize("parties", [2, 3])
STRENGTHS = pytest.mark.parametrize("C", [1.0, 1e-4])


def mixed(n: int = 500, size: float = 30.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all sizes from 2^-12 up, and labels that often contradict them."""
    rng = np.random.default_rng(n)
    z = rng.normal(size=n) * size * rng.uniform(size=n) ** 3
    return z + np.sign(z) * 2.0**-12, rng.integers(0, 2, n).astype(float)


@PARTIES
@STRENGTHS
def test_correct_rows_of_a_model_are_those_that_sklearn_counts(C: float, parties: int) -> None:
    z, y = breast_cancer(C)
    count = evaluate(parties, running(correct), given(z), labels(y)).ring()
    assert count == ((z >= 0) == y).sum()


@PARTIES
def test_the_confusion_matrix_is_sklearns(parties: int) -> None:
    z, y = mixed()
    outcome = evaluate(parties, running(confusion), given(z), labels(y))
    counts = [[int(outcome.ring(2 * row + column)) for column in (0, 1)] for row in (0, 1)]
    assert counts == confusion_matrix(y, z >= 0).tolist()


def test_rows_next_to_the_boundary_may_count_either_way_and_no_others() -> None:
    unit = 2.0**-13
    z = np.array([unit, -unit, 2 * unit, -2 * unit, 0.9 * unit, -0.9 * unit] * 50)
    count = int(evaluate(2, running(correct), given(z, bound=64.0), labels(z >= 0)).ring())
    assert 200 <= count <= 300


def test_rows_on_the_boundary_are_of_class_1_where_all_bits_are_compared() -> None:
    z = Given(torch.tensor([0, -1, 1, 0]), 10, 8.0)
    assert evaluate(2, running(correct), z, labels(np.array([1, 0, 1, 0]))).ring() == 3


@PARTIES
@STRENGTHS
def test_log_loss_of_a_model_is_sklearns(C: float, parties: int) -> None:
    z, y = breast_cancer(C)
    outcome = evaluate(parties, running(log_loss), given(z), labels(y))
    assert outcome.results[0].scale == 20 and outcome.results[0].shape == ()
    found = int(outcome.ring()) / 2.0**20 / len(y)
    assert 0 < abs(found - sklearn_log_loss(y, 1 / (1 + np.exp(-z)))) < 3e-5


@PARTIES
@pytest.mark.parametrize(("scale", "bound"), [(20, 200.0), (40, 200.0), (36, 2.0**24), (10, 2.0**40)])
def test_log_loss_at_all_scales_and_bounds(scale: int, bound: float, parties: int) -> None:
    z, y = mixed()
    z = np.round(z * 2.0**scale) / 2.0**scale
    found = int(evaluate(parties, running(log_loss), given(z, scale=scale, bound=bound), labels(y)).ring()) / 2.0**20
    assert abs(found / len(y) - np.mean(np.logaddexp(0, z) - y * z)) < 3e-5


def test_log_loss_of_scores_that_are_bounded_by_20() -> None:
    z, y = mixed(size=5.0)
    found = int(evaluate(3, running(log_loss), given(z, bound=20.0), labels(y)).ring()) / 2.0**20
    assert abs(found / len(y) - np.mean(np.logaddexp(0, z) - y * z)) < 3e-5


@PARTIES
def test_cost_of_the_accuracy(parties: int) -> None:
    n, others = 30, parties - 1
    y = labels(np.zeros(n))
    for bound, elements in ((20.0, 36), (2.0**6, 40), (2.0**18, 104)):
        outcome = evaluate(parties, running(correct), given(np.zeros(n), bound=bound - 2.0**-10), y)
        assert outcome.cost("online") == {"steps": (2, 2 * others, 17 * n * others)}
        assert outcome.cost("offline", parties) == {"steps": (0, 2, elements * n * 8)}


@PARTIES
def test_cost_of_the_log_loss(parties: int) -> None:
    n, others = 30, parties - 1
    for bound, rounds, size, elements in ((20.0, 2, 20, 32), (2.0**6, 4, 30, 48), (2.0**24, 5, 38, 130)):
        outcome = evaluate(parties, running(log_loss), given(np.zeros(n), bound=bound), labels(np.zeros(n)))
        online, offline = outcome.cost("online").values(), outcome.cost("offline", parties).values()
        assert sum(cost[0] for cost in online) == rounds
        assert sum(cost[2] for cost in online) == (size * n + 16) * others, "and two sums to truncate"
        assert sum(cost[2] for cost in offline) == (elements * n + 1 + 4) * 8


@pytest.mark.parametrize("protocol", [correct, confusion, log_loss])
def test_labels_of_another_scale_or_length_are_refused(protocol) -> None:
    for y in (dry(1.0, scale=3), dry(1.0, shape=(4,))):
        with pytest.raises(ValueError, match=r"labels \(n,\) at scale 0"):
            next(protocol(dry(1.0, scale=20), y))


@pytest.mark.parametrize("protocol", [correct, log_loss])
def test_scores_that_might_wrap_are_refused_in_the_plan(protocol) -> None:
    with pytest.raises(HeadroomError):
        next(protocol(dry(2.0**30, scale=40), dry(1.0)))
