"""Every loss on shares goes the steps of its plaintext twin, and the twin minimises what scikit-learn minimises."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC

from mpcfl.errors import GuardError
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.families import BY_ROWS, Parameters, objective_of
from mpcfl.models.settings import Settings
from mpcfl.protocols import sigmoid
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Loss
from tests.joint import Array, distance, train_jointly


def standardised(x: Array) -> Array:
    return np.asarray((x - x.mean(axis=0)) / x.std(axis=0))


CANCER = standardised(load_breast_cancer().data), load_breast_cancer().target.astype(float)
DIABETES = standardised(load_diabetes(scaled=False).data), standardised(load_diabetes(scaled=False).target)
RATES_OF_MEAN_1 = DIABETES[0], load_diabetes().target / load_diabetes().target.mean()
TABLES: dict[str, tuple[Array, Array]] = {"logistic": CANCER, "svm": CANCER, "huber": DIABETES}
TABLES |= {"poisson": RATES_OF_MEAN_1, "gamma": RATES_OF_MEAN_1}
RATES = {"logistic": 0.1, "svm": 0.02, "huber": 0.1, "poisson": 0.1, "gamma": 0.1}


def settings(model: str, iterations: int, **parameters: float) -> Settings:
    solver = Gradient(learning_rate=RATES[model], iterations=iterations)
    return Settings(model=model, objective=objective_of(model, Parameters(**parameters)), solver=solver)  # type: ignore[arg-type]


def loss_of(model: str) -> Loss:
    objective = objective_of(model, Parameters())
    assert objective is not None
    return objective.loss


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("model", BY_ROWS)
def test_steps_are_those_of_the_twin(model: str, partition: str) -> None:
    (x, y), wanted = TABLES[model], settings(model, 40)
    run = train_jointly(x, y, wanted, who=2, partition=partition)
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(x, y, run.facts, wanted.objective, wanted.solver, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 3e-4


@pytest.mark.parametrize("compute", [3, 5])
@pytest.mark.parametrize("model", BY_ROWS)
def test_with_more_parties(model: str, compute: int) -> None:
    (x, y), wanted = TABLES[model], settings(model, 6)
    run = train_jointly(x, y, wanted, who=compute)
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(x, y, run.facts, wanted.objective, wanted.solver, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 1e-3


@pytest.mark.parametrize("model", BY_ROWS)
def test_the_rounds_of_a_step_are_what_the_objective_says(model: str) -> None:
    x, y = TABLES[model]
    before, after = (train_jointly(x, y, settings(model, i)).cost() for i in (1, 2))
    objective = objective_of(model, Parameters())
    assert objective is not None
    assert after.rounds - before.rounds == objective.rounds(len(x))


@pytest.mark.parametrize("model", BY_ROWS)
def test_the_derivative_is_that_of_the_value(model: str) -> None:
    """Central differences, away from kinks."""
    x, y = TABLES[model]
    loss, z, step = loss_of(model), np.linspace(-3.0, 3.0, len(y)), 1e-5
    coded = loss.code(y, "table", "y")
    u = z + (0.0 if coded.offset is None else coded.offset)
    slope = (loss.value_of(u + step, coded) - loss.value_of(u - step, coded)) / (2 * step)
    wanted = loss.derivative_of(u) - (0.0 if coded.response is None else coded.response)
    np.testing.assert_allclose(slope, wanted, atol=1e-4)


def test_the_twin_of_the_support_vector_machine_ends_where_scikit_learn_ends() -> None:
    x, y = CANCER
    objective = objective_of("svm", Parameters(C=0.01))
    facts = train_jointly(x, y, settings("svm", 1)).facts
    assert objective is not None
    twin, _ = descent_twin(x, y, facts, objective, Gradient(learning_rate=0.02, iterations=20000), False)
    sklearn = LinearSVC(C=0.01, loss="squared_hinge", dual=False, fit_intercept=False, tol=1e-8).fit(x, y)
    assert distance(twin, sklearn.coef_[0]) < 1e-4


def test_huber_whose_errors_are_all_small_is_ridge_with_the_same_alpha() -> None:
    x, y = DIABETES
    objective = objective_of("huber", Parameters(epsilon=64.0, alpha=20.0))
    facts = train_jointly(x, y, settings("huber", 1)).facts
    assert objective is not None
    twin, _ = descent_twin(x, y, facts, objective, Gradient(learning_rate=0.3, iterations=3000), True)
    assert distance(twin[:-1], Ridge(alpha=20.0).fit(x, y).coef_) < 1e-8


@pytest.mark.parametrize("model", ["svm", "huber"])
def test_rows_beyond_the_range_end_the_run_with_advice(model: str) -> None:
    (x, y), wanted = TABLES[model], settings(model, 30, range=4.0, **({"C": 100.0} if model == "svm" else {}))
    objective = wanted.objective
    assert objective is not None
    if model == "huber":
        wanted = Settings(model=model, objective=objective, solver=Gradient(learning_rate=4.0, iterations=30))
    with pytest.raises(GuardError, match="left the range") as caught:
        train_jointly(x, np.clip(y, -3, 3), wanted)
    assert "[model] range" in str(caught.value.hint)


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("compute", [2, 3])
def test_logistic_steps_of_many_rows_are_those_of_few(
    compute: int, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables in words: a fifth round, half the dealer's message, and the twin's weights as before."""
    (x, y), wanted = CANCER, settings("logistic", 40)
    few = train_jointly(x, y, wanted, who=compute, partition=partition).cost("offline", compute)
    monkeypatch.setattr(sigmoid, "MANY", len(x))
    run = train_jointly(x, y, wanted, who=compute, partition=partition)
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(x, y, run.facts, wanted.objective, wanted.solver, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 3e-4
    longer = train_jointly(x, y, settings("logistic", 41), who=compute, partition=partition)
    assert longer.cost().rounds - run.cost().rounds == 5 == wanted.objective.rounds(len(x))
    assert run.cost("offline", compute).bytes < 0.62 * few.bytes


def test_rows_that_leave_the_range_are_seen_in_words_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigmoid, "MANY", 1)
    solver = Gradient(learning_rate=1.0, iterations=100)
    narrow = Settings(model="logistic", objective=objective_of("logistic", Parameters(range=8)), solver=solver)
    with pytest.raises(GuardError, match="left the range"):
        train_jointly(*CANCER, narrow)
