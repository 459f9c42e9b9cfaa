"""Poisson and gamma deviances from shares, against scikit-learn's."""

import numpy as np
import pytest
from scipy.special import xlogy
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance

from mpcfl.solvers.deviance import gamma_deviance, poisson_deviance
from tests.evaluation import dry, evaluate
from tests.solvers.shared_scores import given, running

PARTIES = pytest.mark.parametrize("parties", [2, 3])
N = 400


def model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(z, counts, amounts), z the log of the mean of both."""
    rng = np.random.default_rng(8)
    z = rng.normal(size=N)
    return z, rng.poisson(np.exp(z)).astype(float), rng.gamma(2, np.exp(z) / 2) + 1e-3


@PARTIES
def test_poisson_deviance_is_sklearns(parties: int) -> None:
    z, y, _ = model()
    own = np.array(np.sum(xlogy(y, y) - y))
    shares = [given(z), given(np.exp(z), scale=32), given(y, scale=0), given(own, scale=16)]
    outcome = evaluate(parties, running(poisson_deviance), *shares)
    found = int(outcome.ring()) / 2.0**20 / N
    assert outcome.results[0].scale == 20
    assert found == pytest.approx(mean_poisson_deviance(y, np.exp(z)), abs=1e-6)


@PARTIES
def test_gamma_deviance_is_sklearns(parties: int) -> None:
    z, _, y = model()
    shares = [given(z), given(np.exp(-z), scale=32), given(y, scale=16), given(np.array(np.log(y).sum()), scale=20)]
    found = int(evaluate(parties, running(gamma_deviance), *shares).ring()) / 2.0**20 / N
    assert found == pytest.approx(mean_gamma_deviance(y, np.exp(z)), abs=1e-4), "y is rounded to 2^-16"


def test_without_the_owners_sum_two_models_differ_by_what_they_should() -> None:
    z, y, amounts = model()
    for protocol, sign, target, exact in (
        (poisson_deviance, 1, y, mean_poisson_deviance),
        (gamma_deviance, -1, np.round(amounts * 2**16) / 2**16, mean_gamma_deviance),
    ):
        found = []
        for score in (z, 0.5 * z):
            shares = [given(score), given(np.exp(sign * score), scale=32), given(target, scale=16)]
            found.append(int(evaluate(2, running(protocol), *shares).ring()) / 2.0**20 / N)
        wanted = exact(target, np.exp(z)) - exact(target, np.exp(0.5 * z))
        assert found[0] - found[1] == pytest.approx(wanted, abs=1e-6)


@PARTIES
def test_cost_is_two_rounds_and_two_elements_a_row(parties: int) -> None:
    z, y, _ = model()
    others = parties - 1
    shares = [given(z, scale=30), given(np.exp(z), scale=30), given(y, scale=0)]
    outcome = evaluate(parties, running(poisson_deviance), *shares)
    online = {"inner product": (1, others, 16 * N * others), "truncation": (1, others, 16 * others)}
    assert outcome.cost("online") == online
    assert outcome.cost("offline", parties) == {"inner product": (0, 1, 8), "truncation": (0, 2, 32)}


def test_sums_that_would_not_fit_are_taken_of_coarser_values() -> None:
    z, y, _ = model()
    shares = [given(z, scale=45, bound=100.0), given(np.exp(z), scale=20), given(y, scale=16, bound=1000.0)]
    outcome = evaluate(2, running(poisson_deviance), *shares)
    assert outcome.cost("online")["truncation"][0] == 2
    wanted = 2 * np.sum(np.exp(z) - y * z)
    assert int(outcome.ring()) / 2.0**20 == pytest.approx(wanted, abs=1)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="equal shapes"):
        next(poisson_deviance(dry(1.0), dry(1.0), dry(1.0, shape=(4,))))
