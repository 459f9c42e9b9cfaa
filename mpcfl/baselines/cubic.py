"""A polynomial in the place of the sigmoid, for ciphertexts, which know sums and products only; and its plaintext twin.

    0.5 + 1.20096 (z / 8) - 0.81562 (z / 8)^3

is closest to the sigmoid on [-8, 8] (least squares; Kim, Song, Wang, Xia and Jiang 2018, "Secure logistic regression
based on homomorphic encryption"). Beyond, it turns round and leaves [0, 1]: at z = 20 it is -9.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.problem import Problem
from mpcfl.errors import JobError
from mpcfl.models.losses.logistic import Logistic
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.gradient import Gradient

Array = npt.NDArray[np.float64]
RANGE = 8.0
SIGMOID = (0.5, 1.20096 / RANGE, 0.0, -0.81562 / RANGE**3)
"""Coefficients of 1, z, z^2 and z^3."""


class Cubic(Logistic):
    """The logistic loss, with the polynomial as its derivative in plaintext. largest: |z| that it was asked for."""

    def __init__(self, series: Series) -> None:
        super().__init__(series)
        self.largest = 0.0

    def derivative_of(self, z: Array) -> Array:
        self.largest = max(self.largest, float(np.abs(z).max()))
        return np.asarray(np.polynomial.polynomial.polyval(z, SIGMOID))


def polynomial_twin(problem: Problem, steps: Gradient) -> tuple[Array, float]:
    """(weights (d + 1,) after these steps in float64 with the polynomial, the largest |z| at which it was needed): what
    encrypted training would give without noise."""
    exact = problem.objective.loss
    if not isinstance(exact, Logistic):
        raise JobError(f"'{problem.model}' has no sigmoid", hint="take logistic")
    loss = Cubic(exact.series)
    return problem.twin(steps, replace(problem.objective, loss=loss)), loss.largest
