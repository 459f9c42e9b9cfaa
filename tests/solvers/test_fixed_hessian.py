"""Fixed-Hessian Nesterov reaches scikit-learn's optimum in five rounds and 1.5 n + 4 d elements an iteration."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from mpcfl.errors import GuardError, JobError
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.losses.huber import Huber
from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.plain_rows import plain_rows
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty
from tests.joint import Array, Run, distance, train_jointly

CANCER = load_breast_cancer()
X: Array = (CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0)
Y: Array = CANCER.target.astype(float)
FEW = X[:120, :4]


def settings(
    solver: FixedHessian, *, C: float = 0.1, series: Series | None = None, fit_intercept: bool = True, l1: float = 0.0
) -> Settings:
    objective = Objective(loss=Logistic(series or Series(64, 64)), penalty=Penalty(l2=1 / C, l1=l1))
    return Settings(model="logistic", objective=objective, solver=solver, fit_intercept=fit_intercept)


def optimum(x: Array, y: Array, C: float, *, fit_intercept: bool = True) -> Array:
    best = LogisticRegression(C=C, tol=1e-12, max_iter=10000, fit_intercept=fit_intercept).fit(x, y)
    return np.append(best.coef_[0], best.intercept_) if fit_intercept else np.asarray(best.coef_[0])


def weights(run: Run, *, fit_intercept: bool = True) -> Array:
    return np.append(run.outcome.coefficients, run.outcome.intercept) if fit_intercept else run.outcome.coefficients


# ---- the optimum -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("compute", "partition"), [(2, "horizontal"), (3, "vertical"), (5, "horizontal")])
def test_forty_iterations_reach_the_optimum_of_scikit_learn(compute: int, partition: str) -> None:
    run = train_jointly(X, Y, settings(FixedHessian()), who=compute, partition=partition)
    assert distance(weights(run), optimum(X, Y, 0.1)) < 1e-3
    assert "guard: the solution was reached" in run.revealed()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_with_and_without_an_intercept(fit_intercept: bool) -> None:
    wanted = settings(FixedHessian(), C=1.0, series=Series(32, 32), fit_intercept=fit_intercept)
    found = weights(train_jointly(FEW, Y[:120], wanted), fit_intercept=fit_intercept)
    assert distance(found, optimum(FEW, Y[:120], 1.0, fit_intercept=fit_intercept)) < 1e-3


def test_the_steps_are_those_of_the_twin() -> None:
    """On the way, unlike at the end, iterates depend on the inverse. So here it is as good as it gets, of a matrix that
    is not badly conditioned: with C = 0.1 and ten doublings, one run in thirty was further from the twin than this."""
    wanted = settings(FixedHessian(iterations=8, doublings=11, tolerance=1.0), C=0.05)
    run = train_jointly(X, Y, wanted)
    twin = plaintext_twin(X, Y, run.facts, wanted)
    assert distance(weights(run), np.append(twin.coefficients, twin.intercept)) < 1e-3
    assert distance(weights(run), optimum(X, Y, 0.05)) > 0.1
    assert [step for step, _ in twin.convergence] == list(range(1, 8))


def test_the_twin_ends_at_the_optimum() -> None:
    wanted = settings(FixedHessian(iterations=100))
    run = train_jointly(FEW, Y[:120], settings(FixedHessian(iterations=1, tolerance=1.0)))
    twin = plaintext_twin(X, Y, run.facts, wanted)
    assert distance(np.append(twin.coefficients, twin.intercept), optimum(X, Y, 0.1)) < 1e-4


def test_one_against_the_rest_is_trained_at_once() -> None:
    """All classes share X and the inverse: the columns are those of one run each."""
    classes = np.digitize(FEW[:, 0] + 0.3 * FEW[:, 2], [-0.5, 0.5]).astype(float)
    objective = Objective(loss=Logistic(Series(32, 32), classes=3), penalty=Penalty(l2=1.0))
    wanted = Settings(model="logistic", objective=objective, solver=FixedHessian(iterations=60))
    run = train_jointly(FEW, classes, wanted)
    found = np.c_[run.outcome.coefficients, run.outcome.intercept].T
    for k in range(3):
        assert distance(found[:, k], optimum(FEW, (classes == k).astype(float), 1.0)) < 3e-3


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_a_loss_that_is_not_periodic_takes_a_sixth_round(partition: str) -> None:
    y = 2.5 * FEW[:, 0] + FEW[:, 1] ** 2 - 1.0
    objective = Objective(loss=Huber(), penalty=Penalty(l2=1.0))
    runs = [
        train_jointly(
            FEW, y, Settings(model="huber", objective=objective, solver=FixedHessian(iterations=i)), partition=partition
        )
        for i in (20, 21)
    ]
    table = plain_rows(FEW, y, runs[0].facts, objective, True, None)
    assert np.linalg.norm(table.gradient(weights(runs[0]))) < 1e-3 * np.linalg.norm(table.gradient(np.zeros(5)))
    assert runs[1].cost().rounds - runs[0].cost().rounds == 3 + 5 == FixedHessian.rounds(objective.loss, len(FEW))


# ---- costs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compute", [2, 3])
def test_an_iteration_takes_five_rounds_and_four_elements_a_weight(compute: int) -> None:
    n, d = FEW.shape[0], FEW.shape[1] + 1
    runs = [
        train_jointly(FEW, Y[:120], settings(FixedHessian(iterations=i, tolerance=1.0)), who=compute) for i in (2, 3)
    ]
    before, after = (run.cost() for run in runs)
    assert after.rounds - before.rounds == 5
    assert after.bytes - before.bytes == (12 * n + 4 * 8 * d) * (compute - 1)


def test_a_doubling_takes_two_rounds_and_three_squares() -> None:
    d = FEW.shape[1] + 1
    runs = [
        train_jointly(FEW, Y[:120], settings(FixedHessian(iterations=1, doublings=k, tolerance=1.0))) for k in (8, 9)
    ]
    before, after = (run.cost() for run in runs)
    assert after.rounds - before.rounds == 2
    assert after.bytes - before.bytes == 8 * (3 * d * d + d)


# ---- never silently wrong --------------------------------------------------------------------------------------------


def test_an_optimum_that_was_not_reached_ends_the_run_with_advice() -> None:
    with pytest.raises(GuardError, match="not reached") as caught:
        train_jointly(X, Y, settings(FixedHessian(iterations=10)))
    assert caught.value.hint is not None and "iterations" in caught.value.hint


def test_rows_that_leave_the_range_end_the_run_with_advice() -> None:
    with pytest.raises(GuardError, match="left the range"):
        train_jointly(X, Y, settings(FixedHessian(tolerance=1.0), C=10.0, series=Series(8, 8)))


def test_columns_that_depend_on_each_other_do_no_harm() -> None:
    doubled = np.c_[FEW, FEW[:, :1]]
    wanted = settings(FixedHessian(iterations=60), C=1.0, series=Series(32, 32))
    found = weights(train_jointly(doubled, Y[:120], wanted))
    assert distance(found, optimum(doubled, Y[:120], 1.0)) < 2e-3


def test_an_l1_penalty_is_refused() -> None:
    with pytest.raises(JobError, match="l1 penalty"):
        settings(FixedHessian(), l1=1.0)


def test_a_curvature_without_a_useful_bound_is_refused() -> None:
    """That of an exponential; Newton's method follows it."""
    with pytest.raises(JobError, match="without bounded curvature") as caught:
        Settings(model="poisson", objective=objective_of("poisson", Parameters()), solver=FixedHessian())
    assert caught.value.hint is not None and "newton" in caught.value.hint


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"momentum": 1.0}, {"tolerance": 0.0}, {"doublings": 12}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(JobError):
        FixedHessian(**wrong)  # type: ignore[arg-type]
