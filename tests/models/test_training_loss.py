"""The loss on the way: scikit-learn's of the same weights, to the receivers only, as often as it was asked for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_gamma_deviance, mean_poisson_deviance

from mpcfl.errors import JobError
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings, Solver
from mpcfl.models.training import train
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.world.session import Session
from tests.joint import Array, facts_for, tables_of, train_jointly
from tests.models.test_metrics import COUNTS, SIZES, X, Y, Z
from tests.parties import roster, run_with_sessions

PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])
NAME = "log_loss of the training rows"


def settings(solver: Solver, model: str = "logistic", to: tuple[str, ...] | None = None, **parameters: Any) -> Settings:
    return Settings(model=model, objective=objective_of(model, Parameters(**parameters)), solver=solver, to=to)


def by_twin(wanted: Settings, x: Array, y: Array, facts: Any, iterations: int) -> Array:
    """X w + b of the training rows by the plaintext twin after so many iterations."""
    rows = ~facts.held_out_rows
    early = replace(wanted, solver=replace(wanted.solver, iterations=iterations))
    twin = plaintext_twin(x[rows], y[rows], facts, early)
    return np.asarray(x[rows] @ twin.coefficients + twin.intercept)


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


@PARTITIONS
@pytest.mark.parametrize(
    "solver",
    [
        Gradient(learning_rate=0.5, iterations=7, loss_every=3),
        Gradient(learning_rate=0.5, iterations=7, batch=100, momentum=0.5, nesterov=True, loss_every=3),
        FixedHessian(iterations=7, tolerance=1.0, loss_every=3),
        Newton(iterations=7, loss_every=3),
    ],
)
def test_it_is_the_mean_log_loss_of_the_training_rows(solver: Solver, partition: str) -> None:
    """Of all of them, whatever the batches; held-out rows are no part of it."""
    wanted = settings(solver)
    run = train_jointly(X, Y, wanted, test_fraction=0.25, seed=3, partition=partition)
    found, y = run.outcome.extras["loss"], Y[~run.facts.held_out_rows]
    assert [iteration for iteration, _ in found] == [3, 6]
    for iteration, value in found:
        z = by_twin(wanted, X, Y, run.facts, iteration)
        assert abs(value - log_loss(y, sigmoid(z))) < 2e-4
    assert run.revealed().count(NAME) == 2


@PARTITIONS
@pytest.mark.parametrize(
    ("model", "y", "unit", "deviance"),
    [("poisson", COUNTS, 3.0, mean_poisson_deviance), ("gamma", SIZES, 3.0, mean_gamma_deviance)],
)
def test_it_is_the_mean_deviance(
    model: str, y: Array, unit: float, deviance: Callable[..., float], partition: str
) -> None:
    wanted = settings(Gradient(learning_rate=0.1, iterations=4, loss_every=2), model, unit=unit, alpha=0.01)
    run = train_jointly(Z, y, wanted, partition=partition)
    for iteration, value in run.outcome.extras["loss"]:
        assert abs(value - deviance(y, np.exp(by_twin(wanted, Z, y, run.facts, iteration)))) < 2e-3
    assert len(run.outcome.extras["loss"]) == 2


def test_it_costs_seven_rounds_each_time_and_nothing_if_it_is_not_asked_for() -> None:
    """Two for the scores, four for the log loss, one to reveal it; `train_jointly` holds the plan against the run."""
    runs = [train_jointly(X, Y, settings(Gradient(learning_rate=0.5, iterations=6, loss_every=k))) for k in (0, 2)]
    assert runs[1].cost().rounds - runs[0].cost().rounds == 3 * 7
    assert "loss" not in runs[0].outcome.extras and NAME not in runs[0].revealed()
    assert runs[0].sessions[0].news == "" and runs[1].sessions[0].news.startswith("loss 0.")


def test_only_receivers_learn_it_and_the_ledger_says_why() -> None:
    wanted = settings(Gradient(learning_rate=0.5, iterations=4, loss_every=4), to=("p1",))
    run = train_jointly(X, Y, wanted)
    assert ["loss" in outcome.extras for outcome in run.outcomes] == [False, True, False]
    (entry,) = [entry for entry in run.sessions[0].ledger if entry["what"] == NAME]
    assert entry == {"what": NAME, "shape": [], "to": ["p1"], "reason": "loss_every = 4, after iteration 4"}


def test_a_state_that_is_gone_back_behind_has_none() -> None:
    """Where the range is widened iterations are done twice; each loss is revealed once, of a state in range."""
    auto = {"range": "auto", "error": 1e-3}
    solver = Gradient(learning_rate=2.0, iterations=40, check_every=10, loss_every=5)
    wanted, who = settings(solver, C=100.0, sigmoid=auto), roster(2)
    tables = tables_of(X * 2, Y, who.owners, "horizontal")
    facts = facts_for(tables, who, "horizontal")
    outcomes, sessions = run_with_sessions(who, lambda s: train(s, facts, wanted, tables.get(s.rank)))
    assert False in sessions[0].decisions
    found = [iteration for iteration, _ in outcomes[0].extras["loss"]]
    assert found == sorted(set(found)) and found[0] == 10 and found[-1] == 40
    dry = Session.dry(who, 0, script=sessions[0].decisions)
    train(dry, facts, wanted, None)
    assert dry.meter.exact()["online"] == sessions[0].meter.exact()["online"]


@pytest.mark.parametrize("model", ["svm", "huber"])
def test_a_loss_without_a_protocol_is_refused(model: str) -> None:
    with pytest.raises(JobError, match="loss_every is for models whose loss has a protocol"):
        settings(Gradient(learning_rate=0.1, loss_every=1), model)


def test_least_squares_and_many_classes_are_refused() -> None:
    with pytest.raises(JobError, match="loss_every"):
        Settings(solver=Gradient(learning_rate=0.1, loss_every=1))
    with pytest.raises(JobError, match="loss_every"):
        settings(Gradient(learning_rate=0.1, loss_every=1), classes=3)
