"""More than two classes: one against the rest each, all of them in one pass over a matrix that is opened once."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.class_weight import compute_class_weight

from mpcfl.data.facts import Aside
from mpcfl.errors import DataError, GuardError, JobError
from mpcfl.models.coefficients import coefficients_of
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.families import SIGMOID, Parameters, objective_of
from mpcfl.models.guards import EVERY, IN_RANGE
from mpcfl.models.losses.class_counts import COUNTS_OF_EACH
from mpcfl.models.losses.class_weight import balanced_plain
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.row_gradient import Scales, layout_of
from tests.joint import Array, Run, distance, facts_for, tables_of, train_jointly
from tests.parties import roster, run_with_sessions

IRIS = load_iris()
X: Array = (IRIS.data - IRIS.data.mean(axis=0)) / IRIS.data.std(axis=0)
Y: Array = IRIS.target.astype(float)
N, D, CLASSES = len(X), X.shape[1] + 1, 3


def settings(
    iterations: int = 20,
    *,
    classes: int = CLASSES,
    C: float = 1.0,
    class_weight: object = None,
    sigmoid: dict[str, object] = SIGMOID,
    intercept: bool = True,
    **how: object,
) -> Settings:
    objective = objective_of("logistic", Parameters(classes=classes, C=C, class_weight=class_weight, sigmoid=sigmoid))
    solver = Gradient(**{"learning_rate": 0.5, "iterations": iterations, **how})
    return Settings(model="logistic", objective=objective, solver=solver, fit_intercept=intercept)


def twin(wanted: Settings, run: Run, x: Array = X, y: Array = Y) -> tuple[Array, Array]:
    w, _ = descent_twin(x, y, run.facts, wanted.objective, wanted.solver, wanted.fit_intercept)
    return coefficients_of(w, wanted)


def stacked(coefficients: Array, intercept: Array) -> Array:
    return np.c_[coefficients, intercept]


# ---- the same steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("compute", [2, 3, 5])
def test_steps_are_those_of_float64(compute: int, partition: str) -> None:
    wanted = settings()
    run = train_jointly(X, Y, wanted, who=roster(compute, owners=3), partition=partition)
    assert run.outcome.coefficients.shape == (CLASSES, D - 1) and run.outcome.intercept.shape == (CLASSES,)
    assert distance(stacked(run.outcome.coefficients, run.outcome.intercept), stacked(*twin(wanted, run))) < 1e-4


@pytest.mark.parametrize(
    "how", [{"batch": 64, "momentum": 0.9, "nesterov": True}, {"init": "random"}, {"intercept": False}], ids=str
)
def test_with_what_two_classes_have_too(how: dict[str, object]) -> None:
    wanted = settings(**how)
    run = train_jointly(X, Y, wanted)
    assert distance(stacked(run.outcome.coefficients, run.outcome.intercept), stacked(*twin(wanted, run))) < 2e-4
    assert wanted.fit_intercept or run.outcome.intercept.tolist() == [0.0] * CLASSES


def test_a_class_is_trained_as_if_it_were_alone_against_the_rest() -> None:
    run = train_jointly(X, Y, settings())
    alone = train_jointly(X, (Y == 1).astype(float), settings(classes=2))
    assert distance(run.outcome.coefficients[1], alone.outcome.coefficients) < 1e-4


def test_the_twin_ends_where_scikit_learn_ends() -> None:
    wanted = settings(4000, C=0.1)
    facts = train_jointly(X, Y, settings(1)).facts
    w, _ = descent_twin(X, Y, facts, wanted.objective, wanted.solver, True)
    sklearn = OneVsRestClassifier(LogisticRegression(C=0.1, tol=1e-10, max_iter=1000)).fit(X, Y)
    coefficients, intercept = coefficients_of(w, wanted)
    assert distance(coefficients, [e.coef_[0] for e in sklearn.estimators_]) < 1e-5
    assert distance(intercept, [e.intercept_[0] for e in sklearn.estimators_]) < 1e-5


def test_rows_are_weighted_by_their_class() -> None:
    wanted = settings(class_weight={0: 1.0, 1: 4.0, 2: 0.5})
    run = train_jointly(X, Y, wanted)
    assert distance(stacked(run.outcome.coefficients, run.outcome.intercept), stacked(*twin(wanted, run))) < 2e-4
    assert distance(*(twin(s, run)[0] for s in (wanted, settings()))) > 0.1


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_balanced_classes_reveal_their_sizes_and_say_so(partition: str) -> None:
    x, y = X[30:140], Y[30:140]
    wanted = settings(class_weight="balanced")
    run = train_jointly(x, y, wanted, partition=partition)
    assert run.revealed()[0] == COUNTS_OF_EACH and run.sessions[0].ledger[0]["shape"] == [CLASSES]
    assert distance(stacked(run.outcome.coefficients, run.outcome.intercept), stacked(*twin(wanted, run, x, y))) < 2e-4
    assert balanced_plain(y, CLASSES) == dict(
        enumerate(compute_class_weight("balanced", classes=np.arange(CLASSES), y=y))
    )


def test_a_row_that_leaves_the_range_for_one_class_widens_it_for_all() -> None:
    how = {"learning_rate": 2.0, "momentum": 0.9, "check_every": 10, "C": 100.0}
    with pytest.raises(GuardError, match="left the range"):
        train_jointly(X, Y, settings(40, sigmoid={"range": 16, "error": 1e-3}, **how))
    wanted = settings(40, sigmoid={"range": "auto", "error": 1e-3}, **how)
    who, tables = roster(2), tables_of(X, Y, [0, 1], "horizontal")
    facts = facts_for(tables, who, "horizontal")
    outcomes, sessions = run_with_sessions(who, lambda s: train(s, facts, wanted, tables.get(s.rank)))
    assert False in sessions[0].decisions
    w, _ = descent_twin(X, Y, facts, wanted.objective, wanted.solver, True)
    found = stacked(outcomes[0].coefficients, outcomes[0].intercept)
    assert distance(found, stacked(*coefficients_of(w, wanted))) < 3e-3


# ---- costs -----------------------------------------------------------------------------------------------------------


def test_an_iteration_takes_four_rounds_whatever_the_number_of_classes() -> None:
    """`train_jointly` holds the plan of every party against this, to the byte."""
    before, after = (train_jointly(X, Y, settings(i)).cost() for i in (3, 4))
    assert after.rounds - before.rounds == 4
    weights, half_words, errors, gradient = 8 * D * CLASSES, 4 * N * CLASSES, 8 * N * CLASSES, 8 * D * CLASSES
    assert after.bytes - before.bytes == weights + half_words + errors + gradient == 5640


def test_the_table_is_opened_once_for_all_classes() -> None:
    for classes in (2, 3):
        costs = train_jointly(X, np.minimum(Y, classes - 1), settings(2, classes=classes)).sessions[0].meter.exact()
        assert costs["online"]["pinned matrix"] == {"rounds": 1, "messages": 1, "bytes": 8 * N * D}


def test_only_weights_and_guard_leave_the_shares() -> None:
    run = train_jointly(X, Y, settings(2))
    assert [entry["shape"] for entry in run.sessions[0].ledger] == [[CLASSES], [D, CLASSES], []]
    assert run.revealed() == [EVERY, "weights", IN_RANGE]


# ---- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [3.0, -1.0, 1.5])
def test_a_label_that_is_no_class_is_named_by_table_row_and_column(label: float) -> None:
    y = Y.copy()
    y[7] = label
    with pytest.raises(
        DataError, match=r"table: row 8, column 'y': a label must be a whole number from 0 to 2"
    ) as caught:
        train_jointly(X, y, settings(1))
    assert "[model] classes" in str(caught.value.hint)


def test_three_labels_where_the_job_says_nothing_are_refused_with_the_key_to_set() -> None:
    with pytest.raises(DataError, match="a label must be 0 or 1") as caught:
        train_jointly(X, Y, settings(1, classes=2))
    assert "set [model] classes" in str(caught.value.hint)


def test_an_owner_need_not_have_rows_of_every_class() -> None:
    wanted = settings(5)
    run = train_jointly(X, Y, wanted, cuts=[50, 100])  # a species each
    assert distance(stacked(run.outcome.coefficients, run.outcome.intercept), stacked(*twin(wanted, run))) < 1e-4


def test_a_class_that_no_row_is_of_is_named() -> None:
    with pytest.raises(GuardError, match="no row of any party is of class 1 of 'y'") as caught:
        train_jointly(X, np.where(Y == 1, 2.0, Y), settings(1))
    assert "without gaps" in str(caught.value.hint)
    with pytest.raises(GuardError, match=r"class 3 of 'y' \(and 1 more: 4\)"):
        train_jointly(X, Y, settings(1, classes=5))


def test_a_weight_for_each_class_is_needed() -> None:
    with pytest.raises(JobError, match="a weight for each class"):
        settings(class_weight={0: 1.0, 1: 2.0})


def test_a_class_too_rare_to_be_balanced_is_named() -> None:
    with pytest.raises(JobError, match="class 2 has 1 of 150 rows"):
        train_jointly(X, np.r_[np.arange(149) % 2, 2.0], settings(1, class_weight="balanced"))


def test_an_offset_is_that_of_no_class() -> None:
    objective = settings().objective
    facts = replace(train_jointly(X, Y, settings(1)).facts, aside=Aside(offset="x0"))
    scales = Scales(facts, objective, rows=N, rate=0.01, travelled=10.0)
    with pytest.raises(JobError, match="offset and exposure are for two classes"):
        layout_of(facts, objective, scales, True)


def test_one_class_is_none() -> None:
    with pytest.raises(JobError, match="classes must be 2 or more"):
        settings(classes=1)


# ---- ten digits ------------------------------------------------------------------------------------------------------


def test_digits_are_told_apart_as_scikit_learn_tells_them_apart() -> None:
    """A third is held out. A pixel that is nearly always empty is 40 deviations away where it is not: cut at 8."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    out, rest = order[: len(x) // 3], order[len(x) // 3 :]
    spread = x[rest].std(axis=0)
    z = (x - x[rest].mean(axis=0)) / np.where(spread > 0, spread, 1)  # a pixel that is always empty stays 0
    wanted = OneVsRestClassifier(LogisticRegression(C=0.1, max_iter=1000)).fit(z[rest], y[rest])
    cut = np.clip(z, -8, 8)
    run = train_jointly(cut[rest], y[rest].astype(float), settings(60, classes=10, C=0.1, momentum=0.9, nesterov=True))
    scores = cut[out] @ run.outcome.coefficients.T + run.outcome.intercept
    accuracy = float((scores.argmax(axis=1) == y[out]).mean())
    assert abs(accuracy - wanted.score(z[out], y[out])) < 0.005
