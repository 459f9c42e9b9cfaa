"""The Gamma loss with a log link, z + y exp(-z) for y > 0: its derivative is 1 - exp(log y - z).

The owner of y takes its logarithm, so that no product of two secrets is left: log y is part of the row's offset.
"""

from __future__ import annotations

import numpy as np

from mpcfl.data.own_rows import Coded
from mpcfl.data.rows import Vector
from mpcfl.models.losses.log_link import LogLink, refuse
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share
from mpcfl.solvers.deviance import LOSS_SCALE, rounded
from mpcfl.solvers.objective import Array


class Gamma(LogLink):
    """z stands for X w - log(y / unit): the unit moves the intercept and leaves the loss as it is."""

    has_response = False
    has_offset = True
    target = Vector(scale=28, bound=1024.0)

    def code(self, y: Array, name: str, target: str) -> Coded:
        refuse(~(y > 0), name, target, "a value must be more than 0", hint="leave the row out, or use model poisson")
        log = np.log(y / self.unit)
        return Coded(offset=-log, target=log)

    def deviance(self, z: Share, target: Share) -> Protocol:
        """As `LogLink.deviance`. Cost: 2 rounds, 4 bytes a row."""
        scale = max(z.scale, target.scale)
        ratio = target.at_scale(scale) - z.at_scale(scale)  # log(y / mean)
        quotient, guard = yield from self.mean(ratio)
        parts = quotient.sum(0), ratio.within(self.farthest).sum(0) + float(len(ratio))
        first, second = yield from parallel(*[rounded(part, LOSS_SCALE) for part in parts])
        return (first - second) * 2, guard

    def prediction(self, z: Share, target: Share) -> Protocol:
        """The target is in the offset. Cost: none."""
        yield from ()
        scale = max(z.scale, target.scale)
        return z.at_scale(scale) + target.at_scale(scale).reshape(-1, 1).expand(*z.shape)

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `exponential`."""
        value, guard = yield from self.exponential(-z, bits=bits, factor=-factor)
        return value + factor, guard

    def with_curvature(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """f' = exp(-z) = 1 - f. Cost: that of `exponential`."""
        value, guard = yield from self.exponential(-z, bits=bits, factor=-factor)
        return value + factor, guard, -value

    def curvature_of(self, z: Array) -> Array:
        return np.asarray(np.exp(-z))

    def derivative_of(self, z: Array) -> Array:
        return np.asarray(1 - np.exp(-z))

    def value_of(self, z: Array, coded: Coded) -> Array:
        """Up to a constant of each row."""
        return np.asarray(z + np.exp(-z))
