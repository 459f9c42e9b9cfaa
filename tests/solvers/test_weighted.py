"""Weights of rows and of classes, offsets and exposures: what counts, and how much, without being a feature."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from mpcfl.data.facts import Aside, Facts, facts_of
from mpcfl.data.table import Table
from mpcfl.errors import AgreementError, DataError, GuardError
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.losses.class_counts import COUNTS
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings, Solver
from mpcfl.models.training import Outcome, train
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.world.session import Session
from tests.joint import Array, distance
from tests.parties import roster, run_with_sessions

CANCER = load_breast_cancer()
X: Array = ((CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0))[:, :6]
Y: Array = CANCER.target.astype(float)
RNG = np.random.default_rng(0)
EXTRA: dict[str, Array] = {
    "w": RNG.uniform(0, 4, len(Y)),
    "o": RNG.normal(size=len(Y)),
    "e": RNG.uniform(0.2, 5, len(Y)),
}
NAMES = [f"x{i}" for i in range(6)]
SOLVER = Gradient(learning_rate=0.2, iterations=12)


def tables_of(partition: str, extra: dict[str, Array]) -> dict[int, Table]:
    """Two owners; in a vertical partition the second one has the target and what is aside."""
    everything = np.c_[X, *extra.values(), Y] if extra else np.c_[X, Y]
    names = [*NAMES, *extra, "y"]
    if partition == "horizontal":
        return {0: Table.of(everything[:250], names=names), 1: Table.of(everything[250:], names=names)}
    return {0: Table.of(X[:, :3], names=NAMES[:3]), 1: Table.of(everything[:, 3:], names=names[3:])}


def fitted(
    model: str, partition: str, aside: Aside, solver: Solver = SOLVER, **parameters: object
) -> tuple[Outcome, Array, list[Session]]:
    """(outcome, weights of the twin, sessions); asserts that every party did what its plan says."""
    who, extra = roster(2), {name: EXTRA[name] for name in aside.names}
    tables = tables_of(partition, extra)
    schemas = {who.names[rank]: table.schema.with_target("y") for rank, table in tables.items()}
    facts: Facts = facts_of(who, partition, schemas, "y", test_fraction=0.0, seed=0, aside=aside)
    assert facts.features == tuple(NAMES)
    objective = objective_of(model, Parameters(**parameters))  # type: ignore[arg-type]
    settings = Settings(model=model, objective=objective, solver=solver)
    outcomes, sessions = run_with_sessions(who, lambda s: train(s, facts, settings, tables.get(s.rank)))
    for session in sessions:
        dry = Session.dry(who, session.rank)
        train(dry, facts, settings, None)
        for phase in ("offline", "online"):
            assert dry.meter.exact().get(phase) == session.meter.exact().get(phase)
    twin = plaintext_twin(X, Y, facts, settings, EXTRA)
    return outcomes[0], np.append(twin.coefficients, twin.intercept), sessions


def error(outcome: Outcome, w: Array) -> float:
    return distance(np.append(outcome.coefficients, outcome.intercept), w)


ASIDES = {
    "weights": Aside(weight="w"),
    "offset": Aside(offset="o"),
    "exposure": Aside(exposure="e"),
    "all": Aside(weight="w", offset="o", exposure="e"),
}


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("aside", ASIDES.values(), ids=ASIDES.keys())
def test_rows_count_as_their_columns_aside_say(aside: Aside, partition: str) -> None:
    outcome, w, _ = fitted("logistic", partition, aside)
    assert error(outcome, w) < 5e-4
    plain, _, _ = fitted("logistic", partition, Aside())
    assert error(plain, w) > 0.02  # they do make a difference


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("solver", [Newton(iterations=7), FixedHessian(iterations=30, tolerance=1.0)])
def test_second_order_solvers_too(solver: Solver, partition: str) -> None:
    outcome, w, _ = fitted("logistic", partition, ASIDES["all"], solver, C=0.1, sigmoid={"range": 64})
    assert error(outcome, w) < 5e-3 if isinstance(solver, FixedHessian) else 1e-3
    other, _, _ = fitted("logistic", partition, ASIDES["offset"], solver, C=0.1, sigmoid={"range": 64})
    assert error(other, w) > 0.02


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("model", ["logistic", "svm"])
def test_weights_of_classes(model: str, partition: str) -> None:
    outcome, w, _ = fitted(model, partition, Aside(), class_weight={0: 1.0, 1: 5.0})
    assert error(outcome, w) < 1e-3


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_balanced_classes_reveal_how_many_rows_there_are_of_one_and_say_so(partition: str) -> None:
    outcome, w, sessions = fitted("logistic", partition, Aside(), class_weight="balanced")
    assert error(outcome, w) < 5e-4
    assert all([entry["what"] for entry in session.ledger][0] == COUNTS for session in sessions)


def test_all_rows_with_weight_one_train_as_without_weights() -> None:
    EXTRA["one"] = np.ones(len(Y))
    outcome, _, _ = fitted("logistic", "horizontal", Aside(weight="one"))
    plain, _, _ = fitted("logistic", "horizontal", Aside())
    assert distance(outcome.coefficients, plain.coefficients) < 5e-4


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "aside"),
    [("w", -1.0, Aside(weight="w")), ("w", 17.0, Aside(weight="w")), ("e", 0.0, Aside(exposure="e"))],
)
def test_a_value_that_cannot_be_is_named_by_row_and_column(
    name: str, value: float, aside: Aside, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = EXTRA[name].copy()
    bad[7] = value
    monkeypatch.setitem(EXTRA, name, bad)
    with pytest.raises(DataError, match=f"row 8, column '{name}'"):
        fitted("logistic", "horizontal", aside)


def test_a_column_that_nobody_has() -> None:
    who, tables = roster(2), tables_of("horizontal", {})
    schemas = {who.names[rank]: table.schema for rank, table in tables.items()}
    with pytest.raises(AgreementError, match="no party has the column 'weight'"):
        facts_of(who, "horizontal", schemas, "y", test_fraction=0.0, seed=0, aside=Aside(weight="weight"))


def test_in_a_vertical_partition_the_owner_of_the_target_has_what_is_aside() -> None:
    who, tables = roster(2), tables_of("vertical", {})
    schemas = {who.names[rank]: table.schema for rank, table in tables.items()}
    with pytest.raises(AgreementError, match="'x0' is held by p0, and the target by p1"):
        facts_of(who, "vertical", schemas, "y", test_fraction=0.0, seed=0, aside=Aside(offset="x0"))


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("model", ["logistic", "svm"])
def test_one_class_only_ends_the_run(model: str, label: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.solvers.test_weighted.Y", np.full(len(Y), label))
    with pytest.raises(GuardError, match="one class of 'y'"):
        fitted(model, "horizontal", Aside())


def test_an_owner_may_have_one_class_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.solvers.test_weighted.Y", np.r_[np.ones(250), Y[250:]])
    outcome, w, _ = fitted("logistic", "horizontal", Aside())
    assert error(outcome, w) < 5e-4
