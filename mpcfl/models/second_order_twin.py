"""The plaintext twins of `mpcfl.solvers.fixed_hessian` and `mpcfl.solvers.newton`: the same steps in float64, with the
same polynomials for inverses, and the exact loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts
from mpcfl.models.descent_twin import distance
from mpcfl.models.plain_rows import PlainRows
from mpcfl.solvers.fixed_hessian import MOMENTUM_BITS, FixedHessian
from mpcfl.solvers.hessian import scales_of, squares_of, trace_bits
from mpcfl.solvers.newton import Newton
from mpcfl.solvers.newton_step import STEPS
from mpcfl.solvers.preconditioner import MIX_BITS, first_mixes

Array = npt.NDArray[np.float64]
Path = list[tuple[int, float]]


def second_order_twin(rows: PlainRows, facts: Facts, solver: FixedHessian | Newton) -> tuple[Array, Path]:
    """(weights (d',) or (d', classes), the intercept last; relative distance to the last iterate by steps)."""
    inverse = _first_inverse(rows, facts, solver.doublings)
    run = _nesterov(rows, inverse, solver) if isinstance(solver, FixedHessian) else _newton(rows, inverse, solver)
    return run[-1], [(i + 1, distance(iterate, run[-1])) for i, iterate in enumerate(run[:-1])]


def _start(rows: PlainRows) -> Array:
    width, classes = rows.z.shape[1], rows.objective.loss.classes
    return np.zeros((width,) if classes == 1 else (width, classes))


def _first_inverse(rows: PlainRows, facts: Facts, doublings: int) -> Array:
    """Of the largest Hessian that there can be."""
    objective, (n, width) = rows.objective, rows.z.shape
    curvature = objective.loss.first_curvature or objective.loss.curvature_bound
    if curvature is None:
        raise ValueError("no bound of the curvature is known")
    scales = scales_of(facts, objective)
    unit = scales.rate / 2.0 ** trace_bits(objective, scales, width, squares_of(facts, objective))
    residual = np.eye(width) - 2 * unit * rows.hessian(np.full(n, curvature))
    return unit * _doubled(residual, 2 * np.eye(width), first_mixes(doublings))


def _doubled(residual: Array, inverse: Array, steps: Sequence[int]) -> Array:
    for e in steps:
        mix = e / 2**MIX_BITS
        inverse = (1 + mix) * (inverse + residual @ inverse)
        residual = (1 + mix) * residual @ residual - mix * np.eye(len(residual))
    return inverse


def _nesterov(rows: PlainRows, inverse: Array, solver: FixedHessian) -> list[Array]:
    w = ahead = _start(rows)
    iterates = []
    for k in range(solver.iterations):
        before, w = w, ahead - inverse @ rows.gradient(ahead)
        ahead = w + solver.mix(k) / 2**MOMENTUM_BITS * (w - before)
        iterates.append(w)
    return iterates


def _newton(rows: PlainRows, inverse: Array, solver: Newton) -> list[Array]:
    w, iterates = _start(rows), []
    for k in range(solver.iterations):
        if k:
            start = 0.75 * inverse
            curvature = rows.objective.loss.curvature_of(rows.predictor(w))
            inverse = _doubled(np.eye(len(w)) - start @ rows.hessian(curvature), start, STEPS)
        w = w - inverse @ rows.gradient(w)
        iterates.append(w)
    return iterates
