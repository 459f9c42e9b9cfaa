"""Newton's method: twelve rounds a step, n d' + 3.5 n elements and ten times d'^2; right where rounds are dear, or the
problem is badly conditioned, and rows not too many.

    round 1    open w - b; V pinned           z = X w                      V: the last inverse
    round 2    open z - r (half words)        e = f(z) - response          curvature s from the same opening
    3, 4       gradient g short               s short, s_i x_ij
    5, 6       b = V g                        H = X.T S X + l2             the one opening of n d' elements
    7, 8                                      R = I - S0 H, S0 = 3/4 V
    9 to 12    V <- p(R) S0, b <- p(R) 3/4 b: two Chebyshev doublings (`mpcfl.solvers.preconditioner`); w <- w - b

From w = 0 a step of Newton's method on a loss as flat as the logistic one changes its curvature in any direction by a
factor of 1/5 to 1.2 or so, also where classes are separable: the last inverse is so near that two doublings do. The
first is that of the largest Hessian that can be. Were the curvature to grow by more than 2.4 in one step the iteration
would diverge; the last step says so. The Hessian preconditions only: its rounding costs steps and no accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.errors import JobError
from mpcfl.protocols.rounds import Protocol, run, together
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import zeros
from mpcfl.solvers.hessian import (
    majorant_inverse,
    require_curvature,
    scales_of,
    squares_of,
)
from mpcfl.solvers.iterating import iterated
from mpcfl.solvers.newton_step import NewtonState, Problem, newton_step
from mpcfl.solvers.objective import Loss, Objective
from mpcfl.solvers.pinned_rows import Watch, pin_rows
from mpcfl.solvers.row_gradient import layout_of
from mpcfl.solvers.solution import Optimum, arrived
from mpcfl.solvers.steering import stayed
from mpcfl.world.session import Session

_WEIGHT_SCALE = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Newton:
    """doublings: of the first inverse, 4 to 11. tolerance: the run fails unless the last step changes no weight by
    more; what is left is then less by far, since the steps shrink faster and faster. loss_every: as in `Gradient`."""

    iterations: int = 10
    doublings: int = 8
    tolerance: float = 0.05
    loss_every: int = 0

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.tolerance <= 0 or self.loss_every < 0:
            raise JobError("[solver] newton needs iterations >= 1, tolerance > 0 and loss_every >= 0")
        if not 4 <= self.doublings <= 11:
            raise JobError("[solver] doublings must be 4 to 11")

    @staticmethod
    def rounds(loss: Loss, rows: int) -> int:
        """Of a step, beyond the first."""
        return loss.rounds_of(rows) + 11

    def check(self, objective: Objective) -> None:
        """JobError for a loss or a penalty that it cannot be used with."""
        require_curvature(objective, "newton", everywhere=False)
        if not objective.loss.has_curvature or objective.loss.classes > 1:
            what = "more than two classes" if objective.loss.classes > 1 else "this model"
            raise JobError(f"[solver] newton cannot be used with {what}", hint='use [solver] name = "fixed_hessian"')


def train_newton(
    session: Session,
    facts: Facts,
    objective: Objective,
    solver: Newton,
    fit_intercept: bool,
    own: Source | None,
    keeper: Keeper,
    watch: Watch | None = None,
) -> Optimum:
    """Cost: that of `pin_rows`, 2 + 2 `doublings` rounds for the first inverse, 6 for the first step and 12 for each of
    the others, 6 at the end."""
    solver.check(objective)
    objective.loss.agree(session)
    objective = objective.over(facts.training_rows)
    scales, squares, features = scales_of(facts, objective), squares_of(facts, objective), len(facts.features)
    layout = layout_of(facts, objective, scales, fit_intercept, scored=watch is not None)
    (rows,) = pin_rows(session, own, facts, batches(facts, 0), layout)
    keeper = watch(keeper, rows) if watch else keeper
    inverse = run(session, majorant_inverse(rows, objective, scales, features, squares, solver.doublings))
    w = zeros(session, (features + fit_intercept,), scale=min(_WEIGHT_SCALE, scales.weights))
    left = zeros(session, (), scale=objective.loss.guard_scale(scales.bits))

    def step(objective: Objective, state: NewtonState, k: int) -> Protocol:
        return newton_step(Problem(rows, objective, scales, features, squares), state, curved=k > 0)

    state, _ = iterated(
        session,
        "Newton",
        NewtonState(w=w, inverse=inverse, change=w, left=left),
        step,
        objective=objective,
        iterations=solver.iterations,
        check_every=1,
        keeper=keeper,
    )
    reached, in_range = together(session, arrived(state.change, solver.tolerance), stayed(state.left, objective.loss))
    return Optimum(state.w, in_range, reached, rows.held_out)
