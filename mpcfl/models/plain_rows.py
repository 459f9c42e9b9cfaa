"""The joint table in plaintext as a loss over rows has it: for the twins of the solvers, never in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import Coded, Rows, with_aside
from mpcfl.models.losses.class_weight import balanced_plain
from mpcfl.solvers.objective import Objective

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PlainRows:
    """z (n, d'): the rows, with their signs and a 1 for the intercept. features: how many weights are penalised."""

    z: Array
    coded: Coded
    objective: Objective
    features: int

    def predictor(self, w: Array, rows: Rows | None = None) -> Array:
        """X w + offset of some rows, by default of all."""
        u = np.asarray(self._of(self.z, rows) @ w)
        return u if self.coded.offset is None else u + self._of(self.coded.offset, rows)

    def gradient(self, w: Array, rows: Rows | None = None) -> Array:
        """Of the sum of losses of these rows, and of the smooth part of the penalty."""
        error = self.objective.loss.derivative_of(self.predictor(w, rows))
        if self.coded.response is not None:
            error = error - self._of(self.coded.response, rows)
        if self.coded.weight is not None:
            error = (error.T * self._of(self.coded.weight, rows)).T  # (n,) or (n, classes)
        return self._of(self.z, rows).T @ error + self.objective.penalty.gradient_plain(w, self.features)

    def hessian(self, curvature: Array) -> Array:
        """(d', d'), of all rows with these curvatures (n,), and of the penalty."""
        weighted = curvature if self.coded.weight is None else curvature * self.coded.weight
        matrix = (self.z.T * weighted) @ self.z
        places = np.arange(self.features)
        matrix[places, places] += self.objective.penalty.l2
        return np.asarray(matrix)

    @staticmethod
    def _of(values: Array, rows: Rows | None) -> Array:
        return values if rows is None else values[rows]


def plain_rows(
    x: Array, y: Array, facts: Facts, objective: Objective, fit_intercept: bool, aside: Mapping[str, Array] | None
) -> PlainRows:
    """x (n, d), y (n,): all training rows, in the order of the owners. aside: their weights, offsets, exposures."""
    if objective.loss.class_weight == "balanced":
        objective = objective.with_class_weight(balanced_plain(y, objective.loss.classes))
    objective = objective.over(len(x))
    coded = with_aside(objective.loss.code(y, "the joint table", facts.target), aside or {}, facts.aside, "the table")
    z = np.c_[x, np.ones(len(x))] if fit_intercept else x
    return PlainRows(z if coded.sign is None else z * coded.sign[:, None], coded, objective, x.shape[1])
