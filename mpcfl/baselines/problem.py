"""A table, a model, and who owns which rows: what every baseline trains on, and what its weights are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.costs import Costs
from mpcfl.baselines.participant import Participant
from mpcfl.data.facts import Facts
from mpcfl.errors import GuardError, JobError
from mpcfl.models.descent_twin import descent_twin, distance
from mpcfl.models.families import BY_ROWS, Parameters, objective_of
from mpcfl.models.losses.huber import Huber
from mpcfl.models.plain_rows import PlainRows, plain_rows
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty

Array = npt.NDArray[np.float64]
Row = dict[str, Any]
TARGET = "y"
_KINK = 2.0**40  # Huber's loss with a kink that nothing reaches is least squares
_NEWTON_STEPS, _CONVERGED = 50, 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """model: "linear" or a model of rows, "logistic" and so on, with an intercept. x (n, d), y (n,): the joint table,
    of whose rows the owners have equal parts, one after the other. l2: of the penalty l2 / 2 |w|^2 beside the sum of
    the losses, that is alpha or 1 / C."""

    name: str
    model: str
    x: Array = field(repr=False)
    y: Array = field(repr=False)
    owners: int = 3
    l2: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.owners <= len(self.x):
            raise JobError(f"{len(self.x)} rows cannot be spread over {self.owners} owners")
        if self.l2 < 0:
            raise JobError("l2 must be at least 0")

    @cached_property
    def objective(self) -> Objective:
        """Loss and penalty. JobError for a model that there is none for."""
        if self.model != "linear" and self.model not in BY_ROWS:
            raise JobError(f"no baseline trains '{self.model}'", hint=f"take linear, {', '.join(BY_ROWS)}")
        whole = objective_of(self.model, Parameters())
        loss = Huber(_KINK, _KINK) if whole is None else whole.loss
        return Objective(loss=loss, penalty=Penalty(l2=self.l2))

    @cached_property
    def facts(self) -> Facts:
        names = tuple(f"x{i}" for i in range(self.x.shape[1]))
        rows = {i: len(part) for i, part in enumerate(np.array_split(self.y, self.owners))}
        return Facts(partition="horizontal", features=names, target=TARGET, rows=rows)

    def participants(self) -> list[Participant]:
        """ "participant 1" and so on, each with its rows and with its part of the penalty, by its part of the rows."""
        parts = zip(np.array_split(self.x, self.owners), np.array_split(self.y, self.owners), strict=True)
        return [self._participant(f"participant {i + 1}", x, y) for i, (x, y) in enumerate(parts)]

    @cached_property
    def joint(self) -> Participant:
        """One who has all rows."""
        return self._participant("everybody", self.x, self.y)

    def _participant(self, name: str, x: Array, y: Array) -> Participant:
        objective = replace(self.objective, penalty=Penalty(l2=self.l2 * len(x) / len(self.x)))
        return Participant(name, plain_rows(x, y, self.facts, objective, True, None))

    def twin(self, steps: Gradient, objective: Objective | None = None) -> Array:
        """Weights (d + 1,) after these steps on the joint table in float64, the intercept last; `objective`: another
        one."""
        return descent_twin(self.x, self.y, self.facts, objective or self.objective, steps, True)[0]

    @cached_property
    def optimum(self) -> Array:
        """Weights (d + 1,) of the minimum, by Newton's method in float64. GuardError where that finds none, as for
        separable classes without penalty."""
        with np.errstate(all="ignore"):
            found = _minimum(self.joint.rows)
        if found is None:
            raise GuardError(f"{self.name}: '{self.model}' has no minimum that Newton's method finds", hint="set l2")
        return found

    def score(self, w: Array) -> Row:
        """Of two classes the accuracy of weights (d + 1,) on the joint table; nothing for other targets."""
        if not self.objective.loss.has_classes:
            return {}
        return {"accuracy": float(((self.x @ w[:-1] + w[-1] > 0) == (self.y == 1)).mean())}

    def errors(self, w: Array, wanted: Array) -> Row:
        """Of weights (d + 1,): `relative` and `worst` beside `wanted`, `relative_optimum` beside the minimum, None
        where there is none."""
        worst = float((np.abs(w - wanted) / np.maximum(np.abs(wanted), 1e-300)).max())
        try:
            beside = distance(w, self.optimum)
        except GuardError:
            beside = None
        return {"relative": distance(w, wanted), "worst": worst, "relative_optimum": beside}

    def row(
        self,
        system: str,
        steps: Gradient,
        w: Array,
        costs: Costs,
        *,
        seen: str,
        params: Mapping[str, Any],
        optimum: bool = False,
    ) -> Row:
        """A row of results (`scripts/measuring/rows.py`): what it is, what it cost, how far its weights are from the
        same steps in float64, or from the `optimum`, and who has seen what."""
        row: Row = {"system": system, "data": self.name, "rows": len(self.x), "columns": self.x.shape[1]}
        row |= {"model": self.model, "l2": self.l2, "solver": "gradient", "partition": "horizontal"}
        row |= {"owners": self.owners, "iterations": steps.iterations, **costs.row()}
        row["reference"] = "the optimum in float64" if optimum else "the same steps in float64"
        row |= self.errors(w, self.optimum if optimum else self.twin(steps))
        row |= self.score(w)
        return {**row, "seen": seen, "params": {"learning_rate": steps.learning_rate, **params}}


def _minimum(rows: PlainRows) -> Array | None:
    w = np.zeros(rows.z.shape[1])
    for _ in range(_NEWTON_STEPS):
        try:
            hessian = rows.hessian(rows.objective.loss.curvature_of(rows.predictor(w)))
            step = np.linalg.solve(hessian, rows.gradient(w))
        except (np.linalg.LinAlgError, NotImplementedError):
            return None
        w = w - step
        if not np.isfinite(w).all():
            return None
        if np.linalg.norm(step) <= _CONVERGED * np.linalg.norm(w):
            return w
    return None
