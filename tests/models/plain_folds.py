"""Cross-validation in float64, one model after the other: the same folds, the same gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.folds import folds_of
from mpcfl.data.own_rows import Rows
from mpcfl.solvers.cross_validation import pace_of
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective
from tests.joint import Array


def trained(z: Array, y: Array, batches: Sequence[Rows], objective: Objective, solver: Gradient, rate: float) -> Array:
    """Weights, the intercept last; z (n, d') with the ones. Heavy ball or plain steps, the batches in turn."""
    coded, penalty = objective.loss.code(y, "table", "y"), objective.penalty.over(sum(map(len, batches)))
    features = z.shape[1] - 1
    z = z if coded.sign is None else z * coded.sign[:, None]
    w = before = np.zeros(z.shape[1])
    for i in range(solver.iterations):
        rows = batches[i % len(batches)]
        u = z[rows] @ w + (0.0 if coded.offset is None else coded.offset[rows])
        error = objective.loss.derivative_of(u) - (0.0 if coded.response is None else coded.response[rows])
        gradient = z[rows].T @ error + penalty.gradient_plain(w, features)
        ahead = w + solver.momentum * (w - before)
        w, before = penalty.shrink_plain(ahead - rate * gradient, rate, features), w
    return w


def cross_validated(
    x: Array, y: Array, facts: Facts, objectives: Sequence[Objective], solver: Gradient, folds: int
) -> list[tuple[Array, list[Rows]]]:
    """For each objective (z of every training row by the model that has not seen it; the rows of each fold)."""
    z, chosen = np.c_[x, np.ones(len(x))], batches(facts, solver.batch)
    rate = pace_of(facts, folds) * solver.learning_rate / max(map(len, chosen))
    parts, results = folds_of(facts, folds), []
    for objective in objectives:
        whole = np.full(len(x), np.nan)
        for fold in parts:
            others = [np.setdiff1d(rows, fold) for rows in chosen]
            whole[fold] = z[fold] @ trained(z, y, others, objective, solver, rate)
        results.append((whole, parts))
    return results
