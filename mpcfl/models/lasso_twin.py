"""The plaintext twin of `mpcfl.solvers.admm`: the same iterations and fits in float64."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mpcfl.models.descent_twin import distance
from mpcfl.solvers.admm import RELAXATION, SHARP, Admm

Array = npt.NDArray[np.float64]


def lasso_twin(
    x: Array, y: Array, l1: float, l2: float, solver: Admm, fit_intercept: bool
) -> tuple[Array, list[tuple[int, float]]]:
    """(weights, the intercept last if there is one; relative distance to them after so many iterations).

    x (n, d), y (n,): all training rows. l1, l2: beside half the mean of the squared errors. Distances are of columns
    and target divided by the powers of two by which the parties divide them.
    """
    n, d = x.shape
    mean_x, mean_y = (x.mean(axis=0), float(y.mean())) if fit_intercept else (np.zeros(d), 0.0)
    size_x = _size(np.mean((x - mean_x) ** 2, axis=0) + l2)
    size_y = _size(np.mean((y - mean_y) ** 2))
    scaled, target = (x - mean_x) / size_x, (y - mean_y) / size_y
    gram = (scaled.T @ scaled / n + np.diag(l2 / size_x**2)) / d
    h, t = scaled.T @ target / n / d, l1 / (size_x * size_y) / d
    rho = 2.0 ** -(math.ceil(math.log2(d)) + SHARP)
    resolvent = RELAXATION * rho * np.linalg.inv(gram + rho * np.eye(d))
    v = z = np.zeros(d)
    iterates = []
    for _ in range(solver.iterations):
        v = v + resolvent @ (2 * z - v + h / rho) - RELAXATION * z
        z = np.sign(v) * np.maximum(np.abs(v) - t / rho, 0)
        iterates.append(z)
    b, place = z, rho * v
    for _ in range(solver.refits):
        signs = np.sign(place) * (np.abs(place) > t)
        b = _fit(gram, h - t * signs, signs != 0)
        place = rho * b + h - gram @ b
    w = b * size_y / size_x
    weights = np.append(w, mean_y - mean_x @ w) if fit_intercept else w
    return weights, [(i + 1, distance(z, b)) for i, z in enumerate(iterates)]


def _fit(gram: Array, right: Array, active: npt.NDArray[np.bool_]) -> Array:
    b = np.zeros(len(gram))
    b[active] = np.linalg.lstsq(gram[np.ix_(active, active)], right[active], rcond=None)[0]
    return b


def _size(mean_square: npt.ArrayLike) -> Array:
    """The power of two just above the root."""
    return np.asarray(np.exp2(np.floor(np.log2(np.sqrt(mean_square))) + 1))
