"""Regressors that need every row in every iteration, with scikit-learn's names."""

from __future__ import annotations

from typing import Any

from mpcfl.models.by_rows import ByRows
from mpcfl.models.families import Parameters


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
