"""Gradient descent over rows goes the steps of its plaintext twin, at the price of PROTOCOLS.md, section 8."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from mpcfl.errors import GuardError, JobError
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.settings import Settings
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty
from tests.joint import Array, Run, distance, train_jointly

CANCER = load_breast_cancer()
X: Array = (CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0)
Y: Array = CANCER.target.astype(float)
SERIES = Series(32, 32)


def settings(solver: Gradient, *, l2: float = 1.0, l1: float = 0.0, series: Series = SERIES) -> Settings:
    objective = Objective(loss=Logistic(series), penalty=Penalty(l1=l1, l2=l2))
    return Settings(model="logistic", objective=objective, solver=solver)


def error(run: Run, wanted: Settings) -> float:
    """Distance to the twin, intercept and all."""
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(X, Y, run.facts, wanted.objective, wanted.solver, True)
    return distance(np.append(run.outcome.coefficients, run.outcome.intercept), w)


# ---- the same steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("compute", [2, 3, 5])
def test_a_hundred_steps_are_those_of_float64(compute: int, partition: str) -> None:
    wanted = settings(Gradient(learning_rate=0.1, iterations=100 if compute == 2 else 20))
    run = train_jointly(X, Y, wanted, who=compute, partition=partition)
    assert error(run, wanted) < 1e-4  # asked for: 2e-4


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("batch", [0, 128])
def test_momentum_and_batches(batch: int, nesterov: bool) -> None:
    wanted = settings(Gradient(learning_rate=0.02, iterations=30, momentum=0.9, batch=batch, nesterov=nesterov))
    assert error(train_jointly(X, Y, wanted), wanted) < 2e-4


def test_an_l1_penalty_leaves_the_weights_at_zero_that_float64_leaves_there() -> None:
    wanted = settings(Gradient(learning_rate=0.5, iterations=60), l2=0.0, l1=10.0)
    run = train_jointly(X, Y, wanted)
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(X, Y, run.facts, wanted.objective, wanted.solver, True)
    assert 5 < (w == 0).sum() < 30
    np.testing.assert_array_equal(run.outcome.coefficients == 0, w[:-1] == 0)
    assert error(run, wanted) < 2e-3


# ---- costs -----------------------------------------------------------------------------------------------------------


def test_an_iteration_takes_four_rounds_and_one_and_a_half_elements_a_row() -> None:
    n, d = len(X), X.shape[1] + 1
    runs = [train_jointly(X, Y, settings(Gradient(learning_rate=0.1, iterations=i))) for i in (3, 4)]
    before, after = (run.cost() for run in runs)
    assert after.rounds - before.rounds == 4
    assert after.bytes - before.bytes == 12 * n + 2 * 8 * d == 7324


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_takes_an_element_a_weight_more_and_no_round(nesterov: bool) -> None:
    plain, moved = (
        train_jointly(
            X, Y, settings(Gradient(learning_rate=0.1, iterations=3, momentum=m, nesterov=nesterov and m > 0))
        )
        for m in (0.0, 0.5)
    )
    assert moved.cost().rounds == plain.cost().rounds
    assert moved.cost().bytes - plain.cost().bytes == 3 * 8 * (X.shape[1] + 1)


# ---- never silently wrong --------------------------------------------------------------------------------------------


def test_rows_that_leave_the_range_end_the_run_with_advice() -> None:
    with pytest.raises(GuardError, match="left the range") as caught:
        train_jointly(X, Y, settings(Gradient(learning_rate=1.0, iterations=60), series=Series(8, 8), l2=0.0))
    assert caught.value.hint is not None and "sigmoid.range" in caught.value.hint


def test_a_penalty_that_makes_the_weights_swing_is_refused() -> None:
    with pytest.raises(JobError, match="swing"):
        train_jointly(X, Y, settings(Gradient(learning_rate=1.0), l2=1000.0))
