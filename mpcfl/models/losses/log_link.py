"""What losses with a log link have in common: their derivatives are exponentials, right within a public range.

A large exponential needs headroom and a small one needs none, so the range reaches further down than up: exponents from
-1.5 B to B / 2 are in it, and none that stays unnoticed is above B (`mpcfl.protocols.exponential`). The target is
measured in a public `unit`, best near its mean: then gradient descent starts at the right height, the exponents lie
about 0, and the same learning rate suits every target.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from mpcfl.errors import DataError, JobError
from mpcfl.protocols.exponential import RANGES, exponential
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Loss

_SPARE = 1.01  # for the error of the largest exponential
_MEAN_SCALE = 34
_BITS = 60  # of the sum of all means
_PERIOD_BITS = 12  # of the opened word
_FIRST_CURVATURE = 2.0  # a target is about one unit in the mean: then so is the curvature at z = 0


class LogLink(Loss):
    """range B: 1, 2, 4 or 8; headroom for e^B. unit: more than 0. JobError for others."""

    deviance_unit = 1.0
    """Of which the deviance is a multiple."""
    predictor_bits = _PERIOD_BITS
    has_curvature = True
    first_curvature = _FIRST_CURVATURE
    range_hint = (
        "set [model] unit near the mean of the target, raise log_range, or lower the learning_rate of the gradient "
        "solver; columns of mean 0 and variance 1"
    )

    def __init__(self, range: int = 8, unit: float = 1.0) -> None:
        if range not in RANGES:
            raise JobError(f"[model] log_range = {range} is not one of {', '.join(map(str, RANGES))}")
        if not 0 < unit < math.inf:
            raise JobError(f"[model] unit = {unit} is not a positive number")
        self.range, self.unit = range, unit
        self.slope, self.shift = _SPARE * math.exp(range), math.log(unit)
        self.curvature_bound = self.slope

    def guard_scale(self, bits: int) -> int:
        return 1

    @property
    def farthest(self) -> float:
        """No exponent that the guard lets pass is larger in size."""
        return 2.0 * self.range

    @abstractmethod
    def deviance(self, z: Share, target: Share) -> Protocol:
        """(the deviance, () at scale 20, without weights; how many rows left the range, () at scale 1) of z = X w +
        offset (m,) and of targets as `code` makes them; the first is right where the second is 0."""

    def mean(self, z: Share) -> Protocol:
        """(exp(z), how many rows left the range). Cost: 1 round."""
        scale = min(_MEAN_SCALE, _BITS - math.ceil(math.log2(len(z) * self.slope)))
        value, guard = yield from exponential(z, self.range, scale=scale, middle=-self.range / 2)
        return value, guard.sum(0).at_scale(1)

    def exponential(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """(factor * exp(z) at scale 2 bits, guard). Cost: 1 round, 4 bytes an element; offline 20 elements each."""
        value, guard = yield from exponential(z, self.range, scale=2 * bits, factor=factor, middle=-self.range / 2)
        return value, guard.at_scale(1)


def refuse(wrong: npt.NDArray[np.bool_], name: str, target: str, what: str, *, hint: str) -> None:
    """DataError for the first row for which `wrong` is true, if there is one."""
    if wrong.any():
        raise DataError(f"{name}: row {int(np.argmax(wrong)) + 1}, column '{target}': {what}", hint=hint)
