"""A row from weights that were trained with it: whatever is known of the others is subtracted.

At the minimum of the loss and its penalty l2 / 2 |w|^2, with a = (x, 1) and p the prediction,

    a (y - p) = l2 w - sum over the other rows of a_i (y_i - p_i)                     (by_rows)
    a (y - p) = H (w - w'), w' the weights without the row, H the others' Hessian     (by_models)

the second to first order, and in least squares exactly. The last element of either side is y - p, since that of a is 1:
so the direction gives x, and then y.

Who may train again and again with rows of its own choice needs to know no other row: each model of least squares is
d + 1 equations in the sums of squares G and h of all others,

    G w - h = sum over its own rows of a_i (y_i - p_i) - l2 w                         (by_own_rows)

and d + 2 of them give G, which is the Hessian.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from measuring.attacks.outputs import Model

Array = npt.NDArray[np.float64]
_STEPS = 30


def minimum(model: Model, x: Array, y: Array) -> Array:
    """Weights (d + 1,), the intercept last and without penalty, to the last digits: Newton's method, whose step is
    halved where it does not descend."""
    w = np.zeros(x.shape[1] + 1)
    for _ in range(_STEPS):
        step = np.linalg.solve(hessian(model, w, x), pull(model, w, x, y) - _penalty(model, w))
        if np.abs(step).max() < 1e-14 * np.abs(w).max():
            break
        while _loss(model, w + step, x, y) > _loss(model, w, x, y) * (1 + 1e-12):
            step /= 2
        w = w + step
    return w


def by_rows(model: Model, w: Array, x: Array, y: Array) -> Array:
    """(d + 1,): a (y - p) of the row that is not among x, y; of several, their sum."""
    return np.asarray(_penalty(model, w) - pull(model, w, x, y))


def by_models(model: Model, w: Array, without: Array, x: Array, rows: int) -> Array:
    """The same from two models, the Hessian guessed from x, some of so many rows."""
    share = hessian(Model(model.name, model.l2 * len(x) / rows), (w + without) / 2, x) * (rows / len(x))
    return np.asarray(share @ (w - without))


def by_own_rows(
    model: Model, trained: Sequence[tuple[Array, Array, Array]], without: Array
) -> tuple[Array, tuple[Array, Array]]:
    """The same in least squares, and (G, h) of all rows but one's own: from weights that were trained with own rows
    (x, y, weights), and those trained with the first of them and without the row."""
    weights = np.array([w for _, _, w in trained])
    gram, h = sums_of(weights, np.array([-by_rows(model, w, x, y) for x, y, w in trained]))
    return (gram + hessian(model, without, trained[0][0])) @ (weights[0] - without), (gram, h)


def sums_of(weights: Array, gradients: Array) -> tuple[Array, Array]:
    """(G (d + 1, d + 1), h (d + 1,)) of gradients (T, d + 1) = weights (T, d + 1) @ G - h, of all symmetric G that fit
    the smallest; what noise there is lies 10^-9 below the gradients."""
    t, d = weights.shape
    upper = [(i, j) for i in range(d) for j in range(i, d)]
    system = np.zeros((t, d, len(upper) + d))
    for k, (i, j) in enumerate(upper):
        system[:, j, k] += weights[:, i]
        if i != j:
            system[:, i, k] += weights[:, j]
    system[:, range(d), range(len(upper), len(upper) + d)] = -1.0
    found = np.linalg.lstsq(system.reshape(t * d, -1), gradients.reshape(-1), rcond=1e-9)[0]
    gram = np.zeros((d, d))
    for value, (i, j) in zip(found, upper, strict=False):
        gram[i, j] = gram[j, i] = value
    return gram, found[len(upper) :]


def row_of(model: Model, w: Array, moved: Array) -> tuple[Array, float]:
    """(x, y) from a (y - p); NaN where nothing is left of it."""
    with np.errstate(all="ignore"):
        x = moved[:-1] / moved[-1]
    return x, float(moved[-1] > 0) if model.name == "logistic" else float(moved[-1] + np.append(x, 1.0) @ w)


def rounded(w: Array, digits: int) -> Array:
    """To so many significant decimal digits."""
    return np.array([float(f"{value:.{digits - 1}e}") for value in w])


def pull(model: Model, w: Array, x: Array, y: Array) -> Array:
    """Sum of a (y - p) over rows."""
    z = x @ w[:-1] + w[-1]
    off = y - (z if model.name == "linear" else 1 / (1 + np.exp(-z)))
    return np.append(off @ x, off.sum())


def hessian(model: Model, w: Array, x: Array) -> Array:
    """(d + 1, d + 1), with the penalty."""
    a = np.c_[x, np.ones(len(x))]
    p = 1 / (1 + np.exp(-(a @ w)))
    curvature = np.ones(len(x)) if model.name == "linear" else p * (1 - p)
    return np.asarray((a.T * curvature) @ a + np.diag(_penalty(model, np.ones(len(w)))))


def _penalty(model: Model, w: Array) -> Array:
    return model.l2 * np.append(w[:-1], 0.0)


def _loss(model: Model, w: Array, x: Array, y: Array) -> float:
    own = model.losses(w, x, y).sum() * (0.5 if model.name == "linear" else 1.0)
    return float(own + model.l2 / 2 * w[:-1] @ w[:-1])
