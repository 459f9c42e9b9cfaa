"""A run may be steered by single bits, each revealed to all and in the ledger, and only if the job asks for it."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from mpcfl.errors import GuardError
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings, Solver
from mpcfl.models.training import train
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.solvers.steering import RANGE, STOP
from mpcfl.world.session import Session
from tests.joint import Array, distance, facts_for, tables_of
from tests.parties import roster, run_with_sessions

CANCER = load_breast_cancer()
X: Array = ((CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0))[::3]
Y: Array = CANCER.target.astype(float)[::3]
WHO = roster(2)


def steered(solver: Solver, **parameters: object) -> tuple[Array, Array, list[Session]]:
    """(weights, those of the twin after all iterations, sessions); asserts that run and plan agree, given the bits."""
    objective = objective_of("logistic", Parameters(**parameters))  # type: ignore[arg-type]
    settings = Settings(model="logistic", objective=objective, solver=solver)
    tables = tables_of(X, Y, WHO.owners, "horizontal")
    facts = facts_for(tables, WHO, "horizontal")
    outcomes, sessions = run_with_sessions(WHO, lambda s: train(s, facts, settings, tables.get(s.rank)))
    for session in sessions:
        dry = Session.dry(WHO, session.rank, script=session.decisions)
        train(dry, facts, settings, None)
        for phase in ("offline", "online"):
            assert dry.meter.exact().get(phase) == session.meter.exact().get(phase)
    twin = plaintext_twin(X, Y, facts, settings)
    found = np.append(outcomes[0].coefficients, outcomes[0].intercept)
    return found, np.append(twin.coefficients, twin.intercept), sessions


def bits(session: Session, what: str) -> int:
    return [entry["what"] for entry in session.ledger].count(what)


# ---- the range -------------------------------------------------------------------------------------------------------


def test_a_run_that_leaves_the_range_goes_back_and_widens_it() -> None:
    solver = Gradient(learning_rate=2.0, iterations=40, check_every=10)
    with pytest.raises(GuardError):
        steered(solver, sigmoid={"range": 16, "error": 1e-3}, C=100.0)
    found, wanted, sessions = steered(solver, sigmoid={"range": "auto", "error": 1e-3}, C=100.0)
    assert distance(found, wanted) < 3e-3
    assert False in sessions[0].decisions
    assert bits(sessions[0], RANGE) == len(sessions[0].decisions)


def test_where_no_row_leaves_it_the_first_range_is_kept() -> None:
    _, _, sessions = steered(Gradient(learning_rate=0.1, iterations=20), sigmoid={"range": "auto", "error": 1e-3})
    assert sessions[0].decisions == [True, True]


@pytest.mark.parametrize(("solver", "times"), [(Newton(), 2), (FixedHessian(iterations=30, tolerance=1.0), 1)])
def test_solvers_that_go_to_the_optimum_widen_it_too(solver: Solver, times: int) -> None:
    """The rows leave 16 and 32 on the way to the optimum, which is far for a fixed Hessian."""
    found, wanted, sessions = steered(solver, sigmoid={"range": "auto", "error": 1e-3}, C=10.0)
    assert distance(found, wanted) < 3e-2
    assert sessions[0].decisions.count(False) == times
    assert bits(sessions[0], RANGE) == len(sessions[0].decisions)


# ---- stopping early --------------------------------------------------------------------------------------------------


def test_a_run_stops_where_its_steps_have_become_small() -> None:
    solver = Gradient(learning_rate=0.5, iterations=200, tolerance=0.01, check_every=5)
    found, _, sessions = steered(solver, C=0.01)
    stopped = 5 * len(sessions[0].decisions)
    assert sessions[0].decisions == [False] * (stopped // 5 - 1) + [True]
    _, wanted, _ = steered(Gradient(learning_rate=0.5, iterations=stopped), C=0.01)
    assert distance(found, wanted) < 1e-3
    assert stopped < 100 and bits(sessions[0], STOP) == stopped // 5


def test_nothing_of_a_run_is_revealed_on_the_way_unless_the_job_asks() -> None:
    _, _, sessions = steered(Gradient(learning_rate=0.5, iterations=20))
    assert sessions[0].decisions == []
    assert bits(sessions[0], RANGE) == bits(sessions[0], STOP) == 0
