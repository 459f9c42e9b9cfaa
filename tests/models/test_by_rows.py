"""Estimators with scikit-learn's names, fitted through real sessions: attributes, predictions and scores."""

import copy

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import accuracy_score, r2_score

import mpcfl
from mpcfl.errors import JobError
from mpcfl.models.by_rows import ByRows
from mpcfl.models.regressors import HuberRegressor
from mpcfl.solvers.gradient import Gradient
from tests.joint import DIABETES, PROGRESSION, TARGET, Array, distance, tables_of
from tests.parties import run_parties


def standardised(x: Array) -> Array:
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


CANCER = standardised(load_breast_cancer().data)[:, :8], load_breast_cancer().target.astype(float)
IRIS = standardised(load_iris().data), load_iris().target.astype(float)
SLOPE = standardised(DIABETES), standardised(PROGRESSION)
STEPS = Gradient(learning_rate=0.5, iterations=20, momentum=0.8, nesterov=True)


def fitted(estimator: ByRows, x: Array, y: Array) -> ByRows:
    tables = tables_of(x, y, range(2), "horizontal")
    return run_parties(2, lambda s: copy.copy(estimator).fit(s, tables.get(s.rank), target=TARGET))[0]


# ---- classes ---------------------------------------------------------------------------------------------------------


def test_two_classes() -> None:
    x, y = CANCER
    model = fitted(mpcfl.LogisticRegression(solver=STEPS), x, y)
    assert model.coef_.shape == (8,) and isinstance(model.intercept_, float)
    assert model.classes_.tolist() == [0, 1]
    z = x @ model.coef_ + model.intercept_
    np.testing.assert_allclose(model.decision_function(x), z)
    np.testing.assert_allclose(model.predict_proba(x), np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], axis=1))
    np.testing.assert_array_equal(model.predict(x), z > 0)
    assert model.score(x, y) == accuracy_score(y, model.predict(x)) > 0.9


def test_three_classes() -> None:
    x, y = IRIS
    model = fitted(mpcfl.LogisticRegression(classes=3, C=10.0, solver=STEPS), x, y)
    assert model.coef_.shape == (3, 4) and model.intercept_.shape == (3,)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.decision_function(x).shape == model.predict_proba(x).shape == (150, 3)
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(x), model.decision_function(x).argmax(axis=1))
    assert model.score(x, y) == accuracy_score(y, model.predict(x)) > 0.8


@pytest.mark.parametrize("negative", [0.0, -1.0])
def test_a_support_vector_machine_takes_either_coding(negative: float) -> None:
    x, y = CANCER
    coded = np.where(y == 1, 1.0, negative)
    solver = Gradient(learning_rate=0.05, iterations=30)
    model = fitted(mpcfl.LinearSVC(C=0.01, range=8, solver=solver), x, coded)
    assert set(model.predict(x)) == {0.0, 1.0}
    np.testing.assert_array_equal(model.predict(x), model.decision_function(x) > 0)
    assert model.score(x, coded) == accuracy_score(y, model.predict(x)) > 0.9


def test_rows_of_weight_two_count_as_two_rows() -> None:
    x, y = CANCER[0][:200], CANCER[1][:200]
    twice = np.arange(200) < 100
    names = [f"x{i}" for i in range(8)]
    weighted = {**dict(zip(names, x.T, strict=True)), "w": 1.0 + twice, TARGET: y}
    repeated = tables_of(np.r_[x, x[twice]], np.r_[y, y[twice]], [0], "horizontal")
    # A learning rate is divided by the rows, of which one run has 200 and the other 300.
    few, many = (
        mpcfl.LogisticRegression(C=0.1, solver=Gradient(learning_rate=rate, iterations=20)) for rate in (0.2, 0.3)
    )
    one, *_ = run_parties(
        2, lambda s: copy.copy(few).fit(s, weighted if s.rank == 0 else None, target=TARGET, sample_weight="w")
    )
    other, *_ = run_parties(2, lambda s: copy.copy(many).fit(s, repeated.get(s.rank), target=TARGET))
    assert one.feature_names_in_.tolist() == names
    assert distance(one.coef_, other.coef_) < 1e-3


# ---- values ----------------------------------------------------------------------------------------------------------


def test_huber() -> None:
    x, y = SLOPE
    model = fitted(mpcfl.HuberRegressor(solver=Gradient(learning_rate=0.2, iterations=40)), x, y)
    np.testing.assert_allclose(model.predict(x), x @ model.coef_ + model.intercept_)
    assert model.score(x, y) == pytest.approx(r2_score(y, model.predict(x)), rel=1e-12)
    assert model.score(x, y) > 0.4


@pytest.mark.parametrize(("learn", "alpha"), [("PoissonRegressor", 1.0), ("GammaRegressor", 0.1)])
def test_regressors_with_a_log_link(learn: str, alpha: float) -> None:
    """They predict means, and their score is scikit-learn's: the part of the deviance that is explained."""
    x, z = SLOPE
    y = np.round(10 * np.exp(0.3 * z / z.std())) + (learn == "GammaRegressor")
    solver = Gradient(learning_rate=0.3, momentum=0.8, nesterov=True, iterations=80)
    model = fitted(getattr(mpcfl, learn)(alpha=alpha, unit=10.0, solver=solver), x, y)
    wanted = getattr(linear_model, learn)(alpha=alpha, tol=1e-9).fit(x, y)
    np.testing.assert_allclose(model.predict(x), wanted.predict(x), rtol=1e-3)
    model.coef_, model.intercept_ = wanted.coef_, wanted.intercept_
    assert model.score(x, y) == pytest.approx(wanted.score(x, y), rel=1e-9)


# ---- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, said",
    [
        (mpcfl.LogisticRegression(C=0.0, solver=STEPS), "C must be more than 0"),
        (mpcfl.LogisticRegression(classes=1, solver=STEPS), "classes must be 2 or more"),
        (mpcfl.LogisticRegression(penalty="l3", solver=STEPS), "penalty must be one of"),
        (mpcfl.LogisticRegression(penalty="elasticnet", l1_ratio=2.0, solver=STEPS), "l1_ratio must be from 0 to 1"),
        (mpcfl.LogisticRegression(sigmoid={"range": 32, "error": 1e-12}, solver=STEPS), "sigmoid"),
        (mpcfl.LinearSVC(range=0.0, solver=STEPS), "range must be more than 0"),
        (HuberRegressor(epsilon=-1.0, solver=STEPS), "epsilon and range must be more than 0"),
        (HuberRegressor(alpha=-1.0, solver=STEPS), "alpha at least 0"),
        (mpcfl.PoissonRegressor(unit=0.0, solver=STEPS), "unit = 0.0 is not a positive number"),
        (mpcfl.GammaRegressor(log_range=5, solver=STEPS), "log_range = 5 is not one of 1, 2, 4, 8"),
        (mpcfl.GammaRegressor(unit=2.0, fit_intercept=False, solver=STEPS), "needs an intercept"),
    ],
)
def test_arguments_that_cannot_be_are_refused_before_anything_is_shared(estimator: ByRows, said: str) -> None:
    with pytest.raises(JobError, match=said):
        estimator.settings()


@pytest.mark.parametrize("kind", [mpcfl.LogisticRegression, mpcfl.LinearSVC, HuberRegressor, mpcfl.PoissonRegressor])
def test_a_solver_must_be_chosen(kind: type[ByRows]) -> None:
    with pytest.raises(JobError, match=f"{kind.__name__} has no default solver") as caught:
        kind()
    assert "mpcfl.Newton()" in str(caught.value)


def test_arguments_are_kept_under_their_names() -> None:
    for estimator in (
        mpcfl.LogisticRegression(classes=4, solver=STEPS),
        mpcfl.LinearSVC(solver=STEPS),
        mpcfl.GammaRegressor(solver=STEPS),
    ):
        assert vars(type(estimator)(**vars(estimator))) == vars(estimator)


def test_predict_before_fit_is_an_error_that_says_so() -> None:
    with pytest.raises(AttributeError, match="call fit first"):
        mpcfl.LogisticRegression(solver=STEPS).predict_proba(IRIS[0])
