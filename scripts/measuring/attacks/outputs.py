"""Attacks on the revealed weights, which MPC does not protect: they are those of plaintext training.

Whoever attacks has the weights, knows how they were trained, and has rows of its own from where the members come from.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_GRID = np.linspace(-4, 4, 81)  # of a standardised value that is not known


@dataclass(frozen=True)
class Model:
    """name "linear" or "logistic"; l2: beside the sum of squared errors or log losses, so alpha, or 1 / C."""

    name: str
    l2: float

    def fit(self, x: Array, y: Array) -> Array:
        """Weights (d + 1,), the intercept last and without penalty."""
        from sklearn.linear_model import LogisticRegression, Ridge

        model = Ridge(alpha=self.l2) if self.name == "linear" else LogisticRegression(C=1 / self.l2, max_iter=2000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # separable rows: the weights are as long as the steps went
            model.fit(x, y)
        return np.append(model.coef_, model.intercept_)

    def losses(self, w: Array, x: Array, y: Array) -> Array:
        """(n,): squared errors, or log losses."""
        z = x @ w[:-1] + w[-1]
        return (y - z) ** 2 if self.name == "linear" else np.logaddexp(0, np.where(y > 0, -z, z))

    def score(self, w: Array, x: Array, y: Array) -> float:
        """R^2, or accuracy."""
        if self.name == "linear":
            return float(1 - self.losses(w, x, y).sum() / ((y - y.mean()) ** 2).sum())
        return float(((x @ w[:-1] + w[-1] > 0) == (y > 0)).mean())


def auc(members: Array, others: Array) -> float:
    """Probability that a member's score is higher than another's; ties count half."""
    ranks = np.searchsorted(np.sort(others), members, "left") + np.searchsorted(np.sort(others), members, "right")
    return float(ranks.sum() / (2 * len(members) * len(others)))


def scores(model: Model, w: Array, shadows: Sequence[Array], x: Array, y: Array) -> Array:
    """(n,): by how much a row's loss under the weights is below that under weights that were made without it
    (Watson et al. 2022)."""
    return np.asarray(np.mean([model.losses(s, x, y) for s in shadows], axis=0) - model.losses(w, x, y))


@dataclass(frozen=True)
class Prior:
    """What other rows say of a column, given the other columns: its mean is `weights` . (others, 1)."""

    weights: Array
    spread: float

    @classmethod
    def of(cls, x: Array, column: int) -> Prior:
        """From public rows (n, d), without their target."""
        others = np.c_[np.delete(x, column, axis=1), np.ones(len(x))]
        weights = np.linalg.lstsq(others, x[:, column], rcond=None)[0]
        left = x[:, column] - others @ weights
        return cls(weights, float(np.sqrt((left**2).sum() / max(len(x) - len(weights), 1))))

    def mean(self, x: Array, column: int) -> Array:
        return np.asarray(np.c_[np.delete(x, column, axis=1), np.ones(len(x))] @ self.weights)


def inverted(model: Model, w: Array, noise: float, prior: Prior, x: Array, y: Array, column: int) -> Array:
    """(n,): mean of the column given all other columns, the target and the weights (Fredrikson et al. 2014). noise: the
    standard deviation of the target around a linear model's prediction. The column of `x` is not looked at."""
    known = np.delete(x, column, axis=1) @ np.delete(w[:-1], column) + w[-1]
    middle = prior.mean(x, column)
    values = middle[:, None] + _GRID[None] * prior.spread
    z = known[:, None] + w[column] * values
    likelihood = -0.5 * ((y[:, None] - z) / noise) ** 2
    if model.name == "logistic":
        likelihood = -np.logaddexp(0, np.where(y[:, None] > 0, -z, z))
    weight = likelihood - 0.5 * _GRID[None] ** 2
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    return np.asarray((weight * values).sum(axis=1) / weight.sum(axis=1))
