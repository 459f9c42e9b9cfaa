"""The logistic loss, log(1 + exp(z)) - y z, y in {0, 1}: its derivative is sigmoid(z) - y."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from mpcfl.data.own_rows import Coded
from mpcfl.errors import DataError, JobError
from mpcfl.models.losses.class_weight import ClassWeight, weights_of
from mpcfl.protocols.harmonics import Series, fingerprint
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.sigmoid import SEEN_BITS, in_words, sigmoid
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import GUARD_SCALE, LABEL, Array, Loss

_TURN_BITS = 7  # so many periods of the sigmoid are told apart
_FINER = 2  # bits from tables to coefficients, whose rounding errors are the ones that count: each multiplies a cosine
_HINT = "double [model] sigmoid.range, or lower the learning_rate or C; separable classes need a penalty"


class Logistic(Loss):
    """`series`: the range of |z| in which the sigmoid is right, and its terms. classes: number of labels 0, 1, ...; of
    more than two, each class has a column of weights, against the rest. JobError for fewer. wider: series to go on
    with, one after the other, when a row has left the range."""

    has_classes = True
    slope = 1.1  # |sigmoid - y|, with what the series adds
    periodic = True
    curvature_bound = 0.25
    has_curvature = True

    def __init__(
        self, series: Series, classes: int = 2, class_weight: ClassWeight = None, wider: Sequence[Series] = ()
    ) -> None:
        if classes < 2:
            raise JobError(f"[model] classes must be 2 or more, not {classes}")
        self.series, self.classes, self.class_weight = series, 1 if classes == 2 else classes, class_weight
        self.target = LABEL if classes == 2 else replace(LABEL, columns=classes)
        self.wider = tuple(wider)
        self.period_bits = max(one.period_bits for one in (series, *wider))
        self.predictor_bits = max(self.period_bits, min(self.period_bits + _TURN_BITS, SEEN_BITS))
        self.range_hint = _HINT

    def code(self, y: Array, name: str, target: str) -> Coded:
        highest = max(self.classes - 1, 1)
        wrong = (y != np.round(y)) | (y < 0) | (y > highest)
        if wrong.any():
            labels = "0 or 1" if self.classes == 1 else f"a whole number from 0 to {highest}"
            raise DataError(
                f"{name}: row {int(np.argmax(wrong)) + 1}, column '{target}': a label must be {labels}",
                hint="code the classes as 0, 1, ..., and set [model] classes if there are more than two",
            )
        if self.classes == 1:
            return Coded(response=y, weight=weights_of(y, self.class_weight), target=y)
        response = (y[:, None] == np.arange(self.classes)).astype(np.float64)
        return Coded(response=response, weight=weights_of(y, self.class_weight), target=response)

    def rounds_of(self, rows: int) -> int:
        return 1 + in_words(rows * self.classes)

    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `sigmoid`."""
        value, gone = yield from self._sigmoid(z, bits, factor, slope=False)
        return value, gone.at_scale(bits + GUARD_SCALE)

    def with_curvature(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """Cost: that of `derivative`."""
        value, gone, curvature = yield from self._sigmoid(z, bits, factor, slope=True)
        return value, gone.at_scale(bits + GUARD_SCALE), curvature

    def _sigmoid(self, z: Share, bits: int, factor: float, *, slope: bool) -> Protocol:
        return sigmoid(z, self.series, table_scale=bits - _FINER, scale=bits + _FINER, factor=factor, slope=slope)

    def guard_error(self, scale: int) -> tuple[float, float]:
        """Of tables at scale t, rounded to nearest, a bias of 0.06 * 2^(-1.5 t): half that of `sigmoid`; 0.29 units for
        each term of the guard at random, and what coefficients are rounded at random by."""
        tables = scale - GUARD_SCALE - _FINER
        rounding = 0.29 * 2.0**-tables * float(np.linalg.norm(self.series.guard() / 2))
        return 0.06 * 2.0 ** (-1.5 * tables), math.hypot(rounding, math.sqrt(self.series.terms / 6) * 2.0**-GUARD_SCALE)

    def derivative_of(self, z: Array) -> Array:
        return np.exp(-np.logaddexp(0.0, -z))

    def curvature_of(self, z: Array) -> Array:
        return np.exp(-np.logaddexp(0.0, -z) - np.logaddexp(0.0, z))

    def value_of(self, z: Array, coded: Coded) -> Array:
        return np.asarray(np.logaddexp(0.0, z) - (0.0 if coded.response is None else coded.response) * z)

    def fingerprint(self) -> bytes:
        return b"".join(map(fingerprint, (self.series, *self.wider)))

    def widened(self) -> Logistic | None:
        if not self.wider:
            return None
        loss = copy(self)
        loss.series, loss.wider = self.wider[0], self.wider[1:]
        return loss
