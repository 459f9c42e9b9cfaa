"""The plaintext twins: what training gives when one process holds all rows. For comparison, never in a run.

Same algorithm, same float64: the difference to the secure result is what fixed point costs, the difference in seconds
what MPC costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpcfl.data.batches import training_batches
from mpcfl.data.facts import Facts
from mpcfl.models.coefficients import coefficients_of
from mpcfl.models.descent_twin import descent_twin, distance
from mpcfl.models.lasso_twin import lasso_twin
from mpcfl.models.plain_rows import plain_rows
from mpcfl.models.second_order_twin import second_order_twin
from mpcfl.models.settings import Settings
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import Doubling, reaches_of
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Twin:
    """Weights of plaintext training in the shapes of `Outcome`, its seconds, and relative distance to the optimum after
    so many gradient steps."""

    coefficients: Array
    intercept: float | Array
    seconds: float
    convergence: list[tuple[int, float]]


def plaintext_twin(
    x: Array, y: Array, facts: Facts, settings: Settings, aside: Mapping[str, Array] | None = None
) -> Twin:
    """x (n, d), y (n,): all training rows, in the order of the owners. aside: their weights, offsets, exposures."""
    start = time.perf_counter()
    if isinstance(settings.solver, FixedHessian | Newton) and settings.objective is not None:
        rows = plain_rows(x, y, facts, settings.objective, settings.fit_intercept, aside)
        weights, path = second_order_twin(rows, facts, settings.solver)
        return Twin(*coefficients_of(weights, settings), time.perf_counter() - start, path)
    if isinstance(settings.solver, Gradient):
        if settings.objective is not None:
            weights, path = descent_twin(
                x, y, facts, settings.objective, settings.solver, settings.fit_intercept, aside
            )
        else:
            weights, path = _descent(x, y, facts, settings, settings.solver)
        return Twin(*coefficients_of(weights, settings), time.perf_counter() - start, path)
    if isinstance(settings.solver, Admm):
        l1, l2 = settings.l1(len(x)), settings.ridge(len(x)) / len(x)
        weights, path = lasso_twin(x, y, l1, l2, settings.solver, settings.fit_intercept)
        return Twin(*coefficients_of(weights, settings), time.perf_counter() - start, path)
    weights = normal_equations(x, y, settings.alpha, settings.fit_intercept)
    seconds = time.perf_counter() - start
    return Twin(*coefficients_of(weights, settings), seconds, _doubling_path(x, y, settings))


def normal_equations(x: Array, y: Array, alpha: float, fit_intercept: bool) -> Array:
    """Ridge (alpha = 0: least squares) by centred normal equations, the intercept last if there is one."""
    mean_x = x.mean(axis=0) if fit_intercept else np.zeros(x.shape[1])
    mean_y = float(y.mean()) if fit_intercept else 0.0
    centred = x - mean_x
    gram = centred.T @ centred + alpha * np.eye(x.shape[1])
    coefficients = np.linalg.solve(gram, centred.T @ (y - mean_y))
    weights = np.append(coefficients, mean_y - mean_x @ coefficients) if fit_intercept else coefficients
    return weights.astype(np.float64, copy=False)


def _descent(
    x: Array, y: Array, facts: Facts, settings: Settings, solver: Gradient
) -> tuple[Array, list[tuple[int, float]]]:
    z = np.c_[x, np.ones(len(x))] if settings.fit_intercept else x
    penalty = np.full(z.shape[1], settings.alpha / len(x))
    penalty[x.shape[1] :] = 0.0
    w = solver.start(facts, settings.fit_intercept).numpy().copy()
    velocity, chosen = np.zeros_like(w), training_batches(facts, solver.batch)
    best = normal_equations(x, y, settings.alpha, settings.fit_intercept)
    path = []
    for i in range(solver.iterations):
        rows = chosen[i % len(chosen)]
        at = w - solver.momentum * velocity if solver.nesterov else w
        gradient = z[rows].T @ (z[rows] @ at - y[rows]) / len(rows) + penalty * at
        velocity = solver.momentum * velocity + solver.learning_rate * gradient
        w = w - velocity
        path.append((i + 1, distance(w, best)))
    return w, path


def _doubling_path(x: Array, y: Array, settings: Settings) -> list[tuple[int, float]]:
    """Relative distance to the optimum, in standardised columns, after each of the solver's doublings, and the gradient
    steps that they stand for before it."""
    solver = settings.solver
    if not isinstance(solver, Doubling):
        return []
    n, d = x.shape
    centred = x - x.mean(axis=0) if settings.fit_intercept else x
    target = y - y.mean() if settings.fit_intercept else y
    spread = np.sqrt((centred**2).mean(axis=0) + settings.alpha / n)
    scaled = centred / np.exp2(np.floor(np.log2(spread)) + 1)
    ridge = settings.alpha / n / np.exp2(2 * np.floor(np.log2(spread)) + 2)
    gram = (scaled.T @ scaled / n + np.diag(ridge)) / d
    values, vectors = np.linalg.eigh(gram)
    h = vectors.T @ (scaled.T @ target / n / d)
    best = h / values
    left, path, pulls = np.maximum(1 - values, 0), [], solver.pulls(d)
    for pull, steps in zip(pulls, reaches_of(pulls)[1:], strict=False):
        left = (1.5 * left**2 - 0.5) if pull else left**2
        path.append((round(steps), distance((1 - left) * best, best)))
    return path
