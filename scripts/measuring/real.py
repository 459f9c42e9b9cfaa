"""Real tables, by name: read from packages that ship them, nothing is fetched.

    load("breast-cancer")  ->  (x (569, 30) with mean 0 and variance 1 in each column, y (569,))

"visits" is the RAND health insurance experiment (Cameron and Trivedi 2005, doctor visits in a year of 20,190 persons):
it comes with statsmodels, which nothing but the results needs: `pip install statsmodels`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def load(name: str) -> tuple[Array, Array]:
    """(x (n, d), y (n,)): columns standardised. LookupError says what to install where the package is not there."""
    x, y = TABLES[name]()
    spread = x.std(axis=0)
    return (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0), y


def _diabetes() -> tuple[Array, Array]:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return x, y


def _cancer() -> tuple[Array, Array]:
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return x, y.astype(np.float64)


def _digits() -> tuple[Array, Array]:
    """Even or odd. A pixel that is nearly always empty is 40 deviations away where it is not, and mpcfl takes 32: such
    pixels, lit in fewer than one of fifty, are left out."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x[:, (x > 0).mean(axis=0) >= 0.02], (y % 2).astype(np.float64)


def _visits() -> tuple[Array, Array]:
    """Number of visits from nine columns: insurance plan, income, health."""
    try:
        from statsmodels.datasets import randhie  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise LookupError('the table "visits" comes with statsmodels: pip install statsmodels') from None
    table = randhie.load_pandas().data
    y = table.pop("mdvis").to_numpy(dtype=np.float64)
    return table.to_numpy(dtype=np.float64), y


TABLES: dict[str, Callable[[], tuple[Array, Array]]] = {
    "diabetes": _diabetes,
    "breast-cancer": _cancer,
    "digits": _digits,
    "visits": _visits,
}


def synthetic(model: str, rows: int, columns: int, seed: int) -> tuple[Array, Array]:
    """Columns with a common part (correlation 0.2), y linear in them with noise, or a label drawn from a logistic model
    whose X w has standard deviation 2."""
    rng = np.random.default_rng([seed, columns])
    weights = rng.standard_normal(columns) * (2.0 / columns**0.5)
    x = rng.standard_normal((rows, columns))
    x += 0.5 * rng.standard_normal((rows, 1))
    x /= 1.25**0.5
    z = x @ weights
    if model == "linear":
        return x, z + rng.standard_normal(rows)
    return x, (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.float64)
