"""Weights of joint training are those of scikit-learn on the pooled rows, wherever the rows or columns lie."""

import re
import warnings

import numpy as np
import pytest
import sklearn.linear_model as sk
from sklearn.datasets import load_diabetes

import mpcfl
from mpcfl.errors import DataError, GuardError, JobError
from mpcfl.models.linear import LinearRegression, Ridge
from mpcfl.models.settings import Settings
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from tests.joint import DIABETES, PROGRESSION, TARGET, Run, correlated, distance, tables_of, train_jointly
from tests.parties import roster, run_parties

PARTITIONS = ("horizontal", "vertical")
SCALED = load_diabetes().data
RNG = np.random.default_rng(0)


def check(run: Run, wanted: sk.LinearRegression | sk.Ridge, *, weights: float = 1e-4, intercept: float = 1e-4) -> None:
    """Relative distance of the weights, and of the intercept relative to what it is made of."""
    found = run.outcome
    assert distance(found.coefficients, wanted.coef_) < weights
    assert abs(found.intercept - wanted.intercept_) <= intercept * (abs(wanted.intercept_) + 1)


# ---- partition, number of parties, owners who do not compute ---------------------------------------------------------


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("compute, owners", [(2, 2), (2, 3), (3, 3), (5, 6), (2, 5)])
@pytest.mark.parametrize("x", [SCALED, DIABETES], ids=["scaled", "as measured"])
def test_the_weights_are_those_of_the_pooled_table(x: np.ndarray, compute: int, owners: int, partition: str) -> None:
    run = train_jointly(x, PROGRESSION, who=roster(compute, owners=owners), partition=partition)
    check(run, sk.LinearRegression().fit(x, PROGRESSION), weights=2e-5)  # aim: 1e-5, asked for: 1e-4


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("alpha", [0.5, 100.0])
def test_ridge_has_the_penalty_of_scikit_learn(alpha: float, partition: str) -> None:
    run = train_jointly(DIABETES, PROGRESSION, Settings(model="ridge", alpha=alpha), partition=partition)
    check(run, sk.Ridge(alpha=alpha).fit(DIABETES, PROGRESSION))


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_without_an_intercept_nothing_is_centred(alpha: float, partition: str) -> None:
    x = DIABETES - DIABETES.mean(axis=0) * 0.9
    settings = Settings(model="ridge" if alpha else "linear", alpha=alpha, fit_intercept=False)
    run = train_jointly(x, PROGRESSION, settings, partition=partition)
    assert run.outcome.intercept == 0.0
    wanted = sk.Ridge(alpha=alpha, fit_intercept=False).fit(x, PROGRESSION)
    assert distance(run.outcome.coefficients, wanted.coef_) < 1e-4


def test_owners_may_hold_any_number_of_rows() -> None:
    wanted = sk.LinearRegression().fit(DIABETES, PROGRESSION)
    check(train_jointly(DIABETES, PROGRESSION, cuts=[1, 3]), wanted)
    check(train_jointly(DIABETES, PROGRESSION, cuts=[440, 441]), wanted)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_one_owner_alone_may_use_the_parties_too(partition: str) -> None:
    run = train_jointly(DIABETES, PROGRESSION, who=roster(2, owners=1), partition=partition)
    check(run, sk.LinearRegression().fit(DIABETES, PROGRESSION))


def test_an_owner_may_hold_the_target_and_no_feature() -> None:
    tables = tables_of(DIABETES, PROGRESSION, (0, 1), "vertical", cuts=[10])

    def program(session: mpcfl.Session) -> LinearRegression:
        return LinearRegression().fit(session, tables.get(session.rank), target=TARGET, partition="vertical")

    model, *_ = run_parties(2, program)
    assert distance(model.coef_, sk.LinearRegression().fit(DIABETES, PROGRESSION).coef_) < 1e-4


# ---- tables that are hard on fixed point -----------------------------------------------------------------------------


@pytest.mark.parametrize("partition", PARTITIONS)
def test_columns_may_differ_in_size_by_thirteen_decades(partition: str) -> None:
    n = 600
    year, turnover = RNG.integers(2010, 2021, n).astype(float), RNG.lognormal(20.5, 1, n)
    ratio, plain = RNG.uniform(0, 1e-4, n), RNG.normal(size=n)
    x = np.c_[year, turnover, ratio, plain]
    y = 3.0 * (year - 2015) + 2e-9 * turnover + 4e4 * ratio + plain + 0.1 * RNG.normal(size=n)
    run = train_jointly(x, y, partition=partition)
    # scikit-learn takes all columns but the turnover for zero when they come as they are
    wanted = sk.LinearRegression().fit(x / x.std(axis=0), y).coef_ / x.std(axis=0)
    # each weight by itself: in the norm the weight of the ratio hides all others
    assert np.abs(run.outcome.coefficients / wanted - 1).max() < 1e-4


def test_a_site_indicator_is_constant_within_every_owner_and_varies_between_them() -> None:
    site = np.repeat([0.0, 1.0, 0.0], [150, 150, 142])
    x = np.c_[DIABETES, site]
    check(train_jointly(x, PROGRESSION, cuts=[150, 300]), sk.LinearRegression().fit(x, PROGRESSION))


def test_owners_of_very_different_size_may_differ_in_mean_far_more_than_within() -> None:
    x = RNG.normal(size=(300, 3))
    x[200:, 0] += 50.0
    y = x @ [1.0, 2.0, 3.0] + RNG.normal(size=300)
    check(train_jointly(x, y, cuts=[10, 200]), sk.LinearRegression().fit(x, y))


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("offset", [4000.0, 5000.0])
def test_a_spread_of_a_four_thousandth_of_the_size_is_enough(offset: float, partition: str) -> None:
    """Also where the owners' means differ as much as the rows of each, which must not be lost in the offset."""
    x = np.random.default_rng(3).normal(size=(600, 3)) + np.repeat([[1.0], [-1.5], [0.0]], 200, axis=0)
    y = x @ [1.0, 2.0, -1.0] + 0.5 * RNG.normal(size=600)
    x = x * 1.25 + [offset, -offset, 0.0]
    run = train_jointly(x, y, partition=partition)
    wanted = sk.LinearRegression().fit(x, y)
    check(run, wanted, intercept=4e-4)  # a sum of two terms four times its size


def test_ridge_takes_more_columns_than_rows() -> None:
    x = RNG.normal(size=(12, 20))
    y = x[:, 0] + 0.1 * RNG.normal(size=12)
    for partition in PARTITIONS:
        run = train_jointly(x, y, Settings(model="ridge", alpha=3.0), partition=partition)
        check(run, sk.Ridge(alpha=3.0).fit(x, y))


def test_linear_regression_refuses_more_columns_than_rows() -> None:
    with pytest.raises(DataError, match="needs at least 11 rows, there are 10"):
        train_jointly(RNG.normal(size=(10, 10)), RNG.normal(size=10))


def test_one_feature_is_enough() -> None:
    x = DIABETES[:, 2:3]
    check(train_jointly(x, PROGRESSION), sk.LinearRegression().fit(x, PROGRESSION))


# ---- never silently wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("condition", [1e2, 1e4, 1e5, 1e6, 1e8])
def test_a_badly_conditioned_table_is_solved_or_refused(condition: float, partition: str) -> None:
    """Within 1e-2, or GuardError: with the default steps and with the most."""
    x = correlated(2000, 6, condition)
    y = x @ np.arange(1.0, 7.0) + 0.1 * np.random.default_rng(1).normal(size=2000)
    wanted = sk.LinearRegression().fit(x, y).coef_
    for solver in (Doubling(), Doubling(steps=1 << 20, refinements=1)):
        try:
            run = train_jointly(x, y, Settings(solver=solver), partition=partition)
        except GuardError as error:
            assert "the solution was not reached" in str(error) and condition >= 1e4
            continue
        assert distance(run.outcome.coefficients, wanted) < 1e-2


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("condition", [1e3, 1e4])
def test_a_small_table_of_correlated_columns_is_solved_without_being_asked(condition: float, partition: str) -> None:
    x = correlated(40, 10, condition, seed=1)
    assert np.linalg.cond(np.corrcoef(x.T)) > 0.9 * condition
    y = x @ np.arange(1.0, 11.0) + np.random.default_rng(1).normal(size=40)
    run = train_jointly(x, y, partition=partition)
    assert distance(run.outcome.coefficients, sk.LinearRegression().fit(x, y).coef_) < 1e-4
    assert run.cost().rounds <= 50


def test_what_the_default_does_not_reach_follows_from_what_the_error_says() -> None:
    x = correlated(200, 40, 3e4)
    y = x @ np.random.default_rng(0).normal(size=40) + np.random.default_rng(1).normal(size=200)
    with pytest.raises(GuardError) as caught:
        train_jointly(x, y)
    said = re.search(r"\[solver\] steps = (\d+)", str(caught.value.hint))
    assert said
    run = train_jointly(x, y, Settings(solver=Doubling(steps=int(said[1]))))
    assert distance(run.outcome.coefficients, sk.LinearRegression().fit(x, y).coef_) < 1e-3
    with pytest.raises(GuardError) as caught:
        train_jointly(np.c_[x, x[:, 0] + x[:, 1]], y, Settings(solver=Doubling(steps=int(said[1]))))
    assert caught.value.hint is not None and "[solver] steps" not in caught.value.hint


@pytest.mark.parametrize("partition", PARTITIONS)
def test_collinear_columns_are_refused_and_ridge_takes_them(partition: str) -> None:
    x = np.c_[DIABETES, DIABETES[:, 0] + DIABETES[:, 2]]
    for solver in (Doubling(), Doubling(steps=1 << 20)):
        with pytest.raises(GuardError, match="columns depend on each other"):
            train_jointly(x, PROGRESSION, Settings(solver=solver), partition=partition)
    run = train_jointly(x, PROGRESSION, Settings(model="ridge", alpha=1e3), partition=partition)
    check(run, sk.Ridge(alpha=1e3).fit(x, PROGRESSION))


def test_a_column_that_is_constant_over_all_owners_is_named() -> None:
    x = DIABETES.copy()
    x[:, 4] = 7.0
    with pytest.raises(GuardError, match="column 'x4' is constant"):
        train_jointly(x, PROGRESSION)
    with pytest.raises(DataError, match="column 'x4' is constant"):
        train_jointly(x, PROGRESSION, partition="vertical")


def test_several_constant_columns_are_all_named() -> None:
    x = DIABETES.copy()
    x[:, [1, 3, 8]] = 0.0
    with pytest.raises(GuardError, match=r"column 'x1' is constant.*\(and 2 more: x3, x8\)"):
        train_jointly(x, PROGRESSION)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_constant_target_is_named(partition: str) -> None:
    with pytest.raises((GuardError, DataError), match="column 'y' is constant") as raised:
        train_jointly(DIABETES, np.full(442, 3.0), partition=partition)
    assert "whether `target` names the right column" in str(raised.value)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_spread_too_small_beside_the_size_is_refused_by_name(partition: str) -> None:
    x = RNG.normal(size=(100, 3))
    x[:, 1] += 1e6
    with pytest.raises((GuardError, DataError), match="column 'x1'.* spreads"):
        train_jointly(x, x[:, 0] + RNG.normal(size=100), partition=partition)


# ---- the estimators --------------------------------------------------------------------------------------------------


def fitted(estimator: LinearRegression, who: int = 2) -> list[LinearRegression]:
    tables = tables_of(DIABETES, PROGRESSION, range(who), "horizontal")
    return run_parties(who, lambda s: estimator_copy(estimator).fit(s, tables.get(s.rank), target=TARGET))


def estimator_copy(estimator: LinearRegression) -> LinearRegression:
    """Every party has its own; what `__init__` got is in the attributes of the same names."""
    return type(estimator)(**vars(estimator))


def test_a_fitted_estimator_has_the_attributes_of_scikit_learn() -> None:
    model, *_ = fitted(LinearRegression())
    wanted = sk.LinearRegression().fit(DIABETES, PROGRESSION)
    assert model.coef_.shape == (10,) and model.coef_.dtype == np.float64
    assert model.n_features_in_ == 10
    assert model.feature_names_in_.tolist() == [f"x{i}" for i in range(10)]
    assert distance(model.predict(DIABETES), wanted.predict(DIABETES)) < 1e-5
    assert [entry["what"] for entry in model.ledger_][0] == "weights"
    assert model.costs_["online"]["reveal"]["rounds"] == 1


def test_ridge_has_alpha() -> None:
    model, *_ = fitted(Ridge(alpha=3.0))
    assert distance(model.coef_, sk.Ridge(alpha=3.0).fit(DIABETES, PROGRESSION).coef_) < 1e-4


def test_only_the_receivers_learn_the_weights() -> None:
    models = fitted(LinearRegression(to=["p1"]))
    assert np.isfinite(models[1].coef_).all() and np.isfinite(models[1].intercept_)
    assert np.isnan(models[0].coef_).all() and np.isnan(models[2].coef_).all()
    assert np.isnan(models[0].intercept_)
    assert all(entry["to"] == ["p1"] for model in models for entry in model.ledger_)


def test_predict_before_fit_is_an_error_that_says_so() -> None:
    with pytest.raises(AttributeError, match="call fit first"):
        LinearRegression().predict(DIABETES)


def test_pandas_and_mappings_are_taken_as_they_are() -> None:
    pandas = pytest.importorskip("pandas")
    names = [*(f"x{i}" for i in range(10)), TARGET]
    rows = np.c_[DIABETES, PROGRESSION]
    data = {0: pandas.DataFrame(rows[:200], columns=names), 1: dict(zip(names, rows[200:].T, strict=True))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, *_ = run_parties(2, lambda s: LinearRegression().fit(s, data.get(s.rank), target=TARGET))
    assert distance(model.coef_, sk.LinearRegression().fit(DIABETES, PROGRESSION).coef_) < 1e-4


def test_a_roster_refuses_a_dealer_who_computes() -> None:
    mix = {"north": ["data", "compute", "dealer"], "south": ["data", "compute"]}
    with pytest.raises(JobError, match="'north' is both compute party and dealer"):
        mpcfl.roster(mix)
    assert mpcfl.roster(mix, insecure_simulation=True).dealer == 0


def test_what_gradient_does_not_promise_is_refused() -> None:
    with pytest.raises(JobError, match="the gradient solver does not promise"):
        Settings(solver=Gradient(learning_rate=0.1), standard_errors=True)
    with pytest.raises(JobError, match="not for ridge"):
        Settings(model="ridge", alpha=1.0, standard_errors=True)
