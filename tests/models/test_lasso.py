"""Lasso and elastic net are scikit-learn's, zeros included, whoever holds what; or they are refused."""

import numpy as np
import pytest
import sklearn.linear_model as sk

import mpcfl
from mpcfl.errors import DataError, GuardError, JobError
from mpcfl.models.guards import FITS, MINIMUM, REACHED, VARIES
from mpcfl.models.lasso import ElasticNet, Lasso
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.penalty import Penalty
from tests.joint import DIABETES, PROGRESSION, TARGET, Array, Run, correlated, distance, tables_of, train_jointly
from tests.parties import roster, run_parties

PARTITIONS = ("horizontal", "vertical")
SPREAD = DIABETES.std(axis=0)
QUICK = Admm(iterations=16, steps=1 << 17)


def asked(alpha: float, l1_ratio: float = 1.0, solver: Admm = QUICK, **more: object) -> Settings:
    penalty = Penalty(l1=alpha * l1_ratio, l2=alpha * (1 - l1_ratio), per_row=True)
    return Settings(model="elastic_net", penalty=penalty, solver=solver, **more)  # type: ignore[arg-type]


def wanted(x: Array, y: Array, alpha: float, l1_ratio: float = 1.0, **more: bool) -> sk.ElasticNet:
    return sk.ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-13, max_iter=1_000_000, **more).fit(x, y)


def check(
    run: Run, best: sk.ElasticNet, spread: Array = SPREAD, y: Array = PROGRESSION, *, within: float = 1e-5
) -> None:
    """Weights in units of the columns' spreads, so that each counts; zeros to the last bit; the intercept."""
    found = run.outcome.coefficients
    assert distance(found * spread, best.coef_ * spread) < within
    assert np.array_equal(found == 0, best.coef_ == 0)
    assert abs(run.outcome.intercept - best.intercept_) <= within * max(y.std(), abs(best.intercept_))


# ---- what scikit-learn finds -----------------------------------------------------------------------------------------


BOTH_WAYS = pytest.mark.parametrize("partition", PARTITIONS)


@BOTH_WAYS
@pytest.mark.parametrize("alpha, zeros", [(20.0, 4), (2.0, 2), (0.01, 0)])
def test_diabetes_as_measured(alpha: float, zeros: int, partition: str) -> None:
    best = wanted(DIABETES, PROGRESSION, alpha)
    assert (best.coef_ == 0).sum() == zeros
    check(train_jointly(DIABETES, PROGRESSION, asked(alpha), partition=partition), best)


@pytest.mark.parametrize(
    "alpha, zeros, partition", [(1.0, 7, "horizontal"), (0.1, 3, "vertical"), (0.001, 0, "horizontal")]
)
def test_diabetes_as_scikit_learn_scales_it(alpha: float, zeros: int, partition: str) -> None:
    x = (DIABETES - DIABETES.mean(axis=0)) / SPREAD / np.sqrt(len(DIABETES))
    best = wanted(x, PROGRESSION, alpha)
    assert (best.coef_ == 0).sum() == zeros
    check(train_jointly(x, PROGRESSION, asked(alpha), partition=partition), best, x.std(axis=0))


@BOTH_WAYS
@pytest.mark.parametrize("compute, owners, l1_ratio", [(2, 4, 1.0), (3, 3, 0.5), (5, 6, 1.0)])
def test_any_number_of_parties_and_owners(l1_ratio: float, compute: int, owners: int, partition: str) -> None:
    who = roster(compute, owners=owners)
    run = train_jointly(DIABETES, PROGRESSION, asked(5.0, l1_ratio), who=who, partition=partition)
    check(run, wanted(DIABETES, PROGRESSION, 5.0, l1_ratio))


@pytest.mark.parametrize(
    "alpha, l1_ratio, partition",
    [(20.0, 0.0, "vertical"), (20.0, 0.1, "horizontal"), (0.2, 0.5, "vertical"), (0.2, 0.9, "horizontal")],
)
def test_elastic_net_mixes_the_penalties(alpha: float, l1_ratio: float, partition: str) -> None:
    run = train_jointly(DIABETES, PROGRESSION, asked(alpha, l1_ratio), partition=partition)
    if l1_ratio:
        check(run, wanted(DIABETES, PROGRESSION, alpha, l1_ratio))
    else:  # coordinate descent is not for that
        best = sk.Ridge(alpha=alpha * len(DIABETES)).fit(DIABETES, PROGRESSION)
        assert distance(run.outcome.coefficients * SPREAD, best.coef_ * SPREAD) < 1e-5


@BOTH_WAYS
def test_without_an_intercept_nothing_is_centred(partition: str) -> None:
    x = DIABETES - DIABETES.mean(axis=0) * 0.9
    run = train_jointly(x, PROGRESSION, asked(20.0, fit_intercept=False), partition=partition)
    best = wanted(x, PROGRESSION, 20.0, fit_intercept=False)
    assert run.outcome.intercept == 0.0
    check(run, best, np.sqrt((x**2).mean(axis=0)))


@pytest.mark.parametrize("alpha, partition", [(1e4, "horizontal"), (1e4, "vertical"), (1e12, "horizontal")])
def test_all_weights_are_zero_where_the_penalty_is_large(alpha: float, partition: str) -> None:
    run = train_jointly(DIABETES, PROGRESSION, asked(alpha), partition=partition)
    assert not run.outcome.coefficients.any()
    assert abs(run.outcome.intercept / PROGRESSION.mean() - 1) < 1e-5


@BOTH_WAYS
def test_columns_may_be_of_very_different_size(partition: str) -> None:
    """The penalty is on the weights as they are, so a column's size decides whether it is kept, as in scikit-learn."""
    rng = np.random.default_rng(0)
    size = np.array([1e-3, 1.0, 1e3, 1e6, 1.0, 30.0])
    x = rng.normal(size=(300, 6)) * size + 3 * size
    y = x @ (np.array([3.0, 1.0, -2.0, 1.0, 0.05, 0.0]) / size) + 0.3 * rng.normal(size=300)
    best = wanted(x, y, 0.1)
    run = train_jointly(x, y, asked(0.1), partition=partition)
    check(run, best, size, y)
    assert best.coef_[0] == 0 and best.coef_[3] != 0, "the smallest column is left out, the largest is not"


def test_more_columns_than_rows() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(25, 40))
    y = x[:, :3] @ [3.0, -2.0, 1.0] + 0.1 * rng.normal(size=25)
    run = train_jointly(x, y, asked(0.3, solver=Admm(iterations=32)))
    check(run, wanted(x, y, 0.3), np.ones(40), y)


def test_one_feature_is_enough() -> None:
    x = DIABETES[:, 2:3]
    check(train_jointly(x, PROGRESSION, asked(2.0)), wanted(x, PROGRESSION, 2.0), SPREAD[2:3])


def test_metrics_of_held_out_rows_come_with_it() -> None:
    run = train_jointly(DIABETES, PROGRESSION, asked(2.0, metrics=("r2", "mse")), test_fraction=0.25)
    assert set(run.revealed()) == {"weights", REACHED, MINIMUM, VARIES, FITS, "r2", "mse"}
    assert 0.3 < run.outcome.extras["metrics"]["r2"] < 0.6


# ---- never silently wrong --------------------------------------------------------------------------------------------


def test_two_guards_of_one_bit_are_revealed_with_the_weights() -> None:
    run = train_jointly(DIABETES, PROGRESSION, asked(2.0), partition="vertical")
    assert run.revealed() == ["weights", MINIMUM, REACHED]
    assert [entry["shape"] for entry in run.sessions[0].ledger] == [[11], [], []]


def test_too_few_iterations_are_an_error_that_says_so() -> None:
    x = correlated(500, 20, 1e4)
    y = x @ np.linspace(-1, 1, 20) + np.random.default_rng(1).normal(size=500)
    with pytest.raises(GuardError, match="what was found is not the minimum") as error:
        train_jointly(x, y, asked(0.01, solver=Admm(iterations=2, refits=1)))
    assert "[solver] iterations" in str(error.value.hint)
    check(train_jointly(x, y, asked(0.01, solver=Admm())), wanted(x, y, 0.01), np.ones(20), y, within=1e-4)


def test_a_column_twice_has_no_single_answer_and_an_elastic_net_has() -> None:
    x = np.c_[DIABETES, DIABETES[:, 2]]
    with pytest.raises(GuardError, match="columns depend on each other"):
        train_jointly(x, PROGRESSION, asked(2.0))
    run = train_jointly(x, PROGRESSION, asked(2.0, 0.5))
    check(run, wanted(x, PROGRESSION, 2.0, 0.5), x.std(axis=0))


def test_a_column_too_small_for_a_threshold_is_refused_by_its_owner() -> None:
    x = DIABETES.copy()
    x[:, 1] *= 1e-25
    with pytest.raises(DataError, match="column 'x1' spreads less than 2\\^-64"):
        train_jointly(x, PROGRESSION, asked(2.0), partition="vertical")


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(JobError, match="model 'lasso' needs another solver") as error:
        Settings(model="lasso", penalty=Penalty(l1=1.0), solver=Doubling())
    assert error.value.hint == '[solver] name = "admm"'
    with pytest.raises(JobError, match="model 'lasso' needs another solver"):
        Settings(model="lasso", penalty=Penalty(l1=1.0), solver=Gradient(learning_rate=0.1))
    with pytest.raises(JobError, match="model 'ridge' needs another solver"):
        Settings(model="ridge", alpha=1.0, solver=Admm())
    with pytest.raises(JobError, match="not for ridge, lasso or elastic net"):
        asked(1.0, standard_errors=True)
    for alpha in (-1.0, float("nan"), float("inf")):
        with pytest.raises(JobError, match="alpha must be at least 0"):
            Lasso(alpha).settings()
    with pytest.raises(JobError, match="l1_ratio must be from 0 to 1"):
        ElasticNet(1.0, l1_ratio=1.5).settings()


# ---- what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition, before", [("horizontal", 9), ("vertical", 4)])
@pytest.mark.parametrize("iterations, refits", [(12, 1), (16, 2)])
def test_rounds(iterations: int, refits: int, partition: str, before: int) -> None:
    """Moments; inverse for rho = 2^-8 (10 features), thresholds, iterations, fits of 2^16 steps; weights, reveal."""
    solver = Admm(iterations=iterations, refits=refits, steps=1 << 16)
    run = train_jointly(DIABETES, PROGRESSION, asked(20.0, solver=solver), partition=partition)
    solve = 2 * 11 + 1 + 3 * iterations + refits * 34 + 2 * (refits - 1)
    assert run.cost().rounds == before + solve + 9 + 1


@BOTH_WAYS
def test_no_cost_depends_on_the_rows_but_that_of_sharing_them(partition: str) -> None:
    few, many = (
        train_jointly(DIABETES[:rows], PROGRESSION[:rows], asked(20.0), partition=partition) for rows in (221, 442)
    )
    rows = 0 if partition == "horizontal" else 221 * 11 * 8
    assert many.cost().rounds == few.cost().rounds
    # opened once by each party; what an owner who does not compute shares is sent to the last one
    assert many.cost(rank=0).bytes - few.cost(rank=0).bytes == rows


# ---- estimators and twin ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda: ElasticNet(5.0), sk.ElasticNet(5.0)),
        (
            lambda: mpcfl.ElasticNet(5.0, l1_ratio=0.2, solver=mpcfl.Admm(iterations=32)),
            sk.ElasticNet(5.0, l1_ratio=0.2),
        ),
        (lambda: mpcfl.Lasso(5.0, to=["p1"]), sk.Lasso(5.0)),
    ],
)
def test_estimators_have_the_names_and_defaults_of_scikit_learn(ours, theirs) -> None:
    tables = tables_of(DIABETES, PROGRESSION, (0, 1), "horizontal")
    _, model, _ = run_parties(2, lambda s: ours().fit(s, tables.get(s.rank), target=TARGET))
    theirs.set_params(tol=1e-12, max_iter=100_000).fit(DIABETES, PROGRESSION)
    assert distance(model.coef_ * SPREAD, theirs.coef_ * SPREAD) < 1e-5
    assert np.array_equal(model.coef_ == 0, theirs.coef_ == 0)
    assert distance(model.predict(DIABETES), theirs.predict(DIABETES)) < 1e-5
    assert [entry["what"] for entry in model.ledger_] == ["weights", MINIMUM, REACHED, VARIES]


@pytest.mark.parametrize("l1_ratio, fit_intercept", [(1.0, False), (0.3, True)])
def test_the_twin_goes_the_same_way_in_float64(l1_ratio: float, fit_intercept: bool) -> None:
    x, settings = DIABETES - DIABETES.mean(axis=0) * 0.9, asked(2.0, l1_ratio, fit_intercept=fit_intercept)
    run = train_jointly(x, PROGRESSION, settings)
    twin = plaintext_twin(x, PROGRESSION, run.facts, settings)
    best = wanted(x, PROGRESSION, 2.0, l1_ratio, fit_intercept=fit_intercept)
    assert distance(twin.coefficients * SPREAD, best.coef_ * SPREAD) < 1e-7
    assert abs(twin.intercept - best.intercept_) < 1e-7 * PROGRESSION.std()
    assert distance(run.outcome.coefficients * SPREAD, twin.coefficients * SPREAD) < 1e-5
    steps, distances = zip(*twin.convergence, strict=True)
    assert steps == tuple(range(1, 17)) and distances[-1] < distances[0]
