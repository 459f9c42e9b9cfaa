"""Training that is cut off and goes on: the weights, the plan, and what a party sees of both runs.

*How far two runs may be apart.* Each rounds at random in every iteration; apart from that they are the same map, which
for these step sizes brings two states no further from each other. So the distance of the weights is that of a sum of
roundings, two for each iteration, and heavy-ball momentum m lets none grow beyond 1 / (1 - sqrt(m)) of itself.

- logistic: a sum of 2 K products of numbers rounded at 16 bits (`protocols/sigmoid.py`), whose errors are independent
  of each other and of mean zero, since the masks are uniform: a standard deviation of s = 2^-16 sqrt(2 K / 24) / factor
  a row, factor >= 1/2. Through lr/n X.T, with columns of norm sqrt(n), that is a vector of size lr s sqrt(d / n).
  Truncation at 27 bits or more and dropped bits of z are far below. The tolerance is five times the root of the sum of
  the squares.
- linear: truncation alone, less than one unit of 2^-23 a weight and iteration, whatever the masks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from mpcfl.data.facts import Facts
from mpcfl.errors import GuardError, PartyError
from mpcfl.models.families import Parameters, mixture_of, objective_of
from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.selection import selection_of
from mpcfl.models.settings import Settings
from mpcfl.models.training import Outcome, train
from mpcfl.protocols.harmonics import Series, fingerprint
from mpcfl.sharing.checkpoints import agree_on_checkpoints
from mpcfl.sharing.keeper import Keeper
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty
from mpcfl.solvers.steering import STOP
from mpcfl.world.session import Session
from tests.joint import Array, facts_for, tables_of
from tests.parties import roster, run_with_sessions

CANCER = load_breast_cancer()
X: Array = (CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0)
Y: Array = CANCER.target.astype(np.float64)
ITERATIONS, EVERY = 12, 4
SERIES = Series(32, 32)


def objective(series: Series, l2: float) -> Objective:
    return Objective(loss=Logistic(series), penalty=Penalty(l2=l2))


LOGISTIC = Settings(
    model="logistic", objective=objective(SERIES, 1.0), solver=Gradient(learning_rate=0.5, iterations=ITERATIONS)
)
LINEAR = Settings(solver=Gradient(learning_rate=0.05, iterations=ITERATIONS))


@dataclass
class Fit:
    """A run, whether it came to its end or not; lists are by rank."""

    settings: Settings
    facts: Facts
    outcomes: list[Outcome] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    plans: list[Keeper] = field(default_factory=lambda: [Keeper()] * 3)

    @property
    def weights(self) -> Array:
        return np.append(self.outcomes[0].coefficients, self.outcomes[0].intercept)

    def received(self, rank: int) -> set[int]:
        """All 64-bit words that this party was sent in messages of at least 31 of them."""
        views = [view for view in self.sessions[rank].wire.view if view.dtype == torch.uint8 and view.numel() >= 8 * 31]
        return {word for view in views for word in view[: view.numel() // 8 * 8].view(torch.int64).tolist()}


class CutOff(Exception):
    """A party is gone."""


def fit(settings: Settings, folder: Path, *, partition: str = "horizontal", cut_off_at: int = 0, loops: int = 0) -> Fit:
    """Two compute parties and a dealer who owns rows too; `cut_off_at`: p1 is gone as it begins that iteration, of the
    first loop that has one or after so many `loops`."""
    who = roster(2, owners=3)
    tables = tables_of(X, Y, who.owners, partition)
    run = Fit(settings, facts_for(tables, who, partition))

    def program(session: Session) -> Outcome:
        left = loops

        def gone(what: str, begins: int, _: int) -> None:
            nonlocal left
            if session.rank == 1 and what != "doubling" and 0 < begins == cut_off_at:
                if not left:
                    raise CutOff
                left -= 1

        session.on_step = gone
        run.sessions.append(session)
        with agree_on_checkpoints(session, folder=folder, keys=folder / "keys", job="j", every=EVERY) as keeper:
            outcome = train(session, run.facts, settings, tables.get(session.rank), keeper)
            run.plans[session.rank] = keeper.planned()
        return outcome

    try:
        run.outcomes, _ = run_with_sessions(who, program)
    except (CutOff, PartyError):
        assert cut_off_at
    run.sessions.sort(key=lambda session: session.rank)
    return run


def fit_in_two_runs(settings: Settings, folder: Path, partition: str = "horizontal") -> list[Fit]:
    """Cut off in the seventh iteration: six are done, four of them are kept."""
    return [fit(settings, folder, partition=partition, cut_off_at=7), fit(settings, folder, partition=partition)]


def tolerance(settings: Settings) -> float:
    """See above."""
    solver, d = settings.solver, X.shape[1] + 1
    if isinstance(solver, FixedHessian | Newton):
        return 5e-4  # ten times what the gradient's rounding is after the inverse, where seen
    if isinstance(solver, Admm):
        return 2e-6  # ten times what the solution for the same signs is apart, where seen
    assert isinstance(solver, Gradient)
    growth = 1 / (1 - math.sqrt(solver.momentum))
    if settings.model == "linear":
        return growth * 2 * ITERATIONS * math.sqrt(d) * 2.0**-23
    row = 2.0**-15 * math.sqrt(2 * SERIES.terms / 24)
    step = solver.learning_rate * row * math.sqrt(d / (solver.batch or len(X)))
    return 5 * growth * step * math.sqrt(2 * ITERATIONS)


OPTIMUM = replace(LOGISTIC, objective=objective(Series(64, 64), 10.0))
AUTO = Parameters(C=1.0, sigmoid={"range": "auto", "error": 1e-4})
WIDENED = replace(
    LOGISTIC,
    objective=objective_of("logistic", AUTO),
    solver=Gradient(learning_rate=0.5, iterations=ITERATIONS, init="random", check_every=2),
)
LASSO = Settings(
    model="lasso",
    penalty=mixture_of("lasso", Parameters(alpha=0.03)),
    solver=Admm(iterations=ITERATIONS, refits=3),
)
SELECTION = selection_of("logistic", Parameters(), values=(0.01, 1.0), folds=2)
SELECT = replace(LOGISTIC, selection=SELECTION, objective=SELECTION.objectives[0])
BATCHES = {"batch": 100, "momentum": 0.5}
CASES = {
    "logistic": (LOGISTIC, "horizontal"),
    "logistic, vertical": (LOGISTIC, "vertical"),
    "logistic, batches and momentum": (replace(LOGISTIC, solver=replace(LOGISTIC.solver, **BATCHES)), "horizontal"),
    "logistic, with its loss on the way": (
        replace(LOGISTIC, solver=replace(LOGISTIC.solver, loss_every=3)),
        "horizontal",
    ),
    "a penalty by cross-validation": (SELECT, "horizontal"),
    "fixed Hessian": (replace(OPTIMUM, solver=FixedHessian(iterations=30)), "horizontal"),
    "Newton": (replace(OPTIMUM, solver=Newton(iterations=9)), "vertical"),
    "a range that was widened": (WIDENED, "horizontal"),
    "lasso": (LASSO, "vertical"),
    "linear": (LINEAR, "horizontal"),
    "linear, Nesterov": (replace(LINEAR, solver=replace(LINEAR.solver, momentum=0.5, nesterov=True)), "vertical"),
    "linear, batches and momentum": (replace(LINEAR, solver=replace(LINEAR.solver, **BATCHES)), "horizontal"),
}


@pytest.mark.parametrize("settings, partition", CASES.values(), ids=CASES.keys())
def test_a_run_in_two_parts_ends_where_one_in_one_does(settings: Settings, partition: str, tmp_path: Path) -> None:
    whole = fit(settings, tmp_path / "whole", partition=partition)
    first, second = fit_in_two_runs(settings, tmp_path / "parts", partition)
    assert not first.outcomes and second.plans[0].start == 4
    apart = float(np.linalg.norm(whole.weights - second.weights))
    assert 0 < apart < tolerance(settings)
    assert tolerance(settings) < 1e-3 * np.linalg.norm(whole.weights)


@pytest.mark.parametrize("settings, partition", CASES.values(), ids=CASES.keys())
def test_a_run_that_resumes_costs_what_its_plan_says(settings: Settings, partition: str, tmp_path: Path) -> None:
    """At every party, to the byte: the plan is told where the run began, by `Keeper.planned`."""
    _, second = fit_in_two_runs(settings, tmp_path, partition)
    for session, plan in zip(second.sessions, second.plans, strict=True):
        dry = Session.dry(session.roster, session.rank, script=session.decisions)
        train(dry, second.facts, settings, None, plan)
        for phase in ("offline", "online"):
            assert dry.meter.exact().get(phase) == session.meter.exact().get(phase)


def test_a_range_that_was_widened_stays_so(tmp_path: Path) -> None:
    """The checkpoint says it: the second run does not leave the first range once more."""
    first, second = fit_in_two_runs(WIDENED, tmp_path)
    widened = first.sessions[0].decisions.count(False)
    assert widened and second.plans[0].stage == widened and all(second.sessions[0].decisions)


def test_what_was_zero_stays_zero(tmp_path: Path) -> None:
    """The signs that ADMM has found are part of its state."""
    whole = fit(LASSO, tmp_path / "whole", partition="vertical")
    _, second = fit_in_two_runs(LASSO, tmp_path / "parts", "vertical")
    assert 0 < np.count_nonzero(whole.weights == 0) < len(whole.weights)
    assert np.array_equal(whole.weights == 0, second.weights == 0)


def test_the_choice_and_the_training_with_it_are_made_again(tmp_path: Path) -> None:
    """Cut off in the final training, cross-validation is done: its last checkpoint is that of its last iteration."""
    whole = fit(SELECT, tmp_path / "whole")
    first = fit(SELECT, tmp_path / "parts", cut_off_at=7, loops=1)
    second = fit(SELECT, tmp_path / "parts")
    assert not first.outcomes and second.plans[0].start == ITERATIONS
    rounds = [run.sessions[0].meter.total("online").rounds for run in (whole, second)]
    assert rounds[0] - rounds[1] == 4 * ITERATIONS
    chosen = [run.outcomes[0].extras["selection"]["winner"] for run in (whole, second)]
    assert chosen[0] == chosen[1]
    assert np.linalg.norm(whole.weights - second.weights) < tolerance(SELECT)


def test_what_the_guard_saw_before_is_not_forgotten(tmp_path: Path) -> None:
    """Rows are out of the range in the first iterations only, before the checkpoint: there are still no weights."""
    shrinking = Gradient(learning_rate=0.5, iterations=ITERATIONS, init="random")
    settings = replace(LOGISTIC, objective=objective(Series(16, 16), 1.6 * len(X)), solver=shrinking)
    with pytest.raises(GuardError, match="left the range"):
        fit(settings, tmp_path / "whole")
    with pytest.raises(GuardError, match="left the range"):
        fit_in_two_runs(settings, tmp_path / "parts")


def test_the_iterations_that_are_done_cost_nothing_again(tmp_path: Path) -> None:
    """Four rounds each. Sharing and pinning the rows is done again: they are kept nowhere."""
    whole = fit(LOGISTIC, tmp_path / "whole")
    _, second = fit_in_two_runs(LOGISTIC, tmp_path / "parts")
    for rank in (0, 1):
        rounds = [run.sessions[rank].meter.total("online").rounds for run in (whole, second)]
        assert rounds[0] - rounds[1] == 4 * 4


def test_nothing_that_a_party_saw_of_one_run_comes_again(tmp_path: Path) -> None:
    """Not one word of it but the public coefficients of the series, which the parties compare: rows, weights and
    gradients are opened under masks of this run alone."""
    first, second = fit_in_two_runs(LOGISTIC, tmp_path)
    public = set(np.frombuffer(fingerprint(SERIES), dtype=np.int64).tolist())
    for rank in (0, 1):
        before, after = (run.received(rank) for run in (first, second))
        assert min(len(before), len(after)) > X.size
        assert before & after == public


def test_a_run_without_checkpoints_is_the_run_that_it_was(tmp_path: Path) -> None:
    """Keeping costs nothing online or offline."""
    who = roster(2, owners=3)
    tables = tables_of(X, Y, who.owners, "horizontal")
    facts = facts_for(tables, who, "horizontal")
    _, sessions = run_with_sessions(who, lambda s: train(s, facts, LOGISTIC, tables.get(s.rank)))
    kept = fit(LOGISTIC, tmp_path)
    for plain, session in zip(sessions, kept.sessions, strict=True):
        for phase in ("offline", "online"):
            assert plain.meter.exact().get(phase) == session.meter.exact().get(phase)


def test_the_ledger_of_a_run_that_resumes_has_what_was_revealed_before(tmp_path: Path) -> None:
    looking = replace(LOGISTIC, solver=replace(LOGISTIC.solver, tolerance=1e-6, check_every=2))
    whole = fit(looking, tmp_path / "whole")
    _, resumed = fit_in_two_runs(looking, tmp_path / "parts")
    for session in resumed.sessions:  # of the looks after 2, 4 and 6 iterations two came after the checkpoint
        before = [entry["what"] for entry in session.ledger if entry.get("earlier_run")]
        assert before == [STOP] * 3
        assert [entry["what"] for entry in session.ledger[3:]] == [e["what"] for e in whole.sessions[0].ledger[2:]]
