"""Sines and cosines of angles in Z_2^32, a turn being 2^32, and the ring elements that are made of them.

    tables(r, terms, scale)                 cos(k r), sin(k r): what a dealer shares
    combine(delta, tables, coefficients)    series in delta + r: what a party makes of its share of the tables

and both modulo 2^32 instead, in `words`, of which an element holds two.

k = 1, 3, ..., 2 terms - 1. Public coefficients multiply shares: were one rounded differently at two parties, even in
its last bit, the sum of the products would be wrong by a whole share. So nothing here depends on a machine's libm:
angles are reduced as integers, polynomials and recurrences are single IEEE operations, never a fused one, and integers
are the nearest, ties to even. `_waves_torch.py` is the definition, for any device; `_waves_cpu.py` and
`_waves_triton.py` give the same bits in one pass over memory.

Rounded to nearest, a coefficient below half a unit would be 0 at every angle: an error that no mean over rows or
iterations takes away (1.6e-4 of a sigmoid of 32 terms at 13 bits). So public integers are rounded up with probability
equal to their fraction. The die of term j is a scramble of a + j, uniform as the opened angle a is; terms that are
neighbours get dice far apart, so that their errors do not add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.ring._triton import why_not
from mpcfl.ring.blank import blank

ANGLE_BITS = 32
SCRAMBLE = 2654435761  # odd, about 2^32 over the golden ratio: Knuth, TAOCP volume 3, section 6.4
_LARGEST = 2.0**50  # of a number that is rounded: within float64's integers, with room to spare


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """c_k of sine series sum_k c_k sin(k z) and of cosine series, each (number, terms) and times 2^scale
    already. ValueError for one beyond 2^50 in size."""

    sines: npt.NDArray[np.float64]
    cosines: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("sines", "cosines"):
            coefficients = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            if not np.abs(coefficients).max(initial=0.0) <= _LARGEST:
                raise ValueError("a coefficient is beyond 2^50")
            object.__setattr__(self, name, coefficients)
        if self.sines.ndim != 2 or self.cosines.ndim != 2 or self.sines.shape[1] != self.cosines.shape[1]:
            raise ValueError(f"coefficients {self.sines.shape} and {self.cosines.shape} are not (number, terms)")

    def __len__(self) -> int:
        return len(self.sines) + len(self.cosines)

    @property
    def terms(self) -> int:
        return int(self.sines.shape[1])


class Backend(Protocol):
    """What a kind of device offers, for operands that are checked: angles (n,), everything contiguous. Tables are int64
    or int32, and what is combined of them is of the same type."""

    def tables(self, angles: torch.Tensor, terms: int, scale: int, dtype: torch.dtype) -> torch.Tensor: ...

    def combine(self, angles: torch.Tensor, tables: torch.Tensor, coefficients: Coefficients) -> torch.Tensor: ...


def tables(angles: torch.Tensor, terms: int, scale: int, *, words: bool = False) -> torch.Tensor:
    """round(2^scale cos(k a)), round(2^scale sin(k a)) of angles (...,): (2, terms, ...), int64, 0 <= scale < 50.

    words: of angles (n,), and modulo 2^32, two in an element: (2, terms, elements_of(n)), 0 <= scale < 31.
    Bits of an angle above 32 do not count. The recurrence s_{k+2} = 2 cos(2 a) s_k - s_{k-2} loses up to k^2 units of
    2^-53. Cost: local, 2 terms elements an angle.
    """
    if terms < 1 or not 0 <= scale < (31 if words else 50):
        raise ValueError(f"no tables of {terms} terms at scale {scale}")
    words = words and len(angles) > 0  # nothing cannot be seen as words
    shape = (2, terms, elements_of(len(angles))) if words else (2, terms, *angles.shape)
    if angles.is_meta:
        return blank(shape)
    flat, dtype = (_even(angles), torch.int32) if words else (angles.reshape(-1), torch.int64)
    found = _load(angles.device.type).tables(flat.contiguous(), terms, scale, dtype)
    return found.view(torch.int64).reshape(shape)


def combine(
    angles: torch.Tensor, tables: torch.Tensor, coefficients: Coefficients, *, words: bool = False
) -> tuple[torch.Tensor, ...]:
    """The sine series of angles + r, then the cosine series, each of the shape of `angles` (...,), which are public;
    `tables` (2, terms, ...): this party's shares of those of r. words: as in `tables`; the series are right modulo
    2^32.

    sin(k (a + r)) = sin(k a) cos(k r) + cos(k a) sin(k r), where c_k sin(k a) is rounded at random, without bias; that
    is an error of sqrt(terms / 6) units, and the tables' own rounding is one of 0.3 c_k.
    Cost: local, 2 terms integer multiply-adds an angle and series.
    """
    shape, terms, words = tuple(angles.shape), coefficients.terms, words and len(angles) > 0
    if tuple(tables.shape) != (2, terms, *((elements_of(len(angles)),) if words else shape)):
        raise ValueError(f"tables {tuple(tables.shape)} are not those of {terms} terms and angles {shape}")
    if angles.is_meta or tables.is_meta:
        return (blank(shape),) * len(coefficients)
    backend = _load(angles.device.type)
    if words:
        found = backend.combine(_even(angles).contiguous(), tables.contiguous().view(torch.int32), coefficients)
        return found[:, : len(angles)].to(torch.int64).unbind()
    flat = tables.reshape(2, terms, angles.numel()).contiguous()
    found = backend.combine(angles.reshape(-1).contiguous(), flat, coefficients)
    return tuple(one.reshape(shape) for one in found.unbind())


def elements_of(words: int) -> int:
    """How many elements hold so many words."""
    return -(-words // 2)


def _even(angles: torch.Tensor) -> torch.Tensor:
    """With one more that is zero, if their number is odd."""
    return torch.cat([angles, angles.new_zeros(1)]) if len(angles) % 2 else angles


def horner(x: torch.Tensor, coefficients: Sequence[float]) -> torch.Tensor:
    """The polynomial with these coefficients, lowest first, the same to the last bit everywhere."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x  # two operations, never a fused one: that would round differently
        total = total + coefficient
    return total


def load(device: str | torch.device) -> None:
    """Load what a device has before anybody waits for it."""
    _load(torch.device(device).type)


@cache
def _load(kind: str) -> Backend:
    """Imported late: compiled kernels take a while to load."""
    if kind == "cpu":
        from mpcfl.ring import _waves_cpu

        return _waves_cpu
    if why_not(kind) is None:
        from mpcfl.ring import _waves_triton

        return _waves_triton
    from mpcfl.ring import _waves_torch

    return _waves_torch
