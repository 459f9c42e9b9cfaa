"""Regressors that need every row in every iteration, with scikit-learn's names."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.models.by_rows import ByRows
from mpcfl.models.estimator import Array
from mpcfl.models.families import Parameters
from mpcfl.models.links import mean_of


class HuberRegressor(ByRows):
    """Least squares for errors up to epsilon, and their size beyond: outliers have little weight.

    epsilon: in units of the target. scikit-learn's HuberRegressor estimates the scale of the errors besides; this is
    what it minimises where that scale is 1, so bring the target to a size at which errors are about 1. alpha: penalty
    on the squared weights. range: bound of |X w - y|.
    """

    model = "huber"

    def __init__(self, *, epsilon: float = 1.35, alpha: float = 0.0001, range: float = 32.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.epsilon, self.alpha, self.range = epsilon, alpha, range

    @property
    def parameters(self) -> Parameters:
        return Parameters(epsilon=self.epsilon, alpha=self.alpha, range=self.range)


class LogLinkRegressor(ByRows):
    """Base of regressors whose mean is exp(X w), of an exposure times that.

    alpha: penalty, beside the mean of half the deviances of the rows, as in scikit-learn. unit: what the target is
    measured in, best near its mean: training starts there, and a learning rate that suits one target suits others.
    log_range: 1, 2, 4 or 8: how far the logarithm of a mean in units may go, from -1.5 times it to half of it; a large
    one costs bits. GuardError from `fit`: a row went further.
    """

    def __init__(self, *, alpha: float = 1.0, unit: float = 1.0, log_range: int = 8, **settings: Any) -> None:
        super().__init__(**settings)
        self.alpha, self.unit, self.log_range = alpha, unit, log_range

    @property
    def parameters(self) -> Parameters:
        return Parameters(alpha=self.alpha, unit=self.unit, log_range=self.log_range)

    @staticmethod
    @abstractmethod
    def deviance(y: Array, mean: Array) -> float:
        """Of all rows together, up to a factor and to what depends on y alone."""

    def predict(self, x: npt.ArrayLike) -> Array:
        """x (n, d) -> (n,): the mean, for an exposure of 1 and an offset of 0."""
        return mean_of(self.model, self._linear(x))

    def score(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """D^2, the part of the deviance that `predict(x)` explains: R^2's place, as in scikit-learn. y (n,)."""
        wanted = np.asarray(y, dtype=np.float64)
        best, none = self.deviance(wanted, wanted), self.deviance(wanted, np.full(len(wanted), wanted.mean()))
        return 1 - (self.deviance(wanted, self.predict(x)) - best) / (none - best)


class PoissonRegressor(LogLinkRegressor):
    """Poisson regression with a log link, for counts or rates of at least 0."""

    model = "poisson"

    @staticmethod
    def deviance(y: Array, mean: Array) -> float:
        return float((mean - y * np.log(np.where(y > 0, mean, 1.0))).sum())


class GammaRegressor(LogLinkRegressor):
    """Gamma regression with a log link, for sizes of more than 0."""

    model = "gamma"

    @staticmethod
    def deviance(y: Array, mean: Array) -> float:
        return float((np.log(mean) + y / mean).sum())
