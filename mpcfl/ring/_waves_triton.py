"""Waves in Triton: one pass over memory, everything between in registers.

The operations are those of `_waves_torch.py`, in its order, each rounded by itself (`enable_fp_fusion=False`), so that
the bits are the same; a party on a GPU and one on a CPU add up. Real constants come from memory: as arguments or
literals they would pass through float32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import triton
import triton.language as tl

from mpcfl.ring._waves_torch import COSINE, SINE, UNIT
from mpcfl.ring.waves import SCRAMBLE, Coefficients

_WIDTH = 256  # angles of a program
_WARPS = 4
_REAL = (*SINE, *COSINE, UNIT)
_VARYING = ["terms", "scale", "scramble"]
_MAGIC = tl.constexpr(1.5 * 2.0**52)  # added: rounds to nearest, ties to even, and leaves the integer in the low bits
_MAGIC_BITS = tl.constexpr(0x4338000000000000)


def tables(angles: torch.Tensor, terms: int, scale: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """See `waves.py`."""
    n = len(angles)
    out = torch.empty(2, terms, n, dtype=dtype, device=angles.device)
    if n:
        with torch.cuda.device_of(angles):
            _tables[(triton.cdiv(n, _WIDTH),)](
                angles, _there(_REAL, angles.device), out, n, terms, scale, SCRAMBLE,
                WIDTH=_WIDTH, num_warps=_WARPS, enable_fp_fusion=False,
            )  # fmt: skip
    return out


def combine(angles: torch.Tensor, tables: torch.Tensor, coefficients: Coefficients) -> torch.Tensor:
    """See `waves.py`."""
    n, rows = len(angles), np.concatenate([coefficients.sines, coefficients.cosines])
    out = torch.empty(len(rows), n, dtype=tables.dtype, device=angles.device)
    if out.numel():
        with torch.cuda.device_of(angles):
            _series[(triton.cdiv(n, _WIDTH),)](
                angles, _there(_REAL, angles.device), tables, _there(tuple(rows.flat), angles.device), out,
                n, coefficients.terms, SCRAMBLE,
                SINES=len(coefficients.sines), SERIES=len(rows), WIDTH=_WIDTH,
                num_warps=_WARPS, enable_fp_fusion=False,
            )  # fmt: skip
    return out


@lru_cache(maxsize=256)
def _there(numbers: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Public constants on a device, where they stay: a copy would hold up every launch."""
    return torch.tensor(numbers, dtype=torch.float64, device=device)


@triton.jit(do_not_specialize=_VARYING)
def _tables(angles, real, out, n, terms, scale, scramble, WIDTH: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    s, c, die = _start(tl.load(angles + place, mask=inside, other=0), real, scramble)
    before_s, before_c, double = -s, c, (c * c - s * s) * 2.0
    size = (tl.full([], 1, tl.int64) << scale).to(tl.float64)
    to = out + place
    apart = terms.to(tl.int64) * n
    # Two terms at a time, each in the place of the one before the last: see `_series`.
    for _ in range(terms // 2):
        tl.store(to, _integer(c * size).to(out.dtype.element_ty), mask=inside)
        tl.store(to + apart, _integer(s * size).to(out.dtype.element_ty), mask=inside)
        before_s, before_c = double * s - before_s, double * c - before_c
        to += n
        tl.store(to, _integer(before_c * size).to(out.dtype.element_ty), mask=inside)
        tl.store(to + apart, _integer(before_s * size).to(out.dtype.element_ty), mask=inside)
        s, c = double * before_s - s, double * before_c - c
        to += n
    if terms % 2 != 0:
        tl.store(to, _integer(c * size).to(out.dtype.element_ty), mask=inside)
        tl.store(to + apart, _integer(s * size).to(out.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=_VARYING)
def _series(
    angles, real, tables, coefficients, out, n, terms, scramble,
    SINES: tl.constexpr, SERIES: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    s, c, die = _start(tl.load(angles + place, mask=inside, other=0), real, scramble)
    before_s, before_c, double = -s, c, (c * c - s * s) * 2.0
    step = scramble.to(tl.float64) * 2.0**-32
    kind: tl.constexpr = tables.dtype.element_ty
    totals = (tl.zeros([WIDTH], kind),) * SERIES
    of = tables + place
    apart = terms.to(tl.int64) * n
    # Two terms at a time, each in the place of the one before the last. Where the two changed places after every term,
    # an H200 got wrong cosines from the fourth on (Triton 3.6, CUDA 13.0), though not in the interpreter.
    for pair in range(terms // 2):
        k = 2 * pair
        totals = _added(totals, s, c, die, of, apart, inside, coefficients + k, terms, SINES, SERIES)
        before_s, before_c, die = double * s - before_s, double * c - before_c, _next(die, step)
        of += n
        totals = _added(totals, before_s, before_c, die, of, apart, inside, coefficients + k + 1, terms, SINES, SERIES)
        s, c, die = double * before_s - s, double * before_c - c, _next(die, step)
        of += n
    if terms % 2 != 0:
        totals = _added(totals, s, c, die, of, apart, inside, coefficients + terms - 1, terms, SINES, SERIES)
    for j in tl.static_range(SERIES):
        tl.store(out + tl.full([], j, tl.int64) * n + place, totals[j], mask=inside)


@triton.jit
def _added(
    totals, s, c, die, of, apart, inside, coefficient, terms, SINES: tl.constexpr, SERIES: tl.constexpr
):  # fmt: skip
    """The totals of all series with one term more, of which s and c are the waves."""
    cos_r = tl.load(of, mask=inside, other=0)
    sin_r = tl.load(of + apart, mask=inside, other=0)
    new = totals[:0]
    for j in tl.static_range(SERIES):
        b = tl.load(coefficient + j * terms)
        of_s, of_c = _integer(b * s + die).to(cos_r.dtype), _integer(b * c + die).to(cos_r.dtype)
        if j < SINES:
            new = new + (totals[j] + of_s * cos_r + of_c * sin_r,)
        else:
            new = new + (totals[j] + of_c * cos_r - of_s * sin_r,)
    return new


@triton.jit
def _next(die, step):
    """Multiples of 2^-32: exact."""
    cast = die + step
    return tl.where(cast >= 0.5, cast - 1.0, cast)


@triton.jit
def _start(angle, real, scramble):
    """Sine, cosine and die of an angle."""
    low = ((angle * scramble) << 32) >> 32  # the low 32 bits with a sign, which a turn of the die undoes
    die = low.to(tl.float64) * 2.0**-32 - 0.5
    die = tl.where(low < 0, die + 1.0, die)
    shifted = angle + (1 << 29)
    quadrant = (shifted >> 30) & 3
    x = ((shifted & ((1 << 30) - 1)) - (1 << 29)).to(tl.float64) * tl.load(real + 18)
    square = x * x
    p, q = _horner(square, real) * x, _horner(square, real + 9)
    swapped = (quadrant & 1) != 0
    s, c = tl.where(swapped, q, p), tl.where(swapped, p, q)
    return tl.where(quadrant >= 2, -s, s), tl.where((quadrant == 1) | (quadrant == 2), -c, c), die


@triton.jit
def _horner(x, coefficients):
    """Nine of them."""
    total = x * 0.0 + tl.load(coefficients + 8)
    for i in tl.static_range(8):
        total = total * x + tl.load(coefficients + 7 - i)
    return total


@triton.jit
def _integer(x):
    return (x + _MAGIC).to(tl.int64, bitcast=True) - _MAGIC_BITS
