"""The plaintext twin of `mpcfl.solvers.descent`: the same steps in float64, with the exact loss."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from mpcfl.data.batches import training_batches
from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import with_aside
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
    if objective.loss.class_weight == "balanced":
        objective = objective.with_class_weight({k: len(y) / (2 * float((y == k).sum())) for k in (0, 1)})
    loss, penalty, features = objective.loss, objective.penalty.over(len(x)), x.shape[1]
    z, coded = np.c_[x, np.ones(len(x))] if fit_intercept else x, loss.code(y, "the joint table", facts.target)
    coded = with_aside(coded, aside or {}, facts.aside, "the joint table")
    z = z if coded.sign is None else z * coded.sign[:, None]
    chosen = training_batches(facts, solver.batch)
    rate = solver.learning_rate / max(map(len, chosen))
    w = solver.start(facts, fit_intercept, loss.classes).numpy().copy()
    before, iterates = w, []
    for i in range(solver.iterations):
        rows = chosen[i % len(chosen)]
        ahead = w + solver.momentum * (w - before)
        at = ahead if solver.nesterov else w
        u = z[rows] @ at + (0.0 if coded.offset is None else coded.offset[rows])
        error = loss.derivative_of(u) - (0.0 if coded.response is None else coded.response[rows])
        if coded.weight is not None:
            error = (error.T * coded.weight[rows]).T  # (n,) or (n, classes)
        gradient = z[rows].T @ error + penalty.gradient_plain(at, features)
        w, before = penalty.shrink_plain(ahead - rate * gradient, rate, features), w
        iterates.append(w)
    return w, [(i + 1, distance(iterate, w)) for i, iterate in enumerate(iterates[:-1])]


def distance(w: Array, best: Array) -> float:
    """|w - best| / |best|."""
    return float(np.linalg.norm(w - best) / max(float(np.linalg.norm(best)), 1e-300))
