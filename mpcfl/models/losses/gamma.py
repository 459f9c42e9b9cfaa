"""The Gamma loss with a log link, z + y exp(-z) for y > 0: its derivative is 1 - exp(log y - z).

The owner of y takes its logarithm, so that no product of two secrets is left: log y is part of the row's offset.
"""

from __future__ import annotations

import numpy as np

from mpcfl.data.own_rows import Coded
from mpcfl.models.losses.log_link import LogLink, refuse
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Array


class Gamma(LogLink):
    """z stands for X w - log(y / unit): the unit moves the intercept and leaves the loss as it is."""

    has_response = False
    has_offset = True

    def code(self, y: Array, name: str, target: str) -> Coded:
        refuse(~(y > 0), name, target, "a value must be more than 0", hint="leave the row out, or use model poisson")
        return Coded(offset=-np.log(y / self.unit))

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `exponential`."""
        value, guard = yield from self.exponential(-z, bits=bits, factor=-factor)
        return value + factor, guard

    def derivative_of(self, z: Array) -> Array:
        return np.asarray(1 - np.exp(-z))

    def value_of(self, z: Array, coded: Coded) -> Array:
        """Up to a constant of each row."""
        return np.asarray(z + np.exp(-z))
