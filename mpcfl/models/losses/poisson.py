"""The Poisson loss with a log link, exp(z) - y z for counts or rates y >= 0: its derivative is exp(z) - y."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import xlogy

from mpcfl.data.own_rows import Coded
from mpcfl.data.rows import Vector
from mpcfl.models.losses.log_link import LogLink, refuse
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.deviance import poisson_deviance
from mpcfl.solvers.objective import Array

_TARGET_SCALE = 16  # of y, and of y log y - y


class Poisson(LogLink):
    """y and exp(z) in units of `unit`, and so the loss. A target beyond e^range units is refused: the guard would stop
    a fit to it, and no public bound need be larger."""

    def __init__(self, range: int = 8, unit: float = 1.0) -> None:
        super().__init__(range, unit)
        self.deviance_unit = unit
        self.target = Vector(scale=_TARGET_SCALE, bound=self.slope * range, columns=2)

    def code(self, y: Array, name: str, target: str) -> Coded:
        refuse(y < 0, name, target, "a count must not be negative", hint="correct it, or leave the row out")
        refuse(
            y > self.unit * math.exp(self.range),
            name,
            target,
            f"a count beyond {self.unit * math.exp(self.range):.4g}, which is unit * e^log_range",
            hint="set [model] unit near the mean of the target, or raise log_range",
        )
        y = y / self.unit
        return Coded(response=y, target=np.stack([y, xlogy(y, y) - y], axis=1))

    def deviance(self, z: Share, target: Share) -> Protocol:
        """As `LogLink.deviance`, in units of `unit`. Cost: 3 rounds, or 4; 20 bytes a row, or 28."""
        mean, guard = yield from self.mean(z)
        total = yield from poisson_deviance(
            z.within(self.farthest), mean, target[:, 0].within(self.slope), target[:, 1].sum(0)
        )
        return total, guard

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `exponential`."""
        return (yield from self.exponential(z, bits=bits, factor=factor))

    def with_curvature(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """The exponential is its own derivative. Cost: that of `exponential`."""
        value, guard = yield from self.exponential(z, bits=bits, factor=factor)
        return value, guard, value

    def curvature_of(self, z: Array) -> Array:
        return np.asarray(np.exp(z))

    def derivative_of(self, z: Array) -> Array:
        return np.asarray(np.exp(z))

    def value_of(self, z: Array, coded: Coded) -> Array:
        return np.asarray(np.exp(z) - (0.0 if coded.response is None else coded.response) * z)
