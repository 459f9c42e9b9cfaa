"""Logistic regression for two classes, with scikit-learn's names: gradient descent, four rounds an iteration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpcfl.errors import JobError
from mpcfl.models.linear import LinearRegression
from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.settings import Settings
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import penalty_of


class LogisticRegression(LinearRegression):
    """Classes coded 0 and 1; columns of mean about 0 and variance about 1.

    C: inverse of the penalty on the squared weights. penalty: "l2", "l1" or "none". solver: iterations, learning
    rate, batch, momentum; the loss is divided by the rows of a batch. series: range and terms of the sigmoid
    (`Series.within`).
    The rest as `LinearRegression`. GuardError: a row left the range of the sigmoid.
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        penalty: str = "l2",
        fit_intercept: bool = True,
        solver: Gradient,
        series: Series | None = None,
        seed: int = 0,
        to: Sequence[str] | None = None,
    ) -> None:
        super().__init__(fit_intercept=fit_intercept, solver=solver, seed=seed, to=to)
        if C <= 0:
            raise JobError("C must be more than 0")
        self.C, self.penalty = C, penalty
        self.series = series or Series.within(32, 1e-4)

    def settings(self) -> Settings:
        return Settings(
            model="logistic",
            objective=Objective(loss=Logistic(self.series), penalty=penalty_of(self.penalty, 1.0 / self.C)),
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            to=self.to,
        )

    def predict_proba(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """x (n, d) -> (n, 2): probability of class 0 and of class 1, in plaintext with the revealed weights."""
        one = 1 / (1 + np.exp(-super().predict(x)))
        return np.stack([1 - one, one], axis=1)

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """x (n, d) -> (n,): the likelier class."""
        return (self.predict_proba(x)[:, 1] > 0.5).astype(np.float64)
