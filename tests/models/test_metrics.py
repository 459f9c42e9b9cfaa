"""Metrics of held-out rows of models of rows: those of scikit-learn with the revealed weights, and nothing else."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from mpcfl.data.facts import Aside, facts_of
from mpcfl.data.moments import split_rows
from mpcfl.data.table import Table
from mpcfl.errors import DataError, GuardError, JobError
from mpcfl.models.by_rows import LogisticRegression
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.guards import BOTH, IN_RANGE
from mpcfl.models.metrics import MODELS_OF, PREDICTED, finished
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.session import Session
from tests.joint import DIABETES, PROGRESSION, Array, Run, distance, train_jointly
from tests.parties import roster, run_with_sessions

CANCER = load_breast_cancer()
X: Array = ((CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0))[:, :6]
Y: Array = CANCER.target.astype(float)
Z: Array = (DIABETES - DIABETES.mean(axis=0)) / DIABETES.std(axis=0)
T: Array = (PROGRESSION - PROGRESSION.mean()) / PROGRESSION.std()
PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])
ALL = {model: tuple(m for m, models in MODELS_OF.items() if model in models) for model in ("logistic", "svm", "huber")}


def settings(model: str, metrics: Sequence[str], iterations: int = 12, batch: int = 0) -> Settings:
    solver = Gradient(learning_rate=0.03 if model == "svm" else 0.3, iterations=iterations, batch=batch)
    return Settings(model=model, objective=objective_of(model, Parameters()), solver=solver, metrics=metrics)


def fitted(model: str, metrics: Sequence[str] | None = None, *, fraction: float = 0.25, **kwargs) -> Run:
    x, y = (Z, T) if model == "huber" else (X, Y)
    wanted = settings(model, ALL[model] if metrics is None else metrics, kwargs.pop("iterations", 12))
    return train_jointly(x, y, wanted, test_fraction=fraction, seed=3, **kwargs)


def scores(run: Run, x: Array) -> Array:
    return x @ run.outcome.coefficients + run.outcome.intercept


# ---- those of scikit-learn -------------------------------------------------------------------------------------------


@PARTITIONS
def test_metrics_of_logistic_regression(partition: str) -> None:
    run = fitted("logistic", partition=partition)
    out, found = run.facts.held_out_rows, run.outcome.extras["metrics"]
    z, y = scores(run, X[out]), Y[out]
    assert 140 <= out.sum() <= 145 and set(found) == {"accuracy", "log_loss", "auc"}
    assert found["accuracy"] == accuracy_score(y, z > 0)
    assert abs(found["log_loss"] - log_loss(y, 1 / (1 + np.exp(-z)))) < 5e-5
    assert abs(found["auc"] - roc_auc_score(y, z)) < 1e-3


@PARTITIONS
def test_metrics_of_a_support_vector_machine_are_of_scores_and_not_of_margins(partition: str) -> None:
    run = fitted("svm", partition=partition)
    out, found = run.facts.held_out_rows, run.outcome.extras["metrics"]
    z = scores(run, X[out])
    assert found["accuracy"] == accuracy_score(Y[out], z > 0)
    assert abs(found["auc"] - roc_auc_score(Y[out], z)) < 1e-3


@PARTITIONS
def test_metrics_of_robust_regression(partition: str) -> None:
    run = fitted("huber", partition=partition)
    out, found = run.facts.held_out_rows, run.outcome.extras["metrics"]
    z = scores(run, Z[out])
    assert abs(found["mse"] - mean_squared_error(T[out], z)) < 1e-4
    assert abs(found["r2"] - r2_score(T[out], z)) < 1e-4


COUNTS: Array = np.random.default_rng(1).poisson(np.exp(0.4 * Z[:, 2] + 1)).astype(float)
SIZES: Array = np.random.default_rng(2).gamma(2.0, np.exp(0.4 * Z[:, 2] + 1) / 2)


@PARTITIONS
@pytest.mark.parametrize(
    ("model", "y", "unit", "deviance"),
    [
        ("poisson", COUNTS, 1.0, mean_poisson_deviance),
        ("poisson", COUNTS, 3.0, mean_poisson_deviance),
        ("gamma", SIZES, 3.0, mean_gamma_deviance),
    ],
)
def test_deviances(model: str, y: Array, unit: float, deviance: Callable[..., float], partition: str) -> None:
    objective = objective_of(model, Parameters(unit=unit, log_range=8, alpha=0.01))
    solver = Gradient(learning_rate=0.1, iterations=8)
    wanted = Settings(model=model, objective=objective, solver=solver, metrics=("deviance",))
    run = train_jointly(Z, y, wanted, test_fraction=0.25, seed=3, partition=partition)
    out = run.facts.held_out_rows
    found = run.outcome.extras["metrics"]["deviance"]
    assert abs(found - deviance(y[out], np.exp(scores(run, Z[out])))) < 1e-3
    assert run.revealed() == ["weights", IN_RANGE, "deviance", PREDICTED]


def test_a_held_out_row_beyond_the_range_of_the_deviance_ends_the_run() -> None:
    x, out = Z.copy(), np.flatnonzero(split_rows(442, 0.25, 3))
    x[out[0], 2] = 30.0
    solver = Gradient(learning_rate=0.1, iterations=30)
    objective = objective_of("poisson", Parameters(log_range=4, unit=3.0, alpha=0.01))
    wanted = Settings(model="poisson", objective=objective, solver=solver, metrics=("deviance",))
    with pytest.raises(GuardError, match="held-out row left the range"):
        train_jointly(x, COUNTS, wanted, test_fraction=0.25, seed=3, partition="vertical")


@PARTITIONS
def test_an_offset_counts_in_held_out_rows_too(partition: str) -> None:
    who, offset = roster(2), np.random.default_rng(0).normal(size=len(Z))
    table = np.c_[Z, offset, T]
    names = [*(f"x{i}" for i in range(10)), "o", "y"]
    if partition == "horizontal":
        tables = {0: Table.of(table[:200], names=names), 1: Table.of(table[200:], names=names)}
    else:
        tables = {0: Table.of(table[:, :4], names=names[:4]), 1: Table.of(table[:, 4:], names=names[4:])}
    schemas = {who.names[rank]: part.schema.with_target("y") for rank, part in tables.items()}
    facts = facts_of(who, partition, schemas, "y", test_fraction=0.2, seed=0, aside=Aside(offset="o"))
    wanted = settings("huber", ("mse",))
    outcomes, _ = run_with_sessions(who, lambda s: train(s, facts, wanted, tables.get(s.rank)))
    out = facts.held_out_rows
    predicted = Z[out] @ outcomes[0].coefficients + outcomes[0].intercept + offset[out]
    assert abs(outcomes[0].extras["metrics"]["mse"] - mean_squared_error(T[out], predicted)) < 1e-3


def test_the_area_of_rows_of_one_class_is_not_a_number() -> None:
    assert np.isnan(finished("auc", 0.0, 10)) and finished("auc", 0.75, 10) == 0.75


# ---- held out means held out -----------------------------------------------------------------------------------------


@PARTITIONS
@pytest.mark.parametrize("model", ["logistic", "svm", "huber"])
def test_held_out_rows_do_not_train(model: str, partition: str) -> None:
    run = fitted(model, (), partition=partition)
    x, y = (Z, T) if model == "huber" else (X, Y)
    rest = ~run.facts.held_out_rows
    wanted = settings(model, ())
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(x[rest], y[rest], run.facts, wanted.objective, wanted.solver, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 5e-4


def test_batches_are_made_of_the_other_rows() -> None:
    wanted = settings("logistic", ("accuracy",), batch=100)
    run = train_jointly(X, Y, wanted, test_fraction=0.25, seed=3)
    rest = ~run.facts.held_out_rows
    assert wanted.objective is not None and isinstance(wanted.solver, Gradient)
    w, _ = descent_twin(X[rest], Y[rest], run.facts, wanted.objective, wanted.solver, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 5e-4


def test_balanced_classes_are_those_of_the_training_rows() -> None:
    objective = objective_of("logistic", Parameters(class_weight="balanced"))
    wanted = Settings(model="logistic", objective=objective, solver=Gradient(learning_rate=0.3, iterations=12))
    run = train_jointly(X, Y, wanted, test_fraction=0.5, seed=3)
    rest = ~run.facts.held_out_rows
    assert objective is not None
    w, _ = descent_twin(X[rest], Y[rest], run.facts, objective, wanted.solver, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 5e-4


@PARTITIONS
def test_the_gradient_solver_on_gram_matrices_leaves_them_out_too(partition: str) -> None:
    wanted = Settings(model="ridge", alpha=5.0, solver=Gradient(learning_rate=0.1, iterations=30))
    run = train_jointly(Z, T, wanted, partition=partition, test_fraction=0.3)
    rest = ~run.facts.held_out_rows
    w = np.zeros(11)
    z = np.c_[Z[rest], np.ones(rest.sum())]
    for _ in range(30):
        w -= 0.1 * (z.T @ (z @ w - T[rest]) + 5.0 * np.append(w[:-1], 0.0)) / len(z)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 1e-4


# ---- what is revealed, and what it costs -----------------------------------------------------------------------------


def test_only_the_metrics_that_were_asked_for_are_revealed() -> None:
    for metrics in ((), ("accuracy",), ("log_loss", "auc")):
        run = fitted("logistic", metrics, iterations=2)
        assert run.revealed() == [BOTH, "weights", IN_RANGE, *metrics]
        assert run.outcome.extras.get("metrics", {}).keys() == set(metrics)


def test_x_is_opened_once_and_a_metric_takes_its_own_rounds_and_two_for_the_scores() -> None:
    plain, scored = fitted("logistic", (), iterations=2), fitted("logistic", ("accuracy",), iterations=2)
    before, after = (run.sessions[0].meter.exact()["online"] for run in (plain, scored))
    assert after["pinned matrix"] == before["pinned matrix"]
    out, weights = int(scored.facts.test_rows), 7
    assert scored.cost().rounds - plain.cost().rounds == 2 + 2
    # w rounded, w opened, the accuracy's bytes, and the sum to each of two receivers
    assert scored.cost().bytes - plain.cost().bytes == 8 * weights + 8 * weights + 17 * out + 2 * 8


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "metric", "possible"),
    [("svm", "log_loss", "accuracy, auc"), ("huber", "auc", "r2, mse"), ("linear", "accuracy", "r2, mse")],
)
def test_a_metric_that_a_model_has_not_is_refused_with_those_that_it_has(
    model: str, metric: str, possible: str
) -> None:
    solver = None if model == "linear" else Gradient(learning_rate=0.1)
    with pytest.raises(JobError, match=f"'{metric}' is not for model '{model}'") as caught:
        Settings(model=model, objective=objective_of(model, Parameters()), solver=solver, metrics=(metric,))
    assert caught.value.hint is not None and possible in caught.value.hint


def test_metrics_of_one_row_are_refused() -> None:
    with pytest.raises(DataError, match="metrics need two held-out rows, there are 1"):
        train_jointly(X[:60], Y[:60], settings("logistic", ("accuracy",)), cuts=[1, 2], test_fraction=0.01)


def test_an_estimator_has_them_by_name() -> None:
    who = roster(2)
    tables = [{**{f"x{i}": X[half, i] for i in range(6)}, "y": Y[half]} for half in (slice(300), slice(300, None))]

    def program(session: Session) -> LogisticRegression:
        model = LogisticRegression(
            solver=Gradient(learning_rate=0.3, iterations=3), metrics=["accuracy"], test_fraction=0.2
        )
        return model.fit(session, tables[session.rank] if session.rank < 2 else None, target="y")

    models, _ = run_with_sessions(who, program)
    assert models[0].metrics_.keys() == {"accuracy"} and 0.8 < models[0].metrics_["accuracy"] <= 1
