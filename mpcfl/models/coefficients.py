"""Weights as the solvers have them, in the shapes that scikit-learn gives coef_ and intercept_."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpcfl.models.settings import Settings

Array = npt.NDArray[np.float64]


def coefficients_of(weights: Array, settings: Settings) -> tuple[Array, float | Array]:
    """(coef, intercept) of weights (d',), the intercept last if there is one: (d,) and a number. Of weights
    (d', classes): (classes, d) and (classes,)."""
    slopes = weights[:-1] if settings.fit_intercept else weights
    shift = settings.objective.loss.shift if settings.objective is not None else 0.0
    constant = weights[-1] + shift if settings.fit_intercept else np.zeros(weights.shape[1:])
    return slopes.T.copy(), float(constant) if weights.ndim == 1 else constant


def unknown(features: int, settings: Settings) -> tuple[Array, float | Array]:
    """NaN in the same shapes, for parties that learn nothing."""
    classes = settings.objective.loss.classes if settings.objective is not None else 1
    if classes == 1:
        return np.full(features, np.nan), float("nan")
    return np.full((classes, features), np.nan), np.full(classes, np.nan)
