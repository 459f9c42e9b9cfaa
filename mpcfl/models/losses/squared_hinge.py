"""The squared hinge of a linear support vector machine, max(0, 1 - y z)^2, y in {-1, 1}.

Rows are multiplied by their labels first, so that z stands for y z and the derivative is -2 max(0, 1 - z).
"""

from __future__ import annotations

import numpy as np

from mpcfl.data.own_rows import Coded
from mpcfl.errors import DataError, JobError
from mpcfl.models.losses.bent import bent, predictor_bits
from mpcfl.models.losses.class_weight import ClassWeight, weights_of
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import LABEL, Array, Loss


class SquaredHinge(Loss):
    """`range`: |z| stays below it, or the run ends with an error."""

    rounds = 3
    has_classes = True
    target = LABEL
    has_response = False
    curvature_bound = 2.0
    has_curvature = True
    signed = True
    range_hint = "raise [model] range, or lower the learning_rate or C; separable classes need a penalty"

    def __init__(self, range: float = 32.0, class_weight: ClassWeight = None) -> None:
        if range <= 0:
            raise JobError("[model] range must be more than 0")
        self.range, self.class_weight = range, class_weight
        self.slope = 2.0 * (1 + 2 * range)
        self.predictor_bits = predictor_bits(range, self.slope)

    def code(self, y: Array, name: str, target: str) -> Coded:
        negative = -1.0 if (y == -1).any() else 0.0
        wrong = (y != 1) & (y != negative)
        if wrong.any():
            raise DataError(
                f"{name}: row {int(np.argmax(wrong)) + 1}, column '{target}': a label must be 0 or 1, or -1 or 1",
                hint="code the two classes as 0 and 1",
            )
        label = (y == 1).astype(np.float64)
        return Coded(sign=2 * label - 1, weight=weights_of(label, self.class_weight), target=label)

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: 3 rounds; see `bent`."""
        return (yield from self._bent(z, bits, factor, slope=False))

    def with_curvature(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `derivative`."""
        return (yield from self._bent(z, bits, factor, slope=True))

    def _bent(self, z: Share, bits: int, factor: float, *, slope: bool) -> Protocol:
        return bent(
            z, [1.0], [2, 0], offset=-2.0, range=self.range, bound=self.slope, bits=bits, factor=factor, slope=slope
        )

    def prediction(self, z: Share, target: Share) -> Protocol:
        """X w from y X w, the labels y = 2 target - 1. Cost: 1 round, an element of each and m."""
        margins = Pinned(z)
        _, scores = yield from parallel(margins.opening(), margins.scaled_rows(target * 2 - 1.0))
        return scores.within(z.bound)

    def derivative_of(self, z: Array) -> Array:
        return -2 * np.maximum(0.0, 1 - z)

    def curvature_of(self, z: Array) -> Array:
        return np.where(z < 1, 2.0, 0.0)

    def value_of(self, z: Array, coded: Coded) -> Array:
        return np.maximum(0.0, 1 - z) ** 2
