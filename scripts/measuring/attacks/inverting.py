"""Gradient inversion: the rows that a gradient, or a sequence of them, was made of. Linear and logistic regression.

A gradient here is that of the sum over B rows, at weights that are known: g_t = sum_i (f(w_t . a_i) - y_i) a_i with
a_i = (x_i, 1), the intercept last. One row is g_x / g_1, whatever the model is (Phong et al. 2018). More rows are those
whose gradients would be these, found by Levenberg and Marquardt's method from several random starts (as Zhu et al. 2019
do for images, with all iterations and not one).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, linear_sum_assignment
from scipy.special import expit

Array = npt.NDArray[np.float64]
_STOP = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": 300}


@dataclass(frozen=True)
class Seen:
    """weights (T, d + 1), gradients (T, d + 1) of the same rows, model "linear" or "logistic", rows B."""

    model: str
    weights: Array = field(repr=False)
    gradients: Array = field(repr=False)
    rows: int

    def errors(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(f(z) - y, f'(z)), each (T, B), of rows x (B, d), y (B,)."""
        z = self.weights[:, :-1] @ x.T + self.weights[:, -1:]
        if self.model == "linear":
            return z - y, np.ones_like(z)
        p = expit(z)
        return p - y, p * (1 - p)


def single_row(seen: Seen) -> tuple[Array, float]:
    """(x (d,), y) of a batch of one, exactly, from the first gradient."""
    g, w = seen.gradients[0], seen.weights[0]
    x = g[:-1] / g[-1]
    z = float(x @ w[:-1] + w[-1])
    return x, float(g[-1] < 0) if seen.model == "logistic" else z - float(g[-1])


def several_rows(seen: Seen, y: Array | None, starts: int, seed: int) -> tuple[Array, float]:
    """(rows (B, d), what is left of the residual, relative): the best of so many starts from normal rows. `y` (B,): the
    targets, if they are known, which they are not to most; else they are found too."""
    rng, b, d = np.random.default_rng(seed), seen.rows, seen.weights.shape[1] - 1
    size = float(np.linalg.norm(seen.gradients))
    best = np.zeros((b, d)), np.inf
    for _ in range(starts):
        start = rng.standard_normal((b, d))
        first = start.ravel() if y is not None else np.r_[start.ravel(), rng.standard_normal(b)]
        found = least_squares(
            _residual,
            first,
            _jacobian,
            args=(seen, y, size),
            method="lm",
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=300,
        )
        left = float(np.linalg.norm(found.fun))
        if left < best[1]:
            best = found.x[: b * d].reshape(b, d), left
        if left < 1e-13:
            break
    return best


def _parts(point: Array, seen: Seen, y: Array | None) -> tuple[Array, Array]:
    b, d = seen.rows, seen.weights.shape[1] - 1
    return point[: b * d].reshape(b, d), point[b * d :] if y is None else y


def _residual(point: Array, seen: Seen, y: Array | None, size: float) -> Array:
    x, targets = _parts(point, seen, y)
    e, _ = seen.errors(x, targets)
    return np.asarray((e @ np.c_[x, np.ones(len(x))] - seen.gradients).ravel() / size)


def _jacobian(point: Array, seen: Seen, y: Array | None, size: float) -> Array:
    """(T (d + 1), B d), and B columns more for targets that are not known."""
    x, targets = _parts(point, seen, y)
    (e, slope), a = seen.errors(x, targets), np.c_[x, np.ones(len(x))]
    t, b, d = len(e), *x.shape
    whole = np.einsum("tb,bj,tk->tjbk", slope, a, seen.weights[:, :-1])
    for k in range(d):
        whole[:, k, :, k] += e
    columns = [whole.reshape(t * (d + 1), b * d)]
    if y is None:
        columns.append(np.broadcast_to(-a.T, (t, d + 1, b)).reshape(t * (d + 1), b))
    return np.concatenate(columns, axis=1) / size


def matched(found: Array, true: Array, guess: Array) -> Array:
    """(B,): |found - true| / |guess - true| of each true row, with the rows put in the order that fits best."""
    distance = np.linalg.norm(found[:, None] - true[None], axis=2) / np.linalg.norm(guess - true, axis=1)
    order = linear_sum_assignment(distance)
    return np.asarray(distance[order])
