"""The tables that are trained on, and how they are split over the data owners. All are made from public seeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpcfl.data.table import Table
from mpcfl.world.party import Roster

Array = npt.NDArray[np.float64]
TARGET = "y"


def diabetes() -> tuple[Array, Array]:
    """(442, 10) and (442,): scikit-learn's table in its own units (age in years, blood values)."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x, y


def ill_conditioned(condition: float, seed: int, rows: int = 3000, columns: int = 6) -> tuple[Array, Array]:
    """A table whose correlation matrix has exactly this condition number: eigenvalues in geometric sequence."""
    from scipy.stats import random_correlation

    rng = np.random.default_rng(seed)
    eigenvalues = np.geomspace(1.0, 1.0 / condition, columns)
    wanted = random_correlation.rvs(eigenvalues * columns / eigenvalues.sum(), random_state=rng, tol=1e-6)
    white = rng.standard_normal((rows, columns))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(white.T @ white / rows)).T
    x = white @ np.linalg.cholesky(wanted).T
    return x, x @ rng.standard_normal(columns) + 0.1 * rng.standard_normal(rows)


def seed_example(seed: int) -> tuple[Array, Array]:
    """X (100, 10), y (100,)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((100, 10))
    return x, x @ rng.standard_normal(10) + 0.1 * rng.standard_normal(100)


def large_part(rows: int, columns: int, seed: int, part: int) -> tuple[Array, Array]:
    """Rows of organisation `part`: correlated columns whose sizes run from 0.1 to 1000, with means; y is linear in
    them, with noise."""
    whole = np.random.default_rng(seed)  # the same at each organisation
    size, mean, weights = 10.0 ** whole.integers(-1, 4, columns), whole.standard_normal(columns), whole.random(columns)
    rng = np.random.default_rng([seed, part])
    x = rng.standard_normal((rows, columns))
    x += 0.5 * rng.standard_normal((rows, 1))
    y = x @ weights + rng.standard_normal(rows)
    x += mean
    x *= size
    return x, y


def split(x: Array, y: Array, roster: Roster, partition: str) -> dict[int, Table]:
    """A table for each data owner's rank: rows, or columns in turn with the target at the second owner."""
    names = [f"x{i}" for i in range(x.shape[1])]
    owners = roster.owners
    if partition == "horizontal":
        parts = np.array_split(np.c_[x, y], len(owners))
        return {rank: Table.of(part, names=[*names, TARGET]) for rank, part in zip(owners, parts, strict=True)}
    tables = {}
    for i, (rank, chosen) in enumerate(zip(owners, np.array_split(np.arange(len(names)), len(owners)), strict=True)):
        data, labels = x[:, chosen], [names[j] for j in chosen]
        if i == min(1, len(owners) - 1):
            data, labels = np.c_[data, y], [*labels, TARGET]
        tables[rank] = Table.of(data, names=labels)
    return tables
