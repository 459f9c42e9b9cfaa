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

import torch

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel, run, together
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.hessian import (
    FARTHEST,
    hessian,
    majorant_inverse,
    require_curvature,
    scales_of,
    squares_of,
)
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.pinned_rows import PinnedRows, pin_rows
from mpcfl.solvers.preconditioner import Sum, doubled, mixes
from mpcfl.solvers.row_gradient import Scales, count, layout_of, predictor, pulled_back, with_decay
from mpcfl.solvers.solution import Optimum, arrived
from mpcfl.solvers.steering import stayed
from mpcfl.world.session import Session

ROUNDS = 11  # a step, beyond those of the loss
_WEIGHT_SCALE = 26
_GRADIENT_SCALE = 30
_RESIDUAL_SCALE = 22
_RESIDUAL_BOUND = 10.0  # of R, which is not symmetric: below 1.1 where seen
_INVERSE_BOUND = 2.0**21
STEPS = mixes(2, 3 / 16)  # S0 H in [3/16, 2 - 3/16], so V H in [1/4, 2.4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Newton:
    """doublings: of the first inverse, 4 to 11. tolerance: the run fails unless the last step changes no weight by
    more; what is left is then less by far, since the steps shrink faster and faster."""

    iterations: int = 10
    doublings: int = 8
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.tolerance <= 0:
            raise JobError("[solver] newton needs iterations >= 1 and tolerance > 0")
        if not 4 <= self.doublings <= 11:
            raise JobError("[solver] doublings must be 4 to 11")

    def check(self, objective: Objective) -> None:
        """JobError for a loss or a penalty that it cannot be used with."""
        require_curvature(objective, "newton")
        if not objective.loss.has_curvature or objective.loss.classes > 1:
            what = "more than two classes" if objective.loss.classes > 1 else "this model"
            raise JobError(f"[solver] newton cannot be used with {what}", hint='use [solver] name = "fixed_hessian"')


@dataclass(frozen=True, slots=True)
class _State:
    """w (d',), inverse (d', d') of the Hessian at the last point, change (d',): the last step; left (): rows that left
    the range."""

    w: Share
    inverse: Share
    change: Share
    left: Share

    @property
    def shares(self) -> dict[str, Share]:
        """By the names of the fields, for a keeper."""
        return {name: getattr(self, name) for name in ("w", "inverse", "change", "left")}


class _Problem:
    """What stays the same from step to step, all public but the rows."""

    def __init__(self, rows: PinnedRows, objective: Objective, scales: Scales, features: int, squares: float) -> None:
        self.rows, self.objective, self.scales = rows, objective, scales
        self.features, self.squares = features, squares


def train_newton(
    session: Session,
    facts: Facts,
    objective: Objective,
    solver: Newton,
    fit_intercept: bool,
    own: Source | None,
    keeper: Keeper,
) -> Optimum:
    """Cost: that of `pin_rows`, 2 + 2 `doublings` rounds for the first inverse, 6 for the first step and 12 for each of
    the others, 6 at the end."""
    solver.check(objective)
    objective.loss.agree(session)
    objective = objective.over(facts.training_rows)
    scales, squares, features = scales_of(facts, objective), squares_of(facts, objective), len(facts.features)
    (rows,) = pin_rows(session, own, facts, batches(facts, 0), layout_of(facts, objective, scales, fit_intercept))
    problem = _Problem(rows, objective, scales, features, squares)
    inverse = run(session, majorant_inverse(rows, objective, scales, features, squares, solver.doublings))
    w = zeros(session, (features + fit_intercept,), scale=min(_WEIGHT_SCALE, scales.weights))
    fresh = _State(w, inverse, w, zeros(session, (), scale=objective.loss.guard_scale(scales.bits)))
    done, shares = keeper.resume(fresh.shares)
    state = _State(**shares)
    for k in range(done, solver.iterations):
        session.step("Newton", k + 1, solver.iterations)
        state = run(session, _step(problem, state, curved=k > 0))
        keeper.offer(k + 1, state.shares)
    reached, in_range = together(session, arrived(state.change, solver.tolerance), stayed(state.left))
    return Optimum(state.w, in_range, reached, rows.held_out)


def _step(problem: _Problem, state: _State, *, curved: bool) -> Protocol:
    """The state after one more step: by a new inverse where `curved`, by the last one otherwise."""
    scales, loss, inverse = problem.scales, problem.objective.loss, Pinned(state.inverse)
    z, _ = yield from parallel(predictor(problem.rows, state.w, scales), inverse.opening())
    derivative = loss.with_curvature if curved else loss.derivative
    value, gone, *curvature = yield from derivative(z, bits=scales.bits, factor=scales.factor)
    move = _solved(problem, value, inverse, state.w)
    if curved:
        change, residual = yield from parallel(move, _residual(problem, curvature[0], inverse))
        found, change = yield from doubled(residual, _sums(state.inverse, change), STEPS)
    else:
        found, change = state.inverse, (yield from move)
    gone = count(gone)
    left = state.left if gone is None else state.left + gone
    return _State((state.w - change.at_scale(state.w.scale)).within(FARTHEST), found, change, left)


def _solved(problem: _Problem, value: Share, inverse: Pinned, w: Share) -> Protocol:
    """V g at the scale of the weights. Cost: 4 rounds, n + 3 d' elements."""
    scales = problem.scales
    total = yield from pulled_back(problem.rows, value, problem.objective, scales)
    total = with_decay(total, w, problem.objective, scales, problem.features).divided_by_power(scales.shift)
    g = yield from truncation(total, total.scale - _GRADIENT_SCALE)
    change = (yield from inverse.times(g)).within(FARTHEST)
    return (yield from truncation(change, change.scale - w.scale))


def _residual(problem: _Problem, curvature: Share, inverse: Pinned) -> Protocol:
    """I - 3/4 V H. Cost: 6 rounds."""
    h = yield from hessian(
        problem.rows, curvature, problem.objective, problem.scales, problem.features, problem.squares
    )
    product = _three_quarters((yield from inverse.times(h)).within(_RESIDUAL_BOUND))
    short = yield from truncation(product, product.scale - _RESIDUAL_SCALE)
    return (-short + torch.eye(len(h), dtype=torch.float64)).within(_RESIDUAL_BOUND)


def _sums(inverse: Share, change: Share) -> list[Sum]:
    return [
        Sum(_three_quarters(inverse), inverse.scale, lambda _: _INVERSE_BOUND),
        Sum(_three_quarters(change), change.scale, lambda _: FARTHEST),
    ]


def _three_quarters(x: Share) -> Share:
    return (x * 3).divided_by_power(2)
