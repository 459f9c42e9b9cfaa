"""Poisson and gamma regression end where scikit-learn ends, take targets of any size, and are never silently wrong."""

import math

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import GammaRegressor, PoissonRegressor

from mpcfl.data.facts import Aside, facts_of
from mpcfl.data.table import Table
from mpcfl.errors import DataError, GuardError, JobError
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.losses.poisson import Poisson
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.models.training import Outcome, train
from mpcfl.solvers.gradient import Gradient
from tests.joint import Array, distance, train_jointly
from tests.parties import roster, run_with_sessions

DIABETES = load_diabetes(scaled=False)
X: Array = (DIABETES.data - DIABETES.data.mean(axis=0)) / DIABETES.data.std(axis=0)
SIZES: Array = DIABETES.target  # 25 to 346, about 150
COUNTS: Array = np.round(SIZES / 10)
FAST = Gradient(learning_rate=0.3, momentum=0.9, nesterov=True, iterations=100)
ONE_STEP = Gradient(learning_rate=0.1, iterations=1)


def settings(model: str, solver: Gradient = FAST, *, fit_intercept: bool = True, **parameters: float) -> Settings:
    objective = objective_of(model, Parameters(**parameters))  # type: ignore[arg-type]
    return Settings(model=model, objective=objective, solver=solver, fit_intercept=fit_intercept)


def weights(outcome: Outcome) -> Array:
    return np.append(outcome.coefficients, outcome.intercept)


# ---- what scikit-learn gives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize(
    ("model", "y", "unit", "regressor"),
    [("poisson", COUNTS, 15.0, PoissonRegressor), ("gamma", SIZES, 150.0, GammaRegressor)],
)
def test_a_hundred_steps_end_where_scikit_learn_ends(
    model: str, y: Array, unit: float, regressor: type, partition: str
) -> None:
    """Its alpha is beside the mean of the losses; the unit of ours is not in it."""
    alpha = 0.1 if model == "gamma" else 0.1 * unit
    run = train_jointly(X, y, settings(model, alpha=alpha, unit=unit), partition=partition)
    sklearn = regressor(alpha=alpha, tol=1e-10, max_iter=10_000).fit(X, y)
    assert distance(run.outcome.coefficients, sklearn.coef_) < 1e-3
    assert distance(weights(run.outcome), np.append(sklearn.coef_, sklearn.intercept_)) < 1e-4


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("log_range", [4, 8])
def test_a_small_penalty_beside_momentum_is_as_exact_as_none(log_range: int, alpha: float) -> None:
    wanted = settings("gamma", alpha=alpha, unit=150.0, log_range=log_range)
    run = train_jointly(X, SIZES, wanted)
    twin = plaintext_twin(X, SIZES, run.facts, wanted)
    assert distance(weights(run.outcome), np.append(twin.coefficients, twin.intercept)) < 4e-5
    assert distance(run.outcome.coefficients, twin.coefficients) < 5e-4


def test_exposures_are_the_weights_of_rates() -> None:
    """exp(z + log e) - y is e times exp(z) - y / e: scikit-learn takes rates, and exposures as weights."""
    rng = np.random.default_rng(5)
    x, exposure = rng.normal(size=(600, 4)), rng.uniform(0.2, 3, 600)
    y = rng.poisson(exposure * np.exp(x @ [0.4, -0.3, 0.2, 0.0] - 0.2)).astype(float)
    names, who, aside = [*"abcd", "e", "y"], roster(2), Aside(exposure="e")
    table = np.c_[x, exposure, y]
    tables = {0: Table.of(table[:250], names=names), 1: Table.of(table[250:], names=names)}
    schemas = {who.names[rank]: own.schema.with_target("y") for rank, own in tables.items()}
    facts = facts_of(who, "horizontal", schemas, "y", test_fraction=0.0, seed=0, aside=aside)
    wanted = settings("poisson", Gradient(learning_rate=0.3, iterations=60), alpha=0.0)
    outcomes, _ = run_with_sessions(who, lambda s: train(s, facts, wanted, tables.get(s.rank)))
    sklearn = PoissonRegressor(alpha=0.0, tol=1e-10).fit(x, y / exposure, sample_weight=exposure)
    assert distance(weights(outcomes[0]), np.append(sklearn.coef_, sklearn.intercept_)) < 1e-4


# ---- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["poisson", "gamma"])
def test_a_target_in_thousands_gives_the_same_weights(model: str) -> None:
    fast = Gradient(learning_rate=0.3, momentum=0.9, nesterov=True, iterations=30)
    small = train_jointly(X, SIZES, settings(model, fast, unit=150.0, alpha=0.0)).outcome
    large = train_jointly(X, SIZES * 1000, settings(model, fast, unit=150_000.0, alpha=0.0)).outcome
    assert distance(large.coefficients, small.coefficients) < 1e-3
    assert abs(large.intercept - small.intercept - math.log(1000)) < 1e-4


def test_a_unit_needs_an_intercept_to_be_put_into() -> None:
    with pytest.raises(JobError, match="needs an intercept"):
        settings("gamma", unit=150.0, fit_intercept=False)
    assert settings("gamma", fit_intercept=False).objective is not None


# ---- costs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["poisson", "gamma"])
def test_an_iteration_costs_what_one_of_logistic_regression_does(model: str) -> None:
    n, d = len(X), X.shape[1] + 1
    solvers = [Gradient(learning_rate=0.1, iterations=i) for i in (3, 4)]
    before, after = (train_jointly(X, SIZES, settings(model, s, unit=150.0)) for s in solvers)
    assert after.cost().rounds - before.cost().rounds == 4
    assert after.cost().bytes - before.cost().bytes == 12 * n + 2 * 8 * d
    dealer = after.facts.owners[-1]
    dealt = after.cost("offline", dealer).bytes - before.cost("offline", dealer).bytes
    assert dealt == 8 * (n + 4 * d + 20 * n + d + 2 * d), "two products, one watched, an exponential, a truncation"


# ---- never silently wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "y", "advice"),
    [("gamma", SIZES, "unit"), ("poisson", COUNTS, "learning_rate")],
)
def test_a_start_at_the_wrong_height_ends_the_run_with_advice(model: str, y: Array, advice: str) -> None:
    with pytest.raises(GuardError, match="left the range") as caught:
        train_jointly(X, y, settings(model, Gradient(learning_rate=0.5, iterations=20)))
    assert caught.value.hint is not None and advice in caught.value.hint


@pytest.mark.parametrize("periods", [1, 3])
def test_a_step_of_whole_periods_does_not_pass_unnoticed(periods: int) -> None:
    """All rows are alike and the first step takes their exponent from 0 to a multiple of the period 4 B, where the
    exponential is 1 again: nothing but the number of periods tells."""
    target = 1 + periods * 32 / 0.1
    y = np.full(40, target)
    two_steps = Gradient(learning_rate=0.1, iterations=2)
    with pytest.raises(GuardError, match="left the range"):
        train_jointly(np.zeros((40, 1)), y, settings("poisson", two_steps, alpha=0.0))
    one = train_jointly(np.zeros((40, 1)), y, settings("poisson", ONE_STEP, alpha=0.0))
    assert abs(one.outcome.intercept - 32 * periods) < 0.01


# ---- targets and settings that cannot be -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "value", "said"),
    [
        ("poisson", -1.0, "row 3, column 'y': a count must not be negative"),
        ("poisson", 2982.0, "row 3, column 'y': a count beyond 2981, which is unit"),
        ("gamma", 0.0, "row 3, column 'y': a value must be more than 0"),
        ("gamma", -2.5, "row 3, column 'y': a value must be more than 0"),
    ],
)
def test_a_target_that_cannot_be_is_named_by_its_row(model: str, value: float, said: str) -> None:
    y = np.ones(len(X))
    y[2] = value
    with pytest.raises(DataError, match=said):
        train_jointly(X, y, settings(model, ONE_STEP))


def test_zero_is_a_count() -> None:
    run = train_jointly(X, np.zeros(len(X)), settings("poisson", ONE_STEP))
    twin, _ = descent_twin(X, np.zeros(len(X)), run.facts, settings("poisson").objective, ONE_STEP, True)  # type: ignore[arg-type]
    assert distance(weights(run.outcome), twin) < 1e-4


@pytest.mark.parametrize("parameters", [{"log_range": 3}, {"log_range": 16}, {"unit": 0.0}, {"unit": -1.0}])
def test_settings_that_cannot_be_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(JobError, match=r"\[model\] (log_range|unit) = "):
        settings("gamma", **parameters)
    assert Poisson(range=4, unit=2.0).shift == math.log(2)
