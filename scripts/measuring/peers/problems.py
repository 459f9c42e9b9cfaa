"""What is trained, at every system: plain gradient descent of the mean log loss, no penalty, weights from zero."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SPREAD = 2.0  # standard deviation of the true X w of the synthetic table


@dataclass(frozen=True, kw_only=True)
class Problem:
    """`batch` rows an iteration, 0 for all. The table gets a column of ones for the intercept."""

    name: str
    rows: int
    columns: int
    rate: float
    batch: int = 0

    @property
    def size(self) -> int:
        return self.batch or self.rows

    def table(self, seed: int, limit: int | None = None) -> tuple[Array, Array]:
        """x (rows, columns), y (rows,) in {0, 1}; `limit`: the first rows only."""
        x, y = breast_cancer() if self.name == "breast-cancer" else synthetic(self.rows, self.columns, seed)
        return x[:limit], y[:limit]


PROBLEMS = (
    Problem(name="breast-cancer", rows=569, columns=30, rate=0.1),
    Problem(name="synthetic-128", rows=10_000, columns=100, rate=0.5, batch=128),
    Problem(name="synthetic-1024", rows=10_000, columns=100, rate=0.5, batch=1024),
    Problem(name="synthetic-full", rows=10_000, columns=100, rate=0.5),
)


def breast_cancer() -> tuple[Array, Array]:
    """(569, 30) with mean 0 and variance 1 in each column, and (569,)."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y.astype(np.float64)


def synthetic(rows: int, columns: int, seed: int) -> tuple[Array, Array]:
    """Independent normal columns, labels drawn from a logistic model."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, columns))
    z = x @ (rng.standard_normal(columns) * (SPREAD / columns**0.5))
    return x, (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.float64)


def descent(x: Array, y: Array, rate: float, batch: int, iterations: int) -> Array:
    """The same steps in float64, (columns + 1,), the intercept last. Batches are stretches of rows, in turn; the last
    one of an epoch may be shorter, and the gradient is divided by `batch` all the same."""
    z = np.c_[x, np.ones(len(x))]
    w = np.zeros(z.shape[1])
    size = batch or len(x)
    starts = range(0, len(x), size)
    for i in range(iterations):
        rows = slice(starts[i % len(starts)], starts[i % len(starts)] + size)
        w -= rate / size * (z[rows].T @ (1 / (1 + np.exp(-z[rows] @ w)) - y[rows]))
    return w


def save(path: Path, x: Array, y: Array) -> None:
    """For a party's process, which may run in another environment than this one."""
    np.savez(path, x=x, y=y)
