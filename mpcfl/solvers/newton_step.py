"""One step of Newton's method on shares: the twelve rounds of `mpcfl.solvers.newton`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share
from mpcfl.solvers.hessian import (
    FARTHEST,
    hessian,
)
from mpcfl.solvers.iterating import State
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.pinned_rows import PinnedRows
from mpcfl.solvers.preconditioner import Sum, doubled, mixes
from mpcfl.solvers.row_gradient import Scales, count, predictor, pulled_back, with_decay

_GRADIENT_SCALE = 30
_RESIDUAL_SCALE = 22
_RESIDUAL_BOUND = 10.0  # of R, which is not symmetric: below 1.1 where seen
_INVERSE_BOUND = 2.0**21
STEPS = mixes(2, 3 / 16)  # S0 H in [3/16, 2 - 3/16], so V H in [1/4, 2.4]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewtonState(State):
    """w (d',), inverse (d', d') of the Hessian at the last point, change (d',): the last step."""

    w: Share
    inverse: Share
    change: Share


@dataclass(frozen=True, slots=True)
class Problem:
    """What a step works on, all public but the rows."""

    rows: PinnedRows
    objective: Objective
    scales: Scales
    features: int
    squares: float


def newton_step(problem: Problem, state: NewtonState, *, curved: bool) -> Protocol:
    """The state after one more step: by a new inverse where `curved`, by the last one otherwise."""
    scales, loss, inverse = problem.scales, problem.objective.loss, Pinned(state.inverse)
    (z, away), _ = yield from parallel(predictor(problem.rows, state.w, scales), inverse.opening())
    derivative = loss.with_curvature if curved else loss.derivative
    value, gone, *curvature = yield from derivative(z, bits=scales.bits, factor=scales.factor)
    move = _solved(problem, value, inverse, state.w)
    if curved:
        change, residual = yield from parallel(move, _residual(problem, curvature[0], inverse))
        found, change = yield from doubled(residual, _sums(state.inverse, change), STEPS)
    else:
        found, change = state.inverse, (yield from move)
    left = state.left + count(gone, away)
    w = (state.w - change.at_scale(state.w.scale)).within(FARTHEST)
    return NewtonState(w=w, inverse=found, change=change, left=left)


def _solved(problem: Problem, value: Share, inverse: Pinned, w: Share) -> Protocol:
    """V g at the scale of the weights. Cost: 4 rounds, n + 3 d' elements."""
    scales = problem.scales
    total = yield from pulled_back(problem.rows, value, problem.objective, scales)
    total = with_decay(total, w, problem.objective, scales, problem.features).divided_by_power(scales.shift)
    g = yield from truncation(total, total.scale - _GRADIENT_SCALE)
    change = (yield from inverse.times(g)).within(FARTHEST)
    return (yield from truncation(change, change.scale - w.scale))


def _residual(problem: Problem, curvature: Share, inverse: Pinned) -> Protocol:
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
