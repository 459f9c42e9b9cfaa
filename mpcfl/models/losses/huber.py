"""Huber's loss: u^2 / 2 for |u| <= epsilon, else epsilon (|u| - epsilon / 2), u = z - y; its derivative is u, clipped.

epsilon is in units of the target (scikit-learn's HuberRegressor estimates the scale of the errors besides).
"""

from __future__ import annotations

import numpy as np

from mpcfl.data.own_rows import Coded
from mpcfl.data.rows import Vector
from mpcfl.errors import DataError, JobError
from mpcfl.models.losses.bent import bent, predictor_bits
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Array, Loss

_TARGET_SCALE = 26


class Huber(Loss):
    """`range`: |z - y| stays below it, or the run ends with an error."""

    rounds = 3
    has_response = False
    curvature_bound = 1.0
    has_curvature = True
    has_offset = True
    range_hint = "bring the target to mean 0 and variance 1, raise [model] range, or lower the learning_rate"

    def __init__(self, epsilon: float = 1.35, range: float = 32.0) -> None:
        if epsilon <= 0 or range <= 0:
            raise JobError("[model] epsilon and range must be more than 0")
        self.epsilon, self.range = epsilon, range
        self.slope = epsilon
        self.predictor_bits = predictor_bits(range, epsilon)
        self.target = Vector(scale=_TARGET_SCALE, bound=range)

    def code(self, y: Array, name: str, target: str) -> Coded:
        large = np.abs(y) > self.range
        if large.any():
            raise DataError(
                f"{name}: row {int(np.argmax(large)) + 1}, column '{target}': beyond [model] range {self.range:g}",
                hint="bring the target to mean 0 and variance 1, by constants that all agree on, or raise range",
            )
        return Coded(offset=-y, target=y)

    def prediction(self, z: Share, target: Share) -> Protocol:
        """The target is in the offset. Cost: none."""
        yield from ()
        scale = max(z.scale, target.scale)
        return z.at_scale(scale) + target.at_scale(scale).reshape(-1, 1).expand(*z.shape)

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: 3 rounds; see `bent`."""
        return (yield from self._bent(z, bits, factor, slope=False))

    def with_curvature(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `derivative`."""
        return (yield from self._bent(z, bits, factor, slope=True))

    def _bent(self, z: Share, bits: int, factor: float, *, slope: bool) -> Protocol:
        kinks, size = [-self.epsilon, self.epsilon], self.epsilon
        return bent(
            z, kinks, [0, 1, 0], offset=-size, range=self.range, bound=size, bits=bits, factor=factor, slope=slope
        )

    def derivative_of(self, z: Array) -> Array:
        return np.clip(z, -self.epsilon, self.epsilon)

    def curvature_of(self, z: Array) -> Array:
        return np.where(np.abs(z) < self.epsilon, 1.0, 0.0)

    def value_of(self, z: Array, coded: Coded) -> Array:
        size = np.abs(z)
        return np.where(size <= self.epsilon, z * z / 2, self.epsilon * (size - self.epsilon / 2))
