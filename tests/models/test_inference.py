"""Standard errors, t and p values are those of the closed form, from variances revealed under MPC."""

import numpy as np
import pytest
from scipy import stats

from mpcfl.errors import DataError
from mpcfl.models.inference import inference
from mpcfl.models.settings import Settings
from mpcfl.solvers.doubling import Doubling
from tests.joint import DIABETES, PROGRESSION, Array, train_jointly


def closed_form(x: Array, y: Array, fit_intercept: bool) -> tuple[Array, Array, int]:
    """(coefficients, standard errors, degrees of freedom): sqrt of the diagonal of s^2 (X.T X)^-1."""
    design = np.c_[x, np.ones(len(x))] if fit_intercept else x
    weights, *_ = np.linalg.lstsq(design, y, rcond=None)
    freedom = len(x) - design.shape[1]
    residual = y - design @ weights
    scale = np.sqrt(residual @ residual / freedom)
    errors = scale * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    return weights[: x.shape[1]], errors[: x.shape[1]], freedom


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_standard_errors_t_and_p_under_mpc(fit_intercept: bool, partition: str) -> None:
    x = DIABETES if fit_intercept else DIABETES - DIABETES.mean(axis=0)
    settings = Settings(standard_errors=True, fit_intercept=fit_intercept)
    found = train_jointly(x, PROGRESSION, settings, partition=partition).outcome.extras["inference"]
    weights, errors, freedom = closed_form(x, PROGRESSION, fit_intercept)
    assert found["degrees_of_freedom"] == freedom
    assert np.allclose(found["standard_errors"], errors, rtol=2e-4, atol=0)
    assert np.allclose(found["t"], weights / errors, rtol=3e-4, atol=1e-4)
    assert np.allclose(found["p"], 2 * stats.t.sf(np.abs(weights / errors), freedom), rtol=1e-2, atol=1e-4)


def test_a_fit_that_explains_nearly_all_has_small_standard_errors_still() -> None:
    """R^2 = 0.9999: what is left is a small difference of two large numbers."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 3))
    y = x @ [1.0, 2.0, 3.0] + 0.037 * rng.normal(size=500)
    found = train_jointly(x, y, Settings(standard_errors=True)).outcome.extras["inference"]
    assert np.allclose(found["standard_errors"], closed_form(x, y, True)[1], rtol=1e-2, atol=0)


def test_more_steps_leave_as_much_of_the_ring() -> None:
    settings = Settings(standard_errors=True, solver=Doubling(steps=1 << 20))
    found = train_jointly(DIABETES, PROGRESSION, settings).outcome.extras["inference"]
    assert np.allclose(found["standard_errors"], closed_form(DIABETES, PROGRESSION, True)[1], rtol=5e-3, atol=0)


def test_as_many_rows_as_parameters_leave_no_freedom() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="standard errors"):
        train_jointly(rng.normal(size=(4, 3)), rng.normal(size=4), Settings(standard_errors=True))


def test_the_formulas_are_those_of_a_simple_regression() -> None:
    """scipy's `linregress` gives slope, its standard error and p of one column."""
    x, y = DIABETES[:, 2], PROGRESSION
    wanted = stats.linregress(x, y)
    freedom = len(x) - 2
    found = inference(np.array([wanted.slope]), np.array([wanted.stderr**2 * freedom]), freedom)
    assert np.isclose(found["standard_errors"][0], wanted.stderr, rtol=1e-12)
    assert np.isclose(found["t"][0], wanted.slope / wanted.stderr, rtol=1e-12)
    assert np.isclose(found["p"][0], wanted.pvalue, rtol=1e-9)


def test_a_variance_that_noise_made_negative_counts_as_zero() -> None:
    found = inference(np.array([1.0]), np.array([-1e-12]), 10)
    assert found["standard_errors"] == [0.0] and found["p"] == [0.0]
