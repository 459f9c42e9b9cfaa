"""Hessians of a loss over rows, on shares: X.T S X at some weights, one that is nowhere smaller, and its inverse.

All in units of the scaled objective: times `Scales.rate`. A Hessian only preconditions, the gradient alone says where
the optimum is, so a few bits of each are enough.
"""

from __future__ import annotations

import math

import torch

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import ROW_BOUND, size_bound
from mpcfl.errors import JobError
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.truncation import symmetric_truncation, truncation
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.pinned_rows import PinnedRows
from mpcfl.solvers.preconditioner import MATRIX_SCALE, inverse
from mpcfl.solvers.row_gradient import Scales, heaviest

FARTHEST = 128.0  # public bound of the weights of standardised columns; none as large is in range of a sigmoid
INVERSE_SCALE = 11
_FACTOR_BITS = 10
_MOST_BITS = 16  # of a curvature
_BITS = 61
_SLACK = 1.2  # of a curvature that is a series


def require_curvature(objective: Objective, solver: str, *, everywhere: bool = True) -> None:
    """JobError unless the loss has a curvature that is publicly bounded, and the penalty one too; `everywhere`: by a
    bound that is not far from what it is at most places."""
    loss = objective.loss
    far = loss.curvature_bound is None or (everywhere and loss.first_curvature is not None)
    if far or objective.penalty.l1:
        what = "an l1 penalty" if objective.penalty.l1 else "a loss without bounded curvature"
        other = "gradient" if objective.penalty.l1 or loss.curvature_bound is None else "newton"
        raise JobError(f"[solver] {solver} cannot be used with {what}", hint=f'use [solver] name = "{other}"')


def scales_of(facts: Facts, objective: Objective, *, finer: int = 0) -> Scales:
    """The objective divided by rows + l2: its gradient as it is, no learning rate. `finer`: of a periodic loss, whose
    guard then sees one period."""
    rows = facts.training_rows
    rate = 1 / (rows + objective.penalty.l2)
    return Scales(facts, objective, rows=rows, rate=rate, travelled=FARTHEST, finer=finer, sighted=not finer)


def squares_of(facts: Facts, objective: Objective) -> float:
    """The sum of x_ij^2 over all rows, times their weights, stays below, for every column."""
    return ROW_BOUND * size_bound(facts, facts.training_rows) * heaviest(facts, objective)


def majorant_inverse(
    rows: PinnedRows, objective: Objective, scales: Scales, penalised: int, squares: float, doublings: int
) -> Protocol:
    """(d', d'), scale at most INVERSE_SCALE: inverse of bound * X.T X + l2, bound being that of the curvature, which no
    Hessian of the loss exceeds anywhere (Boehning and Lindsay, 1988). Cost: 2 rounds, and those of `inverse`; where
    rows have weights 1 round and n d' elements more."""
    curvature, l2 = _first(objective), objective.penalty.l2
    gram = rows.x.gram() if rows.weighted is rows.x else rows.weighted.transposed_times(rows.x.x)
    gram = (yield from gram).within(squares)
    width = len(gram)
    bits = trace_bits(objective, scales, width, squares)
    factor = math.ceil(curvature * scales.factor * 2**_FACTOR_BITS)
    scaled = (gram * factor).divided_by_power(_FACTOR_BITS + scales.shift + bits).within(1.0)
    matrix = yield from symmetric_truncation(scaled, scaled.scale - MATRIX_SCALE)
    matrix = matrix + _ridge(width, penalised, l2 * scales.rate / 2.0**bits)
    found = (yield from inverse(matrix.within(1.0), doublings)).divided_by_power(bits)
    return (
        (yield from symmetric_truncation(found, found.scale - INVERSE_SCALE)) if found.scale > INVERSE_SCALE else found
    )


def trace_bits(objective: Objective, scales: Scales, width: int, squares: float) -> int:
    """2^bits is no less than the trace of the largest Hessian, and so than its eigenvalues."""
    return math.ceil(math.log2((width * _first(objective) * squares + objective.penalty.l2) * scales.rate))


def hessian(
    rows: PinnedRows, curvature: Share, objective: Objective, scales: Scales, penalised: int, squares: float
) -> Protocol:
    """(d', d'), scale 27: X.T S X + l2, S = diag(curvature), curvature (n,) at scale 2 bits, times the factor.

    Cost: 4 rounds, n d' + 2 n + d' (d' + 1) / 2 elements.
    """
    largest = _SLACK * _bound(objective) * scales.factor * squares
    bits = min(_MOST_BITS, math.floor(_BITS - 2 * scales.bits - math.log2(largest)))
    short = yield from truncation(curvature, curvature.scale - bits)
    scaled = yield from rows.x.scaled_rows(short)
    total = yield from rows.weighted.transposed_times(scaled)
    total = total.within(largest).divided_by_power(scales.shift)
    matrix = yield from symmetric_truncation(total, total.scale - MATRIX_SCALE)
    return matrix + _ridge(len(matrix), penalised, objective.penalty.l2 * scales.rate)


def _first(objective: Objective) -> float:
    """The curvature of the Hessian that is inverted first."""
    return objective.loss.first_curvature or _bound(objective)


def _bound(objective: Objective) -> float:
    bound = objective.loss.curvature_bound
    if bound is None:
        raise ValueError("no bound of the curvature is known")
    return bound


def _ridge(width: int, penalised: int, size: float) -> torch.Tensor:
    diagonal = torch.zeros(width, dtype=torch.float64)
    diagonal[:penalised] = size
    return torch.diag(diagonal)
