"""Gradient descent under MPC goes the steps of the loop that anyone would write in float64, at P8's price."""

import numpy as np
import pytest

from mpcfl.data.batches import STEP_SCALE, batches
from mpcfl.errors import GuardError, HeadroomError, JobError
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.steering import STOP
from mpcfl.world.session import Session
from tests.joint import Array, Run, distance, facts_for, tables_of, train_jointly
from tests.parties import roster, run_with_sessions

PARTITIONS = ("horizontal", "vertical")
RNG = np.random.default_rng(1)
X = RNG.normal(size=(100, 10))
Y = X @ RNG.normal(size=10) + 0.1 * RNG.normal(size=100)


def loop(run: Run, x: Array, y: Array, settings: Settings) -> Array:
    """Weights, the intercept last if there is one."""
    solver, n, d = settings.solver, *x.shape
    assert isinstance(solver, Gradient)
    z = np.c_[x, np.ones(n)] if settings.fit_intercept else x
    penalty = np.append(np.full(d, settings.alpha / n), [0.0] * settings.fit_intercept)
    w = solver.start(run.facts, settings.fit_intercept).numpy().copy()
    velocity = np.zeros_like(w)
    chosen = batches(run.facts, solver.batch)
    for i in range(solver.iterations):
        rows = chosen[i % len(chosen)]
        at = w - solver.momentum * velocity if solver.nesterov else w
        gradient = z[rows].T @ (z[rows] @ at - y[rows]) / len(rows) + penalty * at
        velocity = solver.momentum * velocity + solver.learning_rate * gradient
        w = w - velocity
    return w


def found(run: Run, settings: Settings) -> Array:
    return np.append(run.outcome.coefficients, [run.outcome.intercept] * settings.fit_intercept)


# ---- the seed of the project -----------------------------------------------------------------------------------------


def test_the_example_that_the_project_grew_from() -> None:
    """X 100 x 10, y 100 x 1, two participants with 50 rows each, w random, learning rate 0.01, 10 iterations."""
    solver = Gradient(learning_rate=0.01, iterations=10, init="random")
    settings = Settings(solver=solver, fit_intercept=False)
    run = train_jointly(X, Y, settings, who=roster(2), cuts=[50])
    w = solver.start(run.facts, False).numpy()
    assert np.abs(w).min() > 0  # it does start at random
    for _ in range(10):
        w = w - 0.01 * X.T @ (X @ w - Y) / 100
    assert distance(run.outcome.coefficients, w) < 1e-5  # asked for: 1e-4
    assert run.revealed() == ["weights"]


# ---- the same steps --------------------------------------------------------------------------------------------------

CASES = {
    "plain": Settings(solver=Gradient(learning_rate=0.1, iterations=40)),
    "momentum": Settings(solver=Gradient(learning_rate=0.05, iterations=40, momentum=0.9)),
    "nesterov": Settings(solver=Gradient(learning_rate=0.05, iterations=40, momentum=0.9, nesterov=True)),
    "nesterov, batches, ridge": Settings(
        model="ridge",
        alpha=5.0,
        solver=Gradient(learning_rate=0.05, iterations=30, batch=30, momentum=0.5, nesterov=True, init="random"),
    ),
    "batches": Settings(solver=Gradient(learning_rate=0.05, iterations=30, batch=17)),
    "batches of one row": Settings(solver=Gradient(learning_rate=0.01, iterations=50, batch=1)),
    "random start": Settings(solver=Gradient(learning_rate=0.1, iterations=5, init="random")),
    "no intercept": Settings(solver=Gradient(learning_rate=0.1, iterations=20), fit_intercept=False),
    "ridge": Settings(model="ridge", alpha=30.0, solver=Gradient(learning_rate=0.1, iterations=30)),
    "all at once": Settings(
        model="ridge",
        alpha=5.0,
        solver=Gradient(learning_rate=0.05, iterations=25, batch=33, momentum=0.5, init="random"),
    ),
    "one iteration": Settings(solver=Gradient(learning_rate=0.1, iterations=1)),
}


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_those_of_the_loop(name: str, partition: str) -> None:
    run = train_jointly(X, Y, CASES[name], partition=partition)
    assert distance(found(run, CASES[name]), loop(run, X, Y, CASES[name])) < 1e-5


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("compute, owners", [(2, 2), (3, 4), (5, 5)])
def test_whoever_computes_and_owns(compute: int, owners: int, partition: str) -> None:
    settings = CASES["momentum"]
    run = train_jointly(X, Y, settings, who=roster(compute, owners=owners), partition=partition)
    assert distance(found(run, settings), loop(run, X, Y, settings)) < 1e-5


def test_a_thousand_iterations_do_not_drift() -> None:
    settings = Settings(solver=Gradient(learning_rate=0.1, iterations=1000))
    run = train_jointly(X, Y, settings)
    assert distance(found(run, settings), loop(run, X, Y, settings)) < 1e-5


def test_an_owner_may_have_no_row_in_a_batch() -> None:
    settings = Settings(solver=Gradient(learning_rate=0.05, iterations=30, batch=5))
    run = train_jointly(X, Y, settings, cuts=[1, 2])
    assert distance(found(run, settings), loop(run, X, Y, settings)) < 1e-5


def test_larger_weights_cost_bits() -> None:
    """weight_bound 2^20 leaves 13 fractional bits."""
    solver = Gradient(learning_rate=0.1, iterations=40, weight_bound=2.0**20)
    settings = Settings(solver=solver)
    run = train_jointly(X, Y * 1000, settings)
    error = np.abs(found(run, settings) - loop(run, X, Y * 1000, settings)).max()
    assert 2.0**-15 < error < 40 * 2.0**-13


# ---- P8 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("iterations", [1, 10, 25])
def test_an_iteration_is_two_rounds_and_2d_elements(iterations: int, fit_intercept: bool, momentum: float) -> None:
    """Beside them: U opened once, d^2, in the round of the first product; and the weights revealed, a round and d
    elements to each other receiver."""
    solver = Gradient(learning_rate=0.01, iterations=iterations, momentum=momentum)
    run = train_jointly(X, Y, Settings(solver=solver, fit_intercept=fit_intercept), who=roster(2))
    d = 10 + fit_intercept
    assert run.cost().rounds == 2 * iterations + 1
    assert run.cost().bytes == 8 * (2 * d * iterations + d**2 + d)


def test_more_parties_send_the_same_to_each() -> None:
    d, iterations = 11, 10
    settings = Settings(solver=Gradient(learning_rate=0.1, iterations=iterations))
    for compute in (3, 5):
        run = train_jointly(X, Y, settings, who=roster(compute, owners=compute))
        to_each = 8 * (2 * d * iterations + d**2 + d)
        # whoever deals and owns no data learns nothing, so the weights go to the other compute parties
        assert [run.cost(rank=rank).bytes for rank in range(compute)] == [(compute - 1) * to_each] * compute


def test_each_batch_is_opened_once() -> None:
    d = 10
    solver = Gradient(learning_rate=0.01, iterations=12, batch=25)
    run = train_jointly(X, Y, Settings(solver=solver, fit_intercept=False), who=roster(2))
    assert run.cost().rounds == 25
    assert run.cost().bytes == 8 * (2 * d * 12 + 4 * d**2 + d)


def test_an_owner_who_does_not_compute_sends_each_batch_once() -> None:
    """One round more for all; (d + 2)^2 elements a batch: features, intercept, target."""
    solver = Gradient(learning_rate=0.01, iterations=12, batch=25)
    run = train_jointly(X, Y, Settings(solver=solver))
    assert run.cost().rounds == 1 + 2 * 12 + 1
    assert run.cost(rank=2).bytes == 8 * 4 * 12**2


def test_a_vertical_run_opens_the_table_once() -> None:
    """n D elements in a round, the Gram matrix truncated in another; then as in a horizontal run."""
    solver = Gradient(learning_rate=0.01, iterations=10)
    run = train_jointly(X, Y, Settings(solver=solver, fit_intercept=False), who=roster(2), partition="vertical")
    d, n = 10, 100
    assert run.cost().rounds == 2 + 2 * 10 + 1
    assert run.cost().bytes == 8 * (n * (d + 1) + d * (d + 1) + 2 * d * 10 + d**2 + d)


def test_the_dealer_sends_three_d_an_iteration() -> None:
    """The product of the mask with the mask of w, and two words a truncation."""
    prices = [
        train_jointly(
            X, Y, Settings(solver=Gradient(learning_rate=0.01, iterations=k), fit_intercept=False), who=roster(2)
        ).cost("offline", 2)
        for k in (1, 11)
    ]
    assert prices[0].bytes == 8 * 3 * 10 and prices[1].bytes == 8 * 3 * 10 * 11


# ---- refused before anything is shared -------------------------------------------------------------------------------


def refused(x: Array, y: Array, settings: Settings, partition: str) -> tuple[str, list[Session]]:
    """The message of an owner that refuses, and the sessions of all that do."""
    who = roster(2, owners=3)
    tables = tables_of(x, y, who.owners, partition)
    facts = facts_for(tables, who, partition)
    sessions: list[Session] = []

    def program(session: Session) -> None:
        try:
            train(session, facts, settings, tables.get(session.rank))
        except GuardError:
            sessions.append(session)
            raise

    with pytest.raises(GuardError) as caught:
        run_with_sessions(who, program)
    return str(caught.value), sessions


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_learning_rate_that_diverges_is_refused_before_the_table_is_shared(partition: str) -> None:
    settings = Settings(solver=Gradient(learning_rate=3.0, iterations=10))
    message, sessions = refused(X, Y, settings, partition)
    assert "learning_rate = 3 makes gradient descent diverge on this table" in message
    assert "hint: use a smaller learning_rate" in message
    assert sessions and all("online" not in session.meter.exact() for session in sessions)
    assert not any(session.ledger for session in sessions)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_columns_as_measured_make_any_common_learning_rate_diverge(partition: str) -> None:
    message, _ = refused(X * 1e5, Y, Settings(solver=Gradient(learning_rate=0.01)), partition)
    assert "diverge on this table" in message and "bring the columns to mean 0 and variance 1" in message


@pytest.mark.parametrize("partition", PARTITIONS)
def test_weights_that_might_pass_their_bound_are_refused(partition: str) -> None:
    solver = Gradient(learning_rate=0.01, iterations=100, weight_bound=16.0)
    message, _ = refused(X, Y * 1000, Settings(solver=solver), partition)
    assert "weight_bound" in message and "bring the target to mean 0 and variance 1" in message


def test_a_penalty_that_diverges_is_refused() -> None:
    """The step of w itself is 1 - learning_rate (largest eigenvalue + alpha / n)."""
    settings = Settings(model="ridge", alpha=1e4, solver=Gradient(learning_rate=0.1, iterations=10))
    with pytest.raises((GuardError, HeadroomError, JobError)) as caught:
        train_jointly(X, Y, settings)
    assert "learning_rate" in str(caught.value) or "alpha" in str(caught.value)


def test_a_stable_setting_is_never_refused_for_being_near_the_edge() -> None:
    """1.6 over the largest eigenvalue of every owner's part still converges."""
    largest = max(float(np.linalg.eigvalsh(np.c_[X, np.ones(100)][r].T @ np.c_[X, np.ones(100)][r] / len(r))[-1])
                  for r in np.array_split(np.arange(100), 3))  # fmt: skip
    settings = Settings(solver=Gradient(learning_rate=1.6 / largest, iterations=100))
    run = train_jointly(X, Y, settings, cuts=[34, 67])
    assert distance(found(run, settings), loop(run, X, Y, settings)) < 1e-4


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [
        {"learning_rate": 0.0},
        {"learning_rate": -0.1},
        {"iterations": 0},
        {"batch": -1},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"weight_bound": 0.5},
        {"weight_bound": 2.0**25},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(JobError, match=next(iter(setting))):
        Gradient(**{"learning_rate": 0.1, **setting})  # type: ignore[arg-type]


def test_standard_errors_belong_to_the_other_solver() -> None:
    with pytest.raises(JobError, match="standard errors are computed at the optimum"):
        Settings(solver=Gradient(learning_rate=0.1), standard_errors=True)


def test_a_random_start_is_public_and_follows_from_the_seed() -> None:
    solver = Gradient(learning_rate=0.1, init="random")
    who = roster(2)
    tables = tables_of(X, Y, who.owners, "horizontal")
    starts = [solver.start(facts_for(tables, who, "horizontal", seed=seed), True) for seed in (0, 0, 1)]
    assert starts[0].equal(starts[1]) and not starts[0].equal(starts[2])
    assert starts[0].shape == (11,)


def test_momentum_is_applied_to_26_bits() -> None:
    assert STEP_SCALE == 26
    settings = Settings(solver=Gradient(learning_rate=0.01, iterations=60, momentum=0.99))
    run = train_jointly(X, Y, settings)
    assert distance(found(run, settings), loop(run, X, Y, settings)) < 1e-4


def test_a_batch_larger_than_the_tables_is_refused() -> None:
    with pytest.raises(JobError, match="batch = 101 is more than the 100 rows"):
        train_jointly(X, Y, Settings(solver=Gradient(learning_rate=0.1, batch=101)))


# ---- Nesterov's momentum, and stopping early -------------------------------------------------------------------------


def test_nesterov_costs_no_round_and_half_as_much_again() -> None:
    """Besides m U, made once: one round and d^2 elements, and another opening of d^2."""
    heavy, nesterov = (
        train_jointly(X, Y, Settings(solver=Gradient(learning_rate=0.05, iterations=40, momentum=0.9, nesterov=n)))
        for n in (False, True)
    )
    d = X.shape[1] + 1
    assert nesterov.cost().rounds == heavy.cost().rounds + 1
    assert nesterov.cost().bytes - heavy.cost().bytes == 8 * (2 * d * d + 40 * d)


def test_a_step_that_is_stable_with_heavy_balls_only_is_refused() -> None:
    """Nesterov's is so up to (2 + 2 m) / (1 + 2 m) over the largest eigenvalue, heavy balls' to 2 and beyond."""
    parts = [np.c_[rows, np.ones(50)] for rows in (X[:50], X[50:])]
    largest = max(float(np.linalg.eigvalsh(part.T @ part / 50)[-1]) for part in parts)
    heavy, nesterov = (
        Settings(solver=Gradient(learning_rate=1.5 / largest, iterations=5, momentum=0.9, nesterov=n))
        for n in (False, True)
    )
    train_jointly(X, Y, heavy, who=roster(2))
    with pytest.raises(GuardError, match="diverge"):
        train_jointly(X, Y, nesterov, who=roster(2))


def test_a_run_stops_where_its_steps_have_become_small() -> None:
    """Not before a step is below the tolerance, and at the first look after it; each look is in the ledger."""
    wanted = Settings(
        solver=Gradient(learning_rate=0.1, iterations=100, tolerance=0.01, check_every=5, weight_bound=128)
    )
    who = roster(2)
    tables = tables_of(X, Y, who.owners, "horizontal")
    facts = facts_for(tables, who, "horizontal")
    outcomes, sessions = run_with_sessions(who, lambda s: train(s, facts, wanted, tables.get(s.rank)))
    looks = len(sessions[0].decisions)
    assert sessions[0].decisions == [False] * (looks - 1) + [True] and 1 < looks < 20
    assert [entry["what"] for entry in sessions[0].ledger].count(STOP) == looks
    run = Run(outcomes[0], outcomes, sessions, facts)
    steps = [
        loop(run, X, Y, Settings(solver=Gradient(learning_rate=0.1, iterations=k))) for k in range(1, 5 * looks + 1)
    ]
    moved = [float(np.linalg.norm(steps[k - 1] - steps[k - 2])) for k in range(5, 5 * looks + 1, 5)]
    assert moved[-1] < 0.01 <= moved[-2]
    assert distance(found(run, wanted), steps[-1]) < 1e-4
    dry = Session.dry(who, 0, script=sessions[0].decisions)
    train(dry, facts, wanted, None)
    assert dry.meter.exact()["online"] == sessions[0].meter.exact()["online"]
