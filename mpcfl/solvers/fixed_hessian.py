"""Nesterov's method preconditioned by a Hessian that is fixed: five rounds an iteration, 1.5 n + 4 d' elements.

    round 1   open v - b, and v + rho'     z = X v                   v also rounded, while its last bits are in use
    round 2   open z - r (half words)      e = f(z) - response
    round 3   open e - rho                 g = X.T e + l2 v
    round 4   open g + rho'                g short
    round 5   open g - b'                  w' = v - P g              P = (bound X.T X + l2)^-1, pinned and inverted once
                                           v = w' + m (w' - w)

P g needs no truncation where z matters modulo a period only: v may have many bits for as long as it takes to round
them. Otherwise a sixth round rounds v and w'.

No Hessian of the loss exceeds P^-1 (Boehning and Lindsay, 1988), so there is no learning rate. m = min(momentum,
k / (k + 4)) in iteration k. Where the curvature falls far below its bound (separable classes), take Newton's method.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel, run, together
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.hessian import FARTHEST, majorant_inverse, require_curvature, scales_of, squares_of
from mpcfl.solvers.iterating import State, iterated
from mpcfl.solvers.objective import Loss, Objective
from mpcfl.solvers.pinned_rows import PinnedRows, Watch, pin_rows
from mpcfl.solvers.row_gradient import Scales, count, layout_of, predictor, pulled_back, with_decay
from mpcfl.solvers.solution import Optimum, arrived
from mpcfl.solvers.steering import stayed
from mpcfl.world.session import Session

MOMENTUM_BITS = 5
_RAMP = 4
_CHECK_EVERY = 10  # iterations, where the range is "auto"
_FINER = 14  # bits of v beyond those that are kept, as it comes
_LARGEST_STEP = 8 * FARTHEST


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedHessian:
    """momentum: the most of it, rounded to 1/32. doublings: of the inverse, 4 to 11; more for columns that depend on
    each other. tolerance: the run fails unless the last step changes no weight by more. loss_every: as `Gradient`."""

    iterations: int = 40
    momentum: float = 0.75
    doublings: int = 10
    tolerance: float = 2e-4
    loss_every: int = 0

    def __post_init__(self) -> None:
        if self.iterations < 1 or not 0 <= self.momentum < 1 or self.tolerance <= 0 or self.loss_every < 0:
            raise JobError(
                "[solver] fixed_hessian needs iterations >= 1, 0 <= momentum < 1, tolerance > 0, loss_every >= 0"
            )
        if not 4 <= self.doublings <= 11:
            raise JobError("[solver] doublings must be 4 to 11")

    def check(self, objective: Objective) -> None:
        """JobError for a loss or a penalty that it cannot be used with."""
        require_curvature(objective, "fixed_hessian")

    @staticmethod
    def rounds(loss: Loss, rows: int) -> int:
        """Of an iteration."""
        return loss.rounds_of(rows) + (4 if loss.periodic else 5)

    def mix(self, k: int) -> int:
        """Momentum after iteration k = 0, 1, ..., in units of 1/32."""
        return math.floor(min(self.momentum, (k + 1) / (k + 1 + _RAMP)) * 2**MOMENTUM_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State(State):
    """w (d', ...), v where the momentum leads, change: the last step P g."""

    w: Share
    v: Share
    change: Share


def train_fixed_hessian(
    session: Session,
    facts: Facts,
    objective: Objective,
    solver: FixedHessian,
    fit_intercept: bool,
    own: Source | None,
    keeper: Keeper,
    watch: Watch | None = None,
) -> Optimum:
    """Cost: that of `pin_rows`; for the inverse 3 rounds and 2 a doubling; `rounds` an iteration; 6 at the
    end, as `_ending`."""
    solver.check(objective)
    objective.loss.agree(session)
    objective = objective.over(facts.training_rows)
    features, classes = len(facts.features), objective.loss.classes
    scales = scales_of(facts, objective, finer=_FINER if objective.loss.periodic else 0)
    layout = layout_of(facts, objective, scales, fit_intercept, scored=watch is not None)
    (rows,) = pin_rows(session, own, facts, batches(facts, 0), layout)
    keeper = watch(keeper, rows) if watch else keeper
    found = majorant_inverse(rows, objective, scales, features, squares_of(facts, objective), solver.doublings)
    inverse = Pinned(run(session, found))
    run(session, inverse.opening())
    width = features + fit_intercept
    shape = (width,) if classes == 1 else (width, classes)
    full = scales.weights + _FINER
    at_first = (full - MOMENTUM_BITS, full) if objective.loss.periodic else (scales.weights, scales.weights)
    change, (w, v) = (
        zeros(session, shape, scale=full - MOMENTUM_BITS),
        (zeros(session, shape, scale=s) for s in at_first),
    )
    left = zeros(session, (), scale=objective.loss.guard_scale(scales.bits))

    def step(objective: Objective, state: _State, k: int) -> Protocol:
        rows.expect(solver.iterations - k)
        return _step(rows, inverse, state, solver.mix(k), objective, scales, features)

    state, objective = iterated(
        session,
        "fixed Hessian",
        _State(w=w, v=v, change=change, left=left),
        step,
        objective=objective,
        iterations=solver.iterations,
        check_every=_CHECK_EVERY,
        keeper=keeper,
    )
    ending = _ending(rows, state, objective, scales)
    reached, (weights, in_range) = together(session, arrived(state.change, solver.tolerance), ending)
    return Optimum(weights, in_range, reached, rows.held_out)


def _ending(rows: PinnedRows, state: _State, objective: Objective, scales: Scales) -> Protocol:
    """(weights, bit: every row stayed in range). The guard of a periodic loss saw v by one period, so the rows are
    looked at once more, by all bits and at the weights themselves: where they are in range the optimum is that of the
    loss, since it is convex, whatever the way that led to it. Cost: 6 rounds; of a periodic loss d' + n / 2 elements
    more, and with an offset n."""
    w = yield from _short(state.w, scales.weights)
    left = state.left
    if objective.loss.periodic:
        looking = rows.x.times_watched(w, scales.turn)
        if rows.offset is None:
            z, away = yield from looking
        else:
            (z, away), offset = yield from parallel(looking, truncation(rows.offset, _FINER))
            z = z + offset
        _, gone = yield from objective.loss.derivative(z, bits=scales.bits, factor=scales.factor)
        left = left + count(gone, away)
    return w, (yield from stayed(left, objective.loss))


def _step(
    rows: PinnedRows, inverse: Pinned, state: _State, mix: int, objective: Objective, scales: Scales, features: int
) -> Protocol:
    """The state after one more iteration."""
    looked = _look(rows, state.v, objective, scales)
    (total, gone), v = yield from parallel(looked, _short(state.v, scales.weights))
    total = with_decay(total, v, objective, scales, features).divided_by_power(scales.shift)
    g = yield from truncation(total, total.scale - state.change.scale + inverse.x.scale)
    change = (yield from inverse.times(g)).within(_LARGEST_STEP)
    w = (v.at_scale(change.scale) - change).within(FARTHEST)
    ahead = w * ((1 << MOMENTUM_BITS) + mix) - state.w.at_scale(w.scale) * mix
    v = ahead.divided_by_power(MOMENTUM_BITS).within(2 * FARTHEST)
    if not objective.loss.periodic:
        w, v = yield from parallel(_short(w, scales.weights), _short(v, scales.weights))
    return _State(w=w, v=v, change=change, left=state.left + gone)


def _short(x: Share, scale: int) -> Protocol:
    """x at `scale`; no round where it is."""
    return (yield from truncation(x, x.scale - scale)) if x.scale > scale else x


def _look(rows: PinnedRows, v: Share, objective: Objective, scales: Scales) -> Protocol:
    """(X.T (f(z) - response), rows that left the range)."""
    z, away = yield from predictor(rows, v, scales)
    value, gone = yield from objective.loss.derivative(z, bits=scales.bits, factor=scales.factor)
    return (yield from pulled_back(rows, value, objective, scales)), count(gone, away)
