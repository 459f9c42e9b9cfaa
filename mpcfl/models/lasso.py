"""Lasso and elastic net with scikit-learn's names, for use from Python."""

from __future__ import annotations

import math
from typing import Any

from mpcfl.errors import JobError
from mpcfl.models.families import Parameters, mixture_of
from mpcfl.models.linear import LinearRegression
from mpcfl.models.settings import Settings
from mpcfl.solvers.admm import Admm


class Lasso(LinearRegression):
    """The minimum of |y - X w - c|^2 / 2n + alpha |w|_1; coefficients that are zero there are 0.0.

    alpha: as in scikit-learn; columns may be of any size. solver: `Admm(iterations=..., refits=..., steps=...)`. The
    rest as `LinearRegression`, without standard errors. GuardError: what was found is not the minimum.
    """

    model = "lasso"

    def __init__(self, alpha: float = 1.0, *, solver: Admm | None = None, **settings: Any) -> None:
        super().__init__(solver=solver or Admm(), **settings)
        self.alpha = alpha

    @property
    def parameters(self) -> Parameters:
        """What the penalty is made with."""
        return Parameters(alpha=self.alpha)

    def settings(self) -> Settings:
        if not 0 <= self.alpha < math.inf:
            raise JobError("alpha must be at least 0")
        return Settings(
            model=self.model,
            penalty=mixture_of(self.model, self.parameters),
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            standard_errors=self.standard_errors,
            metrics=self.metrics,
            to=self.to,
        )


class ElasticNet(Lasso):
    """The same with alpha (l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2) instead of alpha |w|_1, l1_ratio from 0 to 1."""

    model = "elastic_net"

    def __init__(self, alpha: float = 1.0, *, l1_ratio: float = 0.5, **settings: Any) -> None:
        super().__init__(alpha, **settings)
        self.l1_ratio = l1_ratio

    @property
    def parameters(self) -> Parameters:
        """What the penalty is made with."""
        return Parameters(alpha=self.alpha, l1_ratio=self.l1_ratio)
