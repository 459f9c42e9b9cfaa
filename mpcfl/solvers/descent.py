"""Gradient descent over rows, four rounds an iteration for the logistic loss (PROTOCOLS.md, section 4).

    round 1     open w - b                 z = X w                    X pinned once for the whole fit
    round 2     open z - r (half words)    e = m (f(z) - response)    learning rate and 1/n are in the factor m
    round 3     open e - rho               g = X.T e + m l2 w
    round 4     open g + rho'              w <- w - g 2^-t            lr / n = m 2^-t, the power of two free

1.5 n + 2 d' elements, whatever d' is. The state is the last two iterates, so that either momentum is a public multiple
of it: a step starts from w + m (w - w_before), which takes d' elements more and no round, and the gradient is taken at
w (heavy ball) or at the start of the step too (Nesterov, 1983); the penalty is then part of that multiple, and takes no
headroom from the gradient. Every iteration adds to the guard how many rows have left the range in which f is right; one
comparison at the end says whether it was ever more than half a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.held_out import HeldOut
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty
from mpcfl.solvers.pinned_rows import Batches, PinnedRows, Watch, pin_rows
from mpcfl.solvers.row_gradient import Scales, largest_gradient, layout_of, row_gradient
from mpcfl.solvers.steering import in_range, settled, stayed
from mpcfl.world.session import Session

_MIX_BITS = 14  # of the momentum, where the gradient is taken
_MOVE_BITS = 20  # of momentum and penalty, where they move the weights


@dataclass(frozen=True, slots=True)
class State:
    """After some iterations: the last two iterates (d', ...) and the guard (), all shared."""

    w: Share
    before: Share
    left: Share

    @property
    def shares(self) -> dict[str, Share]:
        """By the names of the fields, for a keeper."""
        return {"w": self.w, "before": self.before, "left": self.left}


def descend(
    session: Session,
    facts: Facts,
    objective: Objective,
    solver: Gradient,
    fit_intercept: bool,
    own: Source | None,
    keeper: Keeper,
    watch: Watch | None = None,
) -> tuple[Share, Share, HeldOut | None]:
    """(weights (d',) or (d', classes), the intercept last; bit: no row ever left the range), both shared; and the rows
    that were held out.

    Cost: that of `pin_rows`, 4 rounds an iteration where f takes 1, with an l1 penalty 2 more, 3 for the guard; a check
    of the range 4, of the tolerance 6.
    """
    objective.loss.agree(session)
    objective = objective.over(facts.training_rows)
    chosen = batches(facts, solver.batch)
    scales = scales_of_descent(facts, objective, solver, max(map(len, chosen)))
    layout = layout_of(facts, objective, scales, fit_intercept, scored=watch is not None)
    rows = pin_rows(session, own, facts, chosen, layout)
    keeper = watch(keeper, Batches(rows.whole, batches(facts, 0))[0]) if watch else keeper
    first = solver.start(facts, fit_intercept, objective.loss.classes)
    state = iterate(session, rows, first, objective, solver, scales, len(facts.features), keeper)
    return state.w, run(session, stayed(state.left, objective.loss)), rows.whole.held_out


def iterate(
    session: Session,
    rows: Batches,
    first: torch.Tensor,
    objective: Objective,
    solver: Gradient,
    scales: Scales,
    features: int,
    keeper: Keeper,
) -> State:
    """The state after the solver's iterations on these batches, from the weights `first` (d', ...)."""
    w = zeros(session, tuple(first.shape), scale=scales.weights) + first
    fresh = State(w, w, zeros(session, (), scale=objective.loss.guard_scale(scales.bits)))
    done, shares = keeper.resume(fresh.shares)
    state, stage = State(**shares), keeper.stage
    objective = objective.widened(stage)
    checked = done, state  # what a run that leaves its range goes back to
    while done < solver.iterations:
        session.step("gradient descent", done + 1, solver.iterations)
        step = _step(rows.at_step(done, solver.iterations), state, objective, solver, scales, features)
        state, done = run(session, step), done + 1
        due, fixed = done % solver.check_every == 0 or done == solver.iterations, objective.loss.widened() is None
        if due and not fixed and not in_range(state.left, objective.loss):
            objective, stage, (done, state) = objective.widened(1), stage + 1, checked
            continue
        if due or fixed:  # what is kept is never gone back behind
            keeper.offer(done, state.shares, stage)
        if not due:
            continue
        if solver.tolerance and done < solver.iterations:
            moved = (state.w - state.before).within(scales.step / (1 - solver.momentum))
            if settled(moved, solver.tolerance):
                break
        checked = done, state
    return state


def scales_of_descent(
    facts: Facts, objective: Objective, solver: Gradient, rows: int, pace: float | None = None
) -> Scales:
    """Of batches of so many rows; `pace`: see `Scales`."""
    rate, largest = solver.learning_rate / rows, largest_gradient(facts, objective, rows)
    start, paced = float(solver.start(facts, False).abs().max()), rate * (pace or 1.0)
    travelled = start + solver.iterations * paced * largest / (1 - solver.momentum)
    # w <- (1 - rate l2) w - rate g: without momentum l2 |w| grows no further than g, which is the decay's own limit
    decay = 0.0 if solver.momentum else min(objective.penalty.l2 * travelled, objective.penalty.l2 * start + largest)
    return Scales(
        facts,
        objective,
        rows=rows,
        rate=rate,
        travelled=travelled,
        decay=decay,
        finer=_MIX_BITS if solver.momentum and solver.nesterov else 0,
        moved=_moved(solver.momentum, paced * largest, paced * objective.penalty.l2 * travelled),
        moved_finer=_MOVE_BITS if solver.momentum else 0,
        pace=pace,
    )


def _moved(momentum: float, step: float, decay: float) -> float:
    """Public bound of `_momentum`."""
    return momentum * step / (1 - momentum) + (1 + 2 * momentum) * decay if momentum else 0.0


def _step(
    rows: PinnedRows, state: State, objective: Objective, solver: Gradient, scales: Scales, features: int
) -> Protocol:
    """The state after one more iteration."""
    nesterov = solver.nesterov and solver.momentum
    at = _ahead(state, solver.momentum, scales) if nesterov else state.w
    total, gone = yield from row_gradient(rows, at, objective, scales, features)
    total = total.divided_by_power(scales.shift)
    change = truncation(total, total.scale - scales.weights)
    if solver.momentum:
        moved = _momentum(state, solver, scales, objective.penalty, features)
        moved, change = yield from parallel(truncation(moved, _MOVE_BITS), change)
        change = change - moved
    else:
        change = yield from change
    w = (state.w - change).within(scales.travelled)  # Scales: the penalty can only shorten the way
    w = yield from objective.penalty.shrink(w, scales.rate, features)
    return State(w, state.w, state.left + gone)


def _ahead(state: State, momentum: float, scales: Scales) -> Share:
    """w + momentum (w - before), exact, at a larger scale."""
    m = round(momentum * 2**_MIX_BITS)
    ahead = state.w * ((1 << _MIX_BITS) + m) - state.before * m
    return ahead.divided_by_power(_MIX_BITS).within(3 * scales.travelled)


def _momentum(state: State, solver: Gradient, scales: Scales, penalty: Penalty, penalised: int) -> Share:
    """momentum (w - before) - rate l2 (point of the gradient), at a larger scale."""
    m, decay = solver.momentum, scales.rate * penalty.strengths
    kept, back = (m - decay * (1 + m), m - decay * m) if solver.nesterov else (m - decay, m)

    def factors(of_penalised: npt.NDArray[np.float64] | float) -> torch.Tensor:
        values = np.full((len(state.w), len(decay)), m)
        values[:penalised] = of_penalised
        ring = torch.from_numpy(np.rint(values * 2.0**_MOVE_BITS).astype(np.int64))
        return ring if len(state.w.shape) > 1 else ring[:, 0]

    moved = state.w.times(factors(kept), scale=_MOVE_BITS, bound=2.0)
    moved = moved - state.before.times(factors(back), scale=_MOVE_BITS, bound=1.0)
    return moved.within(_moved(m, scales.step, float(decay.max()) * scales.travelled))
