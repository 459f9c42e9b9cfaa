"""The Poisson loss with a log link, exp(z) - y z for counts or rates y >= 0: its derivative is exp(z) - y."""

from __future__ import annotations

import math

import numpy as np

from mpcfl.data.own_rows import Coded
from mpcfl.models.losses.log_link import LogLink, refuse
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Array


class Poisson(LogLink):
    """y and exp(z) in units of `unit`, and so the loss. A target beyond e^range units is refused: the guard would stop
    a fit to it, and no public bound need be larger."""

    def code(self, y: Array, name: str, target: str) -> Coded:
        refuse(y < 0, name, target, "a count must not be negative", hint="correct it, or leave the row out")
        refuse(
            y > self.unit * math.exp(self.range),
            name,
            target,
            f"a count beyond {self.unit * math.exp(self.range):.4g}, which is unit * e^log_range",
            hint="set [model] unit near the mean of the target, or raise log_range",
        )
        return Coded(response=y / self.unit)

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `exponential`."""
        return (yield from self.exponential(z, bits=bits, factor=factor))

    def derivative_of(self, z: Array) -> Array:
        return np.asarray(np.exp(z))

    def value_of(self, z: Array, coded: Coded) -> Array:
        return np.asarray(np.exp(z) - (0.0 if coded.response is None else coded.response) * z)
