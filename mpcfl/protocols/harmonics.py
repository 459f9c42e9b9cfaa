"""The series of the sigmoid and of its guard: coefficients that all parties have to the last bit.

They multiply shares: were one rounded differently at two parties, the sum of the products would be wrong by a whole
share. What numpy makes of `exp` and `sin` may differ in its last bits: they are rounded far above those, and compared.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpcfl.ring.waves import ANGLE_BITS

_QUADRATURE = 4096


@dataclass(frozen=True, slots=True)
class Series:
    """sigmoid(z) ~ 1/2 + sum_k b_k sin(2 pi k z / P) and the guard, k = 1, 3, ..., 2 terms - 1, P = 4 range.

    `range` B, a power of two: the series is least squares on [-B, B], the sigmoid reflected about B beyond.
    """

    range: int
    terms: int

    def __post_init__(self) -> None:
        if self.range < 2 or self.range & (self.range - 1) or not 2 <= self.terms <= 256:
            raise ValueError("a series needs a range that is a power of two and 2 to 256 terms")

    @classmethod
    def within(cls, range: int, error: float) -> Series:
        """The shortest series for |z| <= range that is wrong by at most `error`; ValueError beyond 256 terms."""
        z = np.linspace(0, range, _QUADRATURE)
        exact = 1 / (1 + np.exp(-z)) - 0.5
        waves = np.sin(np.outer(np.arange(1, 513, 2), z) * (math.pi / (2 * range)))
        sums = np.cumsum(cls(range, 256).sigmoid()[:, None] * waves, axis=0)
        good = np.flatnonzero(np.abs(sums - exact).max(axis=1) <= error)
        if not len(good):
            raise ValueError(f"no series of 256 terms is the sigmoid to {error:g} within {range}")
        return cls(range, max(2, int(good[0]) + 1))

    @property
    def scale(self) -> int:
        """Fractional bits of an angle: z modulo the period in 32 bits."""
        return ANGLE_BITS - self.period_bits

    @property
    def period_bits(self) -> int:
        return (4 * self.range).bit_length() - 1

    @functools.cache  # noqa: B019 - a few values in a process, and asked for in every iteration
    def sigmoid(self) -> npt.NDArray[np.float64]:
        """b_k (terms,): quarter waves are orthogonal on [0, B], so least squares is a projection (midpoint rule)."""
        z = (np.arange(_QUADRATURE) + 0.5) * (self.range / _QUADRATURE)
        values = 1 / (1 + np.exp(-z)) - 0.5
        waves = np.sin(np.outer(self.odd(), z) * (math.pi / (2 * self.range)))
        return _settled(waves @ values * (2 / _QUADRATURE))

    @functools.cache  # noqa: B019
    def slope(self) -> npt.NDArray[np.float64]:
        """c_k (terms,): sigmoid'(z) ~ sum_k c_k cos(2 pi k z / P), the series of the sigmoid term by term. That is the
        least-squares one too: the parts at the ends vanish, since quarter waves do there."""
        return _settled(self.sigmoid() * self.odd() * (math.pi / (2 * self.range)))

    @functools.cache  # noqa: B019
    def guard(self) -> npt.NDArray[np.float64]:
        """c_k (terms,): (1 - sum_k c_k cos(2 pi k z / P)) / 2 is 0 while |z| < B/2, 1/2 at B, 1 from 1.3 B on; a square
        wave smoothed by a Gaussian, so that its terms end before it rings."""
        k = self.odd()
        sign = np.where((k - 1) // 2 % 2 == 0, 1.0, -1.0)
        width = 4.8 / (2 * self.terms - 1)
        return _settled(4 / math.pi * sign / k * np.exp(-((k * width) ** 2) / 2))

    def odd(self) -> npt.NDArray[np.int64]:
        """k = 1, 3, ..., 2 terms - 1."""
        return np.arange(1, 2 * self.terms, 2)


def _settled(coefficients: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rounded to 2^-40, far above what machines differ by and far below what matters; a party whose rounding falls on
    the other side is found out when the parties compare them (`fingerprint`)."""
    return np.round(coefficients * 2.0**40) / 2.0**40


def fingerprint(series: Series) -> bytes:
    """What parties compare before they use a series."""
    return b"".join(part.tobytes() for part in (series.sigmoid(), series.slope(), series.guard()))
