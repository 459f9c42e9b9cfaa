"""Waves in torch's own operations, for any device: what `waves.py` promises is defined here."""

from __future__ import annotations

import math

import numpy as np
import torch

from mpcfl.ring.waves import ANGLE_BITS, SCRAMBLE, Coefficients, horner

# In x^2, lowest first; 9 terms are exact to float64 on [-pi/4, pi/4].
SINE = tuple((-1.0) ** i / math.factorial(2 * i + 1) for i in range(9))
COSINE = tuple((-1.0) ** i / math.factorial(2 * i) for i in range(9))
UNIT = 2 * math.pi / 2.0**ANGLE_BITS  # radians


def tables(angles: torch.Tensor, terms: int, scale: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """See `waves.py`."""
    sines, cosines = waves(angles, terms)
    return (torch.stack([cosines, sines]) * 2.0**scale).round().to(dtype)


def combine(angles: torch.Tensor, tables: torch.Tensor, coefficients: Coefficients) -> torch.Tensor:
    """See `waves.py`."""
    sin, cos = waves(angles, coefficients.terms)
    cos_r, sin_r = tables
    numbered = angles + torch.arange(coefficients.terms, device=angles.device)[:, None]
    die = (numbered * SCRAMBLE & ((1 << ANGLE_BITS) - 1)).to(torch.float64) * 2.0**-ANGLE_BITS - 0.5

    def public(c: np.ndarray, wave: torch.Tensor) -> torch.Tensor:
        return (torch.from_numpy(c).to(wave.device)[:, None] * wave + die).round().to(torch.int64)

    rows = [(public(c, sin) * cos_r + public(c, cos) * sin_r).sum(0) for c in coefficients.sines]
    rows += [(public(c, cos) * cos_r - public(c, sin) * sin_r).sum(0) for c in coefficients.cosines]
    found = torch.stack(rows) if rows else angles.new_empty(0, len(angles))
    return found.to(tables.dtype)


def waves(angles: torch.Tensor, terms: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(sin, cos) of k times angles (n,), each (terms, n) float64, for odd k."""
    sine, cosine = _sine_cosine(angles)
    double = 2 * (cosine * cosine - sine * sine)
    sines, cosines = [sine], [cosine]
    before_s, before_c = -sine, cosine
    for _ in range(terms - 1):
        sines.append(double * sines[-1] - before_s)
        cosines.append(double * cosines[-1] - before_c)
        before_s, before_c = sines[-2], cosines[-2]
    return torch.stack(sines), torch.stack(cosines)


def _sine_cosine(angles: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the angle to the nearest quarter turn, turned back by as many."""
    shifted = angles + (1 << (ANGLE_BITS - 3))
    quadrant = (shifted >> (ANGLE_BITS - 2)) & 3
    rest = (shifted & ((1 << (ANGLE_BITS - 2)) - 1)) - (1 << (ANGLE_BITS - 3))
    x = rest.to(torch.float64) * UNIT
    square = x * x
    sine, cosine = horner(square, SINE) * x, horner(square, COSINE)
    swapped = (quadrant & 1).bool()
    s, c = torch.where(swapped, cosine, sine), torch.where(swapped, sine, cosine)
    return torch.where(quadrant >= 2, -s, s), torch.where((quadrant == 1) | (quadrant == 2), -c, c)
