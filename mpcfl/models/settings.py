"""What is to be trained: model, parameters by scikit-learn's names, solver, and what is revealed besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mpcfl.data.facts import Facts
from mpcfl.errors import JobError
from mpcfl.models.metrics import check_metrics
from mpcfl.models.selection import Selection
from mpcfl.models.training_loss import LOSS_OF, TrainingLoss
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty

_BY_ROWS = '"gradient", "fixed_hessian" or "newton"'
Solver = Doubling | Gradient | Admm | FixedHessian | Newton


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """model: its name in reports. objective: loss and penalty of models that need every row in every iteration; None
    for least squares, which needs the Gram matrix only, with alpha, the penalty on the squared weights. penalty: of
    lasso and elastic net, beside half the mean of the squared errors.
    selection: penalties to choose from by cross-validation, instead of that of the objective.
    metrics: of held-out rows, to be revealed.
    standard_errors: reveal the variances of the coefficients. to: names of the parties that learn the result."""

    model: str = "linear"
    fit_intercept: bool = True
    alpha: float = 0.0
    objective: Objective | None = None
    penalty: Penalty | None = None
    selection: Selection | None = None
    solver: Solver = Doubling()
    metrics: Sequence[str] = ()
    standard_errors: bool = False
    to: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.objective is not None and isinstance(self.solver, Doubling):
            raise JobError(
                f"model '{self.model}' needs a solver that goes through the rows",
                hint=f"[solver] name = {_BY_ROWS}",
            )
        if self.objective is None and isinstance(self.solver, FixedHessian | Newton):
            raise JobError(f"model '{self.model}' is quadratic", hint='use [solver] name = "doubling": one step')
        if isinstance(self.solver, FixedHessian | Newton) and self.objective is not None:
            self.solver.check(self.objective)
        if self.objective is not None and self.objective.loss.shift and not self.fit_intercept:
            raise JobError("a target in units other than 1 needs an intercept", hint="leave [model] unit out")
        check_metrics(self.model, self.metrics, self.objective.loss.classes if self.objective else 1)
        if (self.penalty is not None) != isinstance(self.solver, Admm):
            needed = '"admm"' if self.penalty is not None else '"doubling"' if self.objective is None else _BY_ROWS
            raise JobError(f"model '{self.model}' needs another solver", hint=f"[solver] name = {needed}")
        if self.selection is not None:
            self._check_selection(self.selection)
        if self.objective is None and isinstance(self.solver, Gradient) and self.standard_errors:
            raise JobError(
                "standard errors are computed at the optimum, which the gradient solver does not promise",
                hint='use [solver] name = "doubling"',
            )
        if self.loss_every:
            self._check_loss()
        if self.standard_errors and (self.alpha or self.penalty is not None or self.selection is not None):
            raise JobError("standard errors are for linear regression, not for ridge, lasso or elastic net")

    @property
    def loss_every(self) -> int:
        """Iterations between two reveals of the training loss; 0: never."""
        return self.solver.loss_every if isinstance(self.solver, Gradient | FixedHessian | Newton) else 0

    @property
    def range_hint(self) -> str | None:
        """What to do where a row left the range of the loss; None for least squares, which has none."""
        if self.objective is None or not isinstance(self.solver, Newton):
            return None if self.objective is None else self.objective.loss.range_hint
        loss = self.objective.loss
        safer = "gradient" if loss.first_curvature is not None else "fixed_hessian"
        return f'{loss.range_hint}; or Newton\'s steps went too far, and [solver] name = "{safer}" will do'

    def watch(self, facts: Facts) -> TrainingLoss | None:
        """What reveals the training loss on the way, if it is asked for."""
        if not self.loss_every or self.objective is None:
            return None
        return TrainingLoss(facts, self.model, self.objective.loss, self.loss_every, self.to)

    def _check_selection(self, selection: Selection) -> None:
        if self.objective is None:
            if isinstance(self.solver, Gradient):
                raise JobError(
                    f"[select] for '{self.model}' compares optima, which the gradient solver does not promise",
                    hint='use [solver] name = "doubling"',
                )
            return
        if not isinstance(self.solver, Gradient):
            raise JobError("[select] needs the gradient solver", hint='[solver] name = "gradient"')

    def _check_loss(self) -> None:
        if self.objective is None or self.objective.loss.classes > 1 or self.model not in LOSS_OF:
            raise JobError(
                "[solver] loss_every is for models whose loss has a protocol: logistic of two classes, poisson, gamma",
                hint="leave it out",
            )
        if self.selection is not None:
            raise JobError(
                "[solver] loss_every is not for [select], which trains all penalties at once", hint="leave it out"
            )

    def with_choice(self, winner: int) -> Settings:
        """The same with one of the penalties that were to be compared, and nothing to choose."""
        chosen = self.selection
        if chosen is None:
            raise ValueError("nothing was to be chosen")
        if chosen.objectives:
            return replace(self, objective=chosen.objectives[winner], selection=None)
        penalty = chosen.penalties[winner]
        if self.penalty is None:
            return replace(self, alpha=penalty.l2, selection=None)
        return replace(self, penalty=penalty, selection=None)

    def ridge(self, rows: int) -> float:
        """What multiplies the squared weights beside the sum of squared errors of so many training rows."""
        return self.alpha if self.penalty is None else self.penalty.over(rows).l2

    def l1(self, rows: int) -> float:
        """What multiplies the weights' absolute values beside half the mean of so many squared errors."""
        return 0.0 if self.penalty is None else self.penalty.over(rows).l1 / rows
