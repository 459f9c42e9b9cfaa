"""Metrics of held-out rows of more than two classes: those of scikit-learn with the revealed weights."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from mpcfl.errors import JobError
from mpcfl.models.by_rows import LogisticRegression
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.guards import EVERY, IN_RANGE
from mpcfl.models.settings import Settings, Solver
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from tests.joint import Array, Run, train_jointly
from tests.parties import roster

PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])
GRADIENT = Gradient(learning_rate=0.5, iterations=15)


def made(classes: int, rows: int = 240, columns: int = 6) -> tuple[Array, Array]:
    """Clouds that overlap: about two rows in three are told apart."""
    rng = np.random.default_rng(classes)
    y = rng.integers(0, classes, rows)
    x = rng.normal(size=(classes, columns))[y] * 1.2 + rng.normal(size=(rows, columns))
    return (x - x.mean(axis=0)) / x.std(axis=0), y.astype(float)


def settings(classes: int, metrics: tuple[str, ...] = ("accuracy",), solver: Solver = GRADIENT) -> Settings:
    objective = objective_of("logistic", Parameters(classes=classes, C=0.5))
    return Settings(model="logistic", objective=objective, solver=solver, metrics=metrics)


def fitted(classes: int, metrics: tuple[str, ...] = ("accuracy",), solver: Solver = GRADIENT, **how) -> Run:
    return train_jointly(*made(classes), settings(classes, metrics, solver), test_fraction=0.3, seed=2, **how)


def scores(run: Run, classes: int) -> tuple[Array, Array]:
    """Of the held-out rows, by the revealed weights, and their classes."""
    (x, y), out = made(classes), run.facts.held_out_rows
    return x[out] @ run.outcome.coefficients.T + run.outcome.intercept, y[out]


# ---- those of scikit-learn -------------------------------------------------------------------------------------------


@PARTITIONS
@pytest.mark.parametrize("classes", [3, 10])
def test_the_accuracy(classes: int, partition: str) -> None:
    run = fitted(classes, partition=partition)
    z, y = scores(run, classes)
    assert run.outcome.extras["metrics"] == {"accuracy": accuracy_score(y, z.argmax(axis=1))}
    assert 60 <= len(y) <= 80 and 0.3 < run.outcome.extras["metrics"]["accuracy"] < 0.95


@pytest.mark.parametrize("compute", [3, 5])
def test_the_accuracy_among_more_parties(compute: int) -> None:
    run = fitted(3, who=roster(compute, owners=2))
    z, y = scores(run, 3)
    assert run.outcome.extras["metrics"]["accuracy"] == accuracy_score(y, z.argmax(axis=1))


def test_the_accuracy_at_the_optimum() -> None:
    run = fitted(3, solver=FixedHessian(iterations=25, tolerance=1e-2))
    z, y = scores(run, 3)
    assert run.outcome.extras["metrics"]["accuracy"] == accuracy_score(y, z.argmax(axis=1))


@PARTITIONS
@pytest.mark.parametrize("classes", [3, 10])
def test_the_area_is_the_mean_of_every_class_against_the_rest(classes: int, partition: str) -> None:
    run = fitted(classes, ("auc", "accuracy"), partition=partition)
    z, y = scores(run, classes)
    wanted = roc_auc_score(y[:, None] == np.arange(classes), z, average="macro")
    assert abs(run.outcome.extras["metrics"]["auc"] - wanted) < 1e-3 and 0.6 < wanted < 0.99
    assert run.outcome.extras["metrics"]["accuracy"] == accuracy_score(y, z.argmax(axis=1))


def test_the_area_is_not_a_number_where_a_class_is_missing_among_the_held_out_rows() -> None:
    x, y = made(3)
    out = np.flatnonzero(fitted(3, ()).facts.held_out_rows)
    y[out] = np.where(y[out] == 2, 0.0, y[out])
    run = train_jointly(x, y, settings(3, ("auc",)), test_fraction=0.3, seed=2)
    assert np.isnan(run.outcome.extras["metrics"]["auc"])


# ---- what is revealed, and what it costs -----------------------------------------------------------------------------


def test_an_area_takes_the_rounds_of_one_class_and_one_more() -> None:
    both = [fitted(3, metrics).cost().rounds for metrics in ((), ("auc",))]
    # 24 as of two classes whose scores may exceed 120, and two for the scores
    assert both[1] - both[0] == 2 + 24 + 1


def test_only_the_metric_is_revealed_besides() -> None:
    assert fitted(3, ()).revealed() == [EVERY, "weights", IN_RANGE]
    run = fitted(3)
    assert run.revealed() == [EVERY, "weights", IN_RANGE, "accuracy"]
    assert [entry["shape"] for entry in run.sessions[0].ledger][2:] == [[], []]


def test_an_accuracy_takes_four_rounds_and_two_for_the_scores() -> None:
    plain, scored = fitted(3, ()), fitted(3)
    before, after = (run.sessions[0].meter.exact()["online"] for run in (plain, scored))
    assert after["pinned matrix"] == before["pinned matrix"], "X is opened once"
    out, weights, classes = int(scored.facts.test_rows), 7 * 3, 3
    assert scored.cost().rounds - plain.cost().rounds == 2 + 4
    # w rounded, w opened, the accuracy's bytes, and the sum to each of two receivers
    expected = 8 * weights + 8 * weights + (25 * classes + 1) * out + 2 * 8
    assert scored.cost().bytes - plain.cost().bytes == expected


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_what_is_for_two_classes_alone_is_refused_by_name() -> None:
    with pytest.raises(JobError, match="'log_loss' is for two classes, not for 3") as caught:
        settings(3, ("log_loss",))
    assert caught.value.hint == "of more classes there is accuracy, auc"
    with pytest.raises(JobError, match="'log_loss' is for two classes"):
        LogisticRegression(classes=3, solver=GRADIENT, metrics=["log_loss"]).settings()


def test_a_metric_that_a_model_has_not_is_still_refused_as_such() -> None:
    with pytest.raises(JobError, match="'r2' is not for model 'logistic'"):
        settings(3, ("r2",))


def test_more_classes_than_a_place_can_be_read_at_are_refused() -> None:
    with pytest.raises(JobError, match="up to 256 classes, not 257"):
        settings(257)
