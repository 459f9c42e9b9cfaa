"""What a solver minimises: sum over rows of loss(z_i, y_i), z = X w + offset, and a penalty on the weights.

A loss is written twice, side by side: as a protocol on shares, and in float64 for the plaintext twin. Solvers know no
loss by name. The penalty is `mpcfl.solvers.penalty`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mpcfl.data.own_rows import Coded
from mpcfl.data.rows import Vector
from mpcfl.errors import AgreementError
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.penalty import Penalty
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
GUARD_SCALE = 16  # of a guard, on top of the bits of its factor
LABEL = Vector(scale=0, bound=1.0)
"""A target that is 0 or 1."""


class Loss(ABC):
    """One term a row. The target enters by `code`, which every owner of a target applies to its own."""

    slope: float
    """No |derivative - response| is larger, within the range."""
    predictor_bits: int
    """z has so many bits in front of the point: no z within 0.9 times 2^predictor_bits is out of the guard's sight."""
    period_bits = 0
    """Where f is periodic: 2^period_bits is a multiple of its period, so for f itself so many bits are enough."""
    range_hint: str
    """What to change when a row leaves the range."""
    rounds = 1
    """Of `derivative`."""
    has_response = True
    """The derivative by z is f(z) - response, f without any data in it."""
    has_offset = False
    signed = False
    """Rows are multiplied by labels -1 and 1, so that z stands for y z."""
    has_classes = False
    """The target is a class: 0, 1, ..."""
    class_weight: Mapping[int, float] | str | None = None
    """Weight of the rows of each class; "balanced" until the classes have been counted."""
    target: Vector | None = None
    """How the targets of held-out rows are shared for metrics; None where there is none to be had."""
    classes = 1
    """Columns of weights that are trained at once, one against the rest each; 1: a vector of weights."""
    shift = 0.0
    """What the intercept that was trained lacks, public."""

    periodic = False
    """f depends on z modulo 2^period_bits only: z may have more bits than the ring has left."""
    curvature_bound: float | None = None
    """f' is nowhere larger; None where nothing is known: then there is no second-order solver for it."""
    first_curvature: float | None = None
    """Of `curvature_bound` where Newton's method begins, if a smaller one does there: near enough to f' at z = 0."""
    has_curvature = False
    """Whether there is a protocol for f' itself, `with_curvature`."""

    @abstractmethod
    def code(self, y: Array, name: str, target: str) -> Coded:
        """y (n,) as the loss takes it. DataError, which names table, row and column, for a value it cannot take."""

    @abstractmethod
    def derivative(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """(factor * f(z) at scale 2 bits, guard). The guard, like z and at `guard_scale`: 0 while a row is well within
        the range, 1/2 at its end, 1 or more or a random element of the ring beyond. `factor`: public, in [1/2, 1)."""

    def with_curvature(self, z: Share, *, bits: int, factor: float) -> Protocol:
        """What `derivative` gives, and factor * f'(z) at scale 2 bits. Only where the loss `has_curvature`."""
        raise NotImplementedError

    def prediction(self, z: Share, target: Share) -> Protocol:
        """X w + offset (m, columns) of rows that are coded for training, from their z and their targets (m, ...): what
        `code` has put of the targets into z is taken out. Cost: none, where that is nothing."""
        yield from ()
        return z

    @abstractmethod
    def derivative_of(self, z: Array) -> Array:
        """f(z), exact, in float64."""

    def curvature_of(self, z: Array) -> Array:
        """f'(z), exact, in float64. Only where the loss `has_curvature`."""
        raise NotImplementedError

    @abstractmethod
    def value_of(self, z: Array, coded: Coded) -> Array:
        """The loss of each row, in float64."""

    def rounds_of(self, rows: int) -> int:
        """Of `derivative` for so many rows."""
        return self.rounds

    def guard_scale(self, bits: int) -> int:
        """Of the guard that belongs to a derivative of 2 bits."""
        return bits + GUARD_SCALE

    def guard_error(self, scale: int) -> tuple[float, float]:
        """What rounding makes of the guard of a row that is within the range, at this scale: (bias in size, standard
        deviation). (0, 0): it is not rounded."""
        return 0.0, 0.0

    def fingerprint(self) -> bytes:
        """Public numbers that multiply shares, and so must be the same to the last bit everywhere."""
        return b""

    def widened(self) -> Loss | None:
        """The same loss with a wider range, and the same scales; None if there is none."""
        return None

    def agree(self, session: Session) -> None:
        """AgreementError, which names a party that computes another `fingerprint`. Phase setup, never planned."""
        own = self.fingerprint()
        if session.dry_run or not own:
            return
        for name, theirs in zip(session.roster.names, session.publish(own), strict=True):
            if theirs != own:
                raise AgreementError(f"{name} computes other public coefficients", hint="use the same numpy everywhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A loss and a penalty."""

    loss: Loss
    penalty: Penalty = Penalty()

    def with_class_weight(self, weights: Mapping[int, float]) -> Objective:
        """The same with these weights of the rows of each class."""
        loss = copy(self.loss)
        loss.class_weight = weights
        return replace(self, loss=loss)

    def widened(self, times: int) -> Objective:
        """With the range of the loss widened so often. ValueError: it cannot be."""
        loss = self.loss
        for _ in range(times):
            wider = loss.widened()
            if wider is None:
                raise ValueError(f"this loss cannot be widened {times} times")
            loss = wider
        return replace(self, loss=loss)

    def over(self, rows: int) -> Objective:
        """With the penalty that belongs beside a sum over so many rows."""
        return replace(self, penalty=self.penalty.over(rows))

    def rounds(self, rows: int) -> int:
        """Of one step of gradient descent through so many rows."""
        return 3 + self.loss.rounds_of(rows) + (2 if self.penalty.l1 else 0)
