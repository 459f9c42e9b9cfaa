"""Choosing a penalty by cross-validation: the scores and the winner of plain float64, in the rounds of one training."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import accuracy_score, log_loss, mean_poisson_deviance, mean_squared_error, roc_auc_score

from mpcfl.data.batches import batches
from mpcfl.data.folds import folds_of
from mpcfl.data.own_rows import Rows
from mpcfl.errors import GuardError, JobError
from mpcfl.models.by_rows import LogisticRegression
from mpcfl.models.coefficients import coefficients_of
from mpcfl.models.cross_validate import cross_validate
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.families import Parameters
from mpcfl.models.guards import BOTH, IN_RANGE
from mpcfl.models.selecting import FOLDS_IN_RANGE, FOLDS_PREDICTED, require_told_apart
from mpcfl.models.selection import selection_of
from mpcfl.models.settings import Settings
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.session import Session
from tests.joint import Array, Run, distance, facts_for, tables_of, train_jointly
from tests.models.plain_folds import cross_validated
from tests.parties import roster, run_with_sessions

CANCER = load_breast_cancer()
X: Array = ((CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0))[:300, :8]
Y: Array = CANCER.target[:300].astype(float)
SUGAR = load_diabetes(scaled=False)
Z: Array = (SUGAR.data - SUGAR.data.mean(axis=0)) / SUGAR.data.std(axis=0)
T: Array = (SUGAR.target - SUGAR.target.mean()) / SUGAR.target.std()
COUNTS: Array = np.random.default_rng(1).poisson(np.exp(0.4 * Z[:, 2] + 1)).astype(float)
SOLVER = Gradient(learning_rate=0.5, iterations=15)
VALUES = [0.006, 0.02, 0.1]
_IRIS = load_iris()
IRIS = ((_IRIS.data - _IRIS.data.mean(axis=0)) / _IRIS.data.std(axis=0), _IRIS.target.astype(float))
PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])


def settings(
    model: str = "logistic",
    *,
    values: list[float] = VALUES,
    solver: Gradient = SOLVER,
    parameters: Parameters | None = None,
    reveal: str = "scores",
    folds: int = 5,
    metric: str | None = None,
    metrics: tuple[str, ...] = (),
) -> Settings:
    chosen = selection_of(model, parameters or Parameters(), values=values, folds=folds, metric=metric, reveal=reveal)
    return Settings(model=model, objective=chosen.objectives[0], selection=chosen, solver=solver, metrics=metrics)


def found(run: Run) -> dict:
    return run.outcome.extras["selection"]


def plain(run: Run, wanted: Settings, x: Array, y: Array) -> list[tuple[Array, list[Rows]]]:
    assert wanted.selection is not None and isinstance(wanted.solver, Gradient)
    return cross_validated(x, y, run.facts, wanted.selection.objectives, wanted.solver, wanted.selection.folds)


def probability(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


# ---- as in float64 ---------------------------------------------------------------------------------------------------


@PARTITIONS
@pytest.mark.parametrize("compute", [2, 3])
def test_the_log_loss_of_every_value_is_that_of_plain_cross_validation(compute: int, partition: str) -> None:
    wanted = settings()
    run = train_jointly(X, Y, wanted, who=compute, partition=partition)
    scores = [log_loss(Y, probability(z)) for z, _ in plain(run, wanted, X, Y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < 1e-4
    assert found(run)["winner"] == VALUES[int(np.argmin(scores))] == 0.1


@PARTITIONS
def test_the_final_training_is_that_of_the_winner_on_all_rows(partition: str) -> None:
    wanted = settings(reveal="winner")
    run = train_jointly(X, Y, wanted, partition=partition)
    assert wanted.selection is not None
    winner = wanted.selection.objectives[VALUES.index(found(run)["winner"])]
    w, _ = descent_twin(X, Y, run.facts, winner, SOLVER, True)
    assert distance(np.append(run.outcome.coefficients, run.outcome.intercept), w) < 2e-4
    assert "scores" not in found(run)


CASES: dict[str, tuple[str, str, Array, Array, list[float], float, Callable[[Array, Array], float], float]] = {
    "accuracy": ("logistic", "accuracy", X, Y, VALUES, 0.5, lambda y, z: accuracy_score(y, z > 0), 1e-9),
    "svm": ("svm", "accuracy", X, Y, VALUES, 0.03, lambda y, z: accuracy_score(y, z > 0), 1e-9),
    "huber": ("huber", "mse", Z, T, [0.0, 300.0, 30.0], 0.3, mean_squared_error, 1e-3),
    "poisson": (
        "poisson",
        "deviance",
        Z,
        COUNTS,
        [1.0, 0.01],
        0.1,
        lambda y, z: 3 * mean_poisson_deviance(y / 3, np.exp(z)),
        2e-3,
    ),
}


@PARTITIONS
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_other_models_and_metrics(case: tuple, partition: str) -> None:
    model, metric, x, y, values, rate, score, error = case
    wanted = settings(
        model,
        values=values,
        metric=metric,
        folds=3,
        solver=Gradient(learning_rate=rate, iterations=10),
        parameters=Parameters(unit=3.0 if model == "poisson" else 1.0),
    )
    run = train_jointly(x, y, wanted, partition=partition)
    scores = [score(y, z) for z, _ in plain(run, wanted, x, y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < error
    best = np.argmax(scores) if metric == "accuracy" else np.argmin(scores)
    assert found(run)["winner"] == values[int(best)]


@PARTITIONS
def test_a_grid_of_a_million_times_has_the_scores_of_plain_cross_validation(partition: str) -> None:
    """All share the scales that the strongest leaves, which cost the weakest a third of a bit."""
    values = [1e-3, 1e-2, 0.1, 1.0, 10.0, 1000.0]
    wanted = settings(values=values, solver=Gradient(learning_rate=0.2, iterations=40))
    run = train_jointly(X, Y, wanted, partition=partition)
    scores = [log_loss(Y, probability(z)) for z, _ in plain(run, wanted, X, Y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < 2e-5
    assert found(run)["winner"] == values[int(np.argmin(scores))]


def test_penalties_that_make_no_difference_are_refused_by_value_and_the_hint_is_enough() -> None:
    values = [1e-2, 100.0, 1000.0]
    solver = Gradient(learning_rate=0.2, iterations=40)
    with pytest.raises(JobError, match="values 100 and 1000 of C make no difference within 40 iterations") as caught:
        train_jointly(X, Y, settings(values=values, solver=solver))
    said = re.search(r"iterations to (\d+)", str(caught.value.hint))
    assert said
    facts = facts_for(tables_of(X, Y, [0, 1], "horizontal"), roster(2), "horizontal")

    def check(iterations: int) -> None:
        wanted = settings(values=values)
        assert wanted.selection is not None
        enough = replace(solver, iterations=iterations)
        require_told_apart(facts, wanted.selection, wanted.selection.objectives, enough)

    check(int(said[1]))
    with pytest.raises(JobError):
        check(int(said[1]) - 1)


@PARTITIONS
@pytest.mark.parametrize("metric", ["accuracy", "auc"])
def test_several_classes_are_columns_of_the_same_training(metric: str, partition: str) -> None:
    """Each is trained against the rest: the scores, and the final weights, of as many plain cross-validations."""
    x, y = IRIS
    values, solver = [0.02, 10.0], Gradient(learning_rate=0.4, iterations=12, momentum=0.5)
    wanted = settings(values=values, solver=solver, metric=metric, parameters=Parameters(classes=3), folds=3)
    run = train_jointly(x, y, wanted, partition=partition)
    two = settings(values=values, solver=solver, folds=3)
    by_class = [plain(run, two, x, (y == label).astype(float)) for label in range(3)]
    scores = []
    for k in range(len(values)):
        z = np.stack([one[k][0] for one in by_class], axis=1)
        folds = [np.arange(len(y))] if metric == "accuracy" else by_class[0][k][1]
        scores.append(np.mean([of_classes(metric, y[rows], z[rows]) for rows in folds]))
    assert scores[0] != scores[1]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < (1e-9 if metric == "accuracy" else 2e-3)
    best = int(np.argmax(scores))
    assert found(run)["winner"] == values[best]
    assert wanted.selection is not None
    twin, _ = descent_twin(x, y, run.facts, wanted.selection.objectives[best], solver, True)
    weights, intercept = coefficients_of(twin, wanted)
    assert distance(np.c_[run.outcome.coefficients, run.outcome.intercept], np.c_[weights, intercept]) < 2e-4


def of_classes(metric: str, y: Array, z: Array) -> float:
    if metric == "accuracy":
        return accuracy_score(y, z.argmax(axis=1))
    return float(np.mean([roc_auc_score(y == label, z[:, label]) for label in range(3)]))


def test_several_classes_cost_the_rounds_of_two() -> None:
    x, y = IRIS
    costs = []
    for classes in (2, 3):
        wanted = settings(values=[0.02, 10.0], parameters=Parameters(classes=classes), folds=2, metric="accuracy")
        costs.append(train_jointly(x, np.minimum(y, classes - 1), wanted).cost().rounds)
    assert costs[1] - costs[0] == 2  # the rounds by which the accuracy of several classes is dearer


def test_the_area_under_the_curve_is_the_mean_over_the_folds() -> None:
    wanted = settings(values=[0.006, 0.1], metric="auc", folds=2)
    run = train_jointly(X, Y, wanted)
    scores = [np.mean([roc_auc_score(Y[rows], z[rows]) for rows in folds]) for z, folds in plain(run, wanted, X, Y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < 1e-3


@pytest.mark.parametrize(
    ("solver", "parameters"),
    [
        (replace(SOLVER, learning_rate=0.1, momentum=0.8), Parameters()),
        (SOLVER, Parameters(penalty="l1")),
    ],
    ids=["momentum", "l1"],
)
def test_momentum_and_an_l1_penalty_column_by_column(solver: Gradient, parameters: Parameters) -> None:
    wanted = settings(values=[0.1, 0.02], solver=solver, parameters=parameters, folds=3)
    run = train_jointly(X, Y, wanted)
    scores = [log_loss(Y, probability(z)) for z, _ in plain(run, wanted, X, Y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < 3e-4
    assert found(run)["winner"] == 0.1


def test_rows_held_out_are_in_no_fold_and_the_metrics_are_of_the_final_model() -> None:
    wanted = settings(metrics=("accuracy",), folds=3)
    run = train_jointly(X, Y, wanted, test_fraction=0.3)
    out = run.facts.held_out_rows
    folds = folds_of(run.facts, 3)
    assert sorted(np.concatenate(folds)) == list(np.flatnonzero(~out))
    scores = [log_loss(Y[~out], probability(z[~out])) for z, _ in plain(run, wanted, X, Y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < 1e-4
    z = X[out] @ run.outcome.coefficients + run.outcome.intercept
    assert run.outcome.extras["metrics"]["accuracy"] == accuracy_score(Y[out], z > 0)


def test_batches_have_rows_of_all_folds() -> None:
    wanted = settings(solver=replace(SOLVER, batch=100, learning_rate=0.3), folds=2, values=[0.02, 0.5])
    run = train_jointly(X, Y, wanted)
    scores = [log_loss(Y, probability(z)) for z, _ in plain(run, wanted, X, Y)]
    assert np.abs(np.array(found(run)["scores"]) - scores).max() < 2e-4
    for rows in batches(run.facts, 100):
        sizes = [np.isin(rows, fold).sum() for fold in folds_of(run.facts, 2)]
        assert max(sizes) - min(sizes) <= 1


# ---- what is revealed, and what it costs -----------------------------------------------------------------------------


def test_the_winner_is_revealed_to_all_and_the_scores_only_if_asked_for_to_the_receivers() -> None:
    for reveal in ("winner", "scores"):
        wanted = replace(settings(reveal=reveal, folds=2), to=["p1"])
        run = train_jointly(X, Y, wanted)
        asked = ["log_loss by C"] if reveal == "scores" else []
        assert run.revealed() == ["which C is best", FOLDS_IN_RANGE, BOTH, *asked, "weights", IN_RANGE]
        to = {entry["what"]: entry["to"] for entry in run.sessions[0].ledger}
        assert to["which C is best"] == ["p0", "p1", "dealer"] and to["weights"] == ["p1"]
        assert [outcome.extras["selection"]["winner"] for outcome in run.outcomes] == [0.1] * 3
        assert ["scores" in outcome.extras["selection"] for outcome in run.outcomes] == [
            False,
            reveal == "scores",
            False,
        ]


def test_all_candidates_together_take_the_rounds_of_one_training() -> None:
    n, d = len(X), X.shape[1] + 1
    costs = {}
    for iterations in (3, 4):
        for folds in (2, 4):
            wanted = settings(solver=replace(SOLVER, iterations=iterations), folds=folds, reveal="winner")
            costs[iterations, folds] = train_jointly(X, Y, wanted).cost()
    for folds in (2, 4):
        before, after, columns = costs[3, folds], costs[4, folds], len(VALUES) * folds
        assert after.rounds - before.rounds == 4 + 4  # cross-validation, and the final training
        assert after.bytes - before.bytes == (12 * n + 16 * d) * (columns + 1)
    assert costs[3, 2].rounds == costs[3, 4].rounds


def test_x_is_opened_once() -> None:
    wanted = settings(folds=2, reveal="winner")
    run = train_jointly(X, Y, wanted)
    plain_run = train_jointly(X, Y, replace(wanted, selection=None))
    one, other = (r.sessions[0].meter.exact()["online"]["pinned matrix"] for r in (run, plain_run))
    assert one == other


def test_what_a_run_costs_does_not_depend_on_who_wins() -> None:
    first = train_jointly(X, Y, settings(values=[0.1, 0.006], folds=2))
    second = train_jointly(X, Y, settings(values=[0.006, 0.1], folds=2))
    assert found(first)["winner"] == found(second)["winner"] == 0.1
    assert first.sessions[0].meter.exact() == second.sessions[0].meter.exact()


# ---- from Python -----------------------------------------------------------------------------------------------------


def test_an_estimator_comes_back_fitted_with_the_winner() -> None:
    who = roster(2)
    tables = tables_of(X, Y, [0, 1], "horizontal")

    def program(session: Session) -> LogisticRegression:
        model = LogisticRegression(solver=SOLVER)
        return cross_validate(
            session, tables.get(session.rank), target="y", model=model, values=VALUES, folds=2, reveal="scores"
        )

    models, _ = run_with_sessions(who, program)
    assert models[0].C == models[1].C == models[0].selection_["winner"] == 0.1
    assert len(models[0].selection_["scores"]) == 3 and models[0].score(X, Y) > 0.9


# ---- what stops it ---------------------------------------------------------------------------------------------------


def test_a_candidate_that_leaves_the_range_ends_the_run_before_anything_is_chosen() -> None:
    wanted = settings(
        values=[1e6, 0.1],
        parameters=Parameters(sigmoid={"range": 8, "error": 1e-3}),
        solver=Gradient(learning_rate=2.0, iterations=40),
        folds=2,
    )
    with pytest.raises(GuardError, match="left the range .* in one of the folds") as caught:
        train_jointly(X, Y, wanted)
    assert caught.value.hint is not None and "weakest penalty" in caught.value.hint


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("linear", {}, "for models with a penalty, not for 'linear'"),
        ("logistic", {"parameter": "alpha"}, "'alpha' cannot be selected"),
        ("logistic", {"values": [1.0]}, "2 to 16 different"),
        ("logistic", {"values": [1.0, 1.0]}, "2 to 16 different"),
        ("logistic", {"values": [0.0, 1.0]}, "C must be more than 0"),
        ("huber", {"values": [-1.0, 1.0]}, "alpha must be at least 0"),
        ("logistic", {"folds": 1}, "folds must be 2 to 20"),
        ("logistic", {"metric": "mse"}, "'mse' is not for model 'logistic'"),
        ("huber", {"metric": "r2"}, "'r2' is not for model 'huber'"),
        ("logistic", {"reveal": "all"}, "one of winner, scores"),
    ],
)
def test_what_cannot_be_is_refused_by_setting(model: str, options: dict, said: str) -> None:
    with pytest.raises(JobError, match=said):
        selection_of(model, Parameters(), **({"values": VALUES} | options))


def test_a_metric_that_several_classes_have_not_and_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(JobError, match="'log_loss' is not for 3 classes"):
        selection_of("logistic", Parameters(classes=3), values=VALUES, metric="log_loss")
    with pytest.raises(JobError, match="up to 256 classes, not 257"):
        selection_of("logistic", Parameters(classes=257), values=VALUES)
    tables = tables_of(X[:9], Y[:9], [0, 1], "horizontal")
    with pytest.raises(JobError, match="folds = 5 are too many for 9 rows"):
        folds_of(facts_for(tables, roster(2), "horizontal"), 5)


def test_the_guard_of_a_deviance_is_revealed_with_the_winner() -> None:
    wanted = settings("poisson", values=[1.0, 0.1], solver=Gradient(learning_rate=0.1, iterations=2), folds=2)
    assert FOLDS_PREDICTED in train_jointly(Z, COUNTS, wanted).revealed()
