"""The plaintext twin of `mpcfl.solvers.descent`: the same steps in float64, with the exact loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mpcfl.data.batches import training_batches
from mpcfl.data.facts import Facts
from mpcfl.models.plain_rows import plain_rows
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective

Array = npt.NDArray[np.float64]


def descent_twin(
    x: Array,
    y: Array,
    facts: Facts,
    objective: Objective,
    solver: Gradient,
    fit_intercept: bool,
    aside: Mapping[str, Array] | None = None,
) -> tuple[Array, list[tuple[int, float]]]:
    """(weights (d',) or (d', classes), the intercept last; relative distance to the last iterate after so many steps).

    x (n, d), y (n,): all training rows, in the order of the owners. aside: their weights, offsets, exposures.
    """
    table = plain_rows(x, y, facts, objective, fit_intercept, aside)
    penalty, features = table.objective.penalty, x.shape[1]
    chosen = training_batches(facts, solver.batch)
    rate = solver.learning_rate / max(map(len, chosen))
    w = solver.start(facts, fit_intercept, objective.loss.classes).numpy().copy()
    before, iterates = w, []
    for i in range(solver.iterations):
        ahead = w + solver.momentum * (w - before)
        gradient = table.gradient(ahead if solver.nesterov else w, chosen[i % len(chosen)])
        w, before = penalty.shrink_plain(ahead - rate * gradient, rate, features), w
        iterates.append(w)
    return w, [(i + 1, distance(iterate, w)) for i, iterate in enumerate(iterates[:-1])]


def distance(w: Array, best: Array) -> float:
    """|w - best| / |best|."""
    return float(np.linalg.norm(w - best) / max(float(np.linalg.norm(best)), 1e-300))
