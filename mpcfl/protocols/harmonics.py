"""Sines and cosines of public angles, the same to the last bit at every party, and the series that are made of them.

Coefficients of a public series multiply shares. Were they rounded differently at two parties, even in the last bit, the
sum of the products would be wrong by a whole share, so nothing here may depend on a machine's libm: angles are
reduced as integers, and polynomials are evaluated by single IEEE operations.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

ANGLE_BITS = 32  # a turn is 2^32
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


def waves(angles: torch.Tensor, terms: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(sin, cos) of k times public angles (...,) in 2^-32 turns, each (terms, ...) float64, for odd k.

    The recurrence s_{k+2} = 2 cos(2 a) s_k - s_{k-2} loses about k units in the last place of a float64.
    """
    sine, cosine = _sine_cosine(angles)
    double = 2 * (cosine * cosine - sine * sine)
    sines, cosines = [sine], [cosine]
    before_s, before_c = -sine, cosine
    for _ in range(terms - 1):
        sines.append(double * sines[-1] - before_s)
        cosines.append(double * cosines[-1] - before_c)
        before_s, before_c = sines[-2], cosines[-2]
    return torch.stack(sines), torch.stack(cosines)


@functools.cache
def _taylor(odd: bool) -> tuple[float, ...]:
    """Coefficients of sin (odd) or cos in x^2, lowest first; 9 terms are exact to float64 on [-pi/4, pi/4]."""
    return tuple((-1.0) ** i / math.factorial(2 * i + odd) for i in range(9))


def _sine_cosine(angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    shifted = angles + (1 << (ANGLE_BITS - 3))
    quadrant = (shifted >> (ANGLE_BITS - 2)) & 3
    rest = (shifted & ((1 << (ANGLE_BITS - 2)) - 1)) - (1 << (ANGLE_BITS - 3))
    x = rest.to(torch.float64) * (2 * math.pi / 2.0**ANGLE_BITS)
    square = x * x
    sine, cosine = horner(square, _taylor(True)) * x, horner(square, _taylor(False))
    swapped = (quadrant & 1).bool()
    s, c = torch.where(swapped, cosine, sine), torch.where(swapped, sine, cosine)
    return torch.where(quadrant >= 2, -s, s), torch.where((quadrant == 1) | (quadrant == 2), -c, c)


def horner(x: torch.Tensor, coefficients: tuple[float, ...]) -> torch.Tensor:
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x  # two operations, never a fused one: that would round differently
        total = total + coefficient
    return total
