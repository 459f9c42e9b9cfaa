"""The plaintext twins of `mpcfl.solvers.fixed_hessian` and `mpcfl.solvers.newton`: the same steps in float64, with the
exact loss, and with an exact inverse where they start from one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mpcfl.models.descent_twin import distance
from mpcfl.models.plain_rows import PlainRows
from mpcfl.solvers.fixed_hessian import MOMENTUM_BITS, FixedHessian
from mpcfl.solvers.newton import STEPS, Newton
from mpcfl.solvers.preconditioner import MIX_BITS

Array = npt.NDArray[np.float64]
Path = list[tuple[int, float]]


def second_order_twin(rows: PlainRows, solver: FixedHessian | Newton) -> tuple[Array, Path]:
    """(weights (d',) or (d', classes), the intercept last; relative distance to the last iterate by steps)."""
    run = _nesterov(rows, solver) if isinstance(solver, FixedHessian) else _newton(rows, solver)
    return run[-1], [(i + 1, distance(iterate, run[-1])) for i, iterate in enumerate(run[:-1])]


def _start(rows: PlainRows) -> Array:
    width, classes = rows.z.shape[1], rows.objective.loss.classes
    return np.zeros((width,) if classes == 1 else (width, classes))


def _majorant(rows: PlainRows) -> Array:
    bound = rows.objective.loss.curvature_bound
    if bound is None:
        raise ValueError("no bound of the curvature is known")
    return rows.hessian(np.full(len(rows.z), bound))


def _nesterov(rows: PlainRows, solver: FixedHessian) -> list[Array]:
    inverse = np.linalg.inv(_majorant(rows))
    w = ahead = _start(rows)
    iterates = []
    for k in range(solver.iterations):
        before, w = w, ahead - inverse @ rows.gradient(ahead)
        ahead = w + solver.mix(k) / 2**MOMENTUM_BITS * (w - before)
        iterates.append(w)
    return iterates


def _newton(rows: PlainRows, solver: Newton) -> list[Array]:
    inverse, w = np.linalg.inv(_majorant(rows)), _start(rows)
    curvature: Callable[[Array], Array] = rows.objective.loss.curvature_of
    iterates = []
    for k in range(solver.iterations):
        if k:
            start = 0.75 * inverse
            residual, inverse = np.eye(len(w)) - start @ rows.hessian(curvature(rows.predictor(w))), start
            for e in STEPS:
                mix = e / 2**MIX_BITS
                inverse = (1 + mix) * (inverse + residual @ inverse)
                residual = (1 + mix) * residual @ residual - mix * np.eye(len(w))
        w = w - inverse @ rows.gradient(w)
        iterates.append(w)
    return iterates
