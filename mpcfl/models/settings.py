"""What is to be trained: model, parameters by scikit-learn's names, solver, and what is revealed besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpcfl.errors import JobError
from mpcfl.models.metrics import check_metrics
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """model: its name in reports. objective: loss and penalty of models that need every row in every iteration; None
    for least squares, which needs the Gram matrix only, with alpha, the penalty on the squared weights.
    metrics: of held-out rows, to be revealed.
    standard_errors: reveal the variances of the coefficients. to: names of the parties that learn the result."""

    model: str = "linear"
    fit_intercept: bool = True
    alpha: float = 0.0
    objective: Objective | None = None
    solver: Doubling | Gradient = Doubling()
    metrics: Sequence[str] = ()
    standard_errors: bool = False
    to: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.objective is not None and not isinstance(self.solver, Gradient):
            raise JobError(f"model '{self.model}' needs the gradient solver", hint='[solver] name = "gradient"')
        if self.objective is not None and self.objective.loss.shift and not self.fit_intercept:
            raise JobError("a target in units other than 1 needs an intercept", hint="leave [model] unit out")
        check_metrics(self.model, self.metrics)
        if self.metrics and self.objective is not None and self.objective.loss.target is None:
            raise JobError("[evaluate] metrics are for two classes", hint="leave metrics out")
        if self.objective is None and isinstance(self.solver, Gradient) and (self.metrics or self.standard_errors):
            raise JobError(
                "metrics and standard errors are computed at the optimum, which the gradient solver does not promise",
                hint='use [solver] name = "doubling"',
            )
        if self.standard_errors and self.alpha:
            raise JobError("standard errors are for linear regression, not for ridge")
