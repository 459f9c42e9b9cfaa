"""Compiled waves: the operations of `_waves_torch.py`, in its order, over a stretch of angles that stays in a cache.

One pass over memory: waves, public integers and sums of a stretch are never written further out than a first-level
cache. Numba without `fastmath` neither reorders float operations nor fuses them, so the results are torch's to the last
bit; the tests hold it. All that wraps is uint64, as in `_kernels.py`.
"""

from __future__ import annotations

import numpy as np

from mpcfl.ring._compiled import compiled, wide_vectors

_STRETCH = 256  # angles: eight arrays of them fit a first-level cache, with the rows of the tables that are due

# Adding this rounds to an integer, ties to even, for floats below 2^51 in size; the integer is then in the low bits.
# (Rounding and conversion by themselves are not vector instructions before AVX-512.)
_MAGIC = 1.5 * 2.0**52
_MAGIC_BITS = np.float64(_MAGIC).view(np.uint64)
_FLOAT_BITS = np.float64(2.0**52).view(np.uint64)  # with an integer in its low bits: 2^52 + the integer

# Constants of `_waves_torch.py` are arguments: a kernel kept on disk does not notice that another file has changed.
_WORDS, _TAYLOR = "uint64[::1]", "UniTuple(float64, 9)"
_ELEMENTS = ("uint64", "uint32")  # of tables, and of what is made of them
_COEFFICIENTS = "float64[:,::1]"


@compiled()
def _integer(x: float) -> np.uint64:
    return np.float64(x + _MAGIC).view(np.uint64) - _MAGIC_BITS


@compiled()
def _float(x: np.uint64) -> float:
    """Of an integer below 2^52."""
    return np.uint64(x | _FLOAT_BITS).view(np.float64) - 2.0**52


@compiled()
def _horner(x: float, c: tuple[float, ...]) -> float:
    total = c[8] * x + c[7]
    total = total * x + c[6]
    total = total * x + c[5]
    total = total * x + c[4]
    total = total * x + c[3]
    total = total * x + c[2]
    total = total * x + c[1]
    return total * x + c[0]


@compiled()
def _start(
    angles: np.ndarray,
    first: int,
    count: int,
    sine: tuple[float, ...],
    cosine: tuple[float, ...],
    unit: float,
    scramble: np.uint64,
    waves: np.ndarray,
) -> None:
    """Rows of `waves` (6, ...): sin a, cos a, what came before them (sin -a, cos -a), 2 cos 2a, and the die."""
    wide_vectors()
    s, c, before_s, before_c, double, die = waves[0], waves[1], waves[2], waves[3], waves[4], waves[5]
    for i in range(count):
        angle = angles[first + i]
        die[i] = _float(angle * scramble & np.uint64((1 << 32) - 1)) * 2.0**-32 - 0.5
        shifted = angle + np.uint64(1 << 29)
        quadrant = (shifted >> np.uint64(30)) & np.uint64(3)
        x = (_float(shifted & np.uint64((1 << 30) - 1)) - 2.0**29) * unit
        square = x * x
        p, q = _horner(square, sine) * x, _horner(square, cosine)
        swapped = (quadrant & np.uint64(1)) != np.uint64(0)
        u, v = q if swapped else p, p if swapped else q
        u = -u if quadrant >= np.uint64(2) else u
        v = -v if (quadrant == np.uint64(1)) | (quadrant == np.uint64(2)) else v
        s[i], c[i], before_s[i], before_c[i] = u, v, -u, v
        double[i] = 2.0 * (v * v - u * u)


@compiled(*[f"void({_WORDS},{_TAYLOR},{_TAYLOR},float64,uint64,float64,{e}[:,:,::1],int64,int64)" for e in _ELEMENTS])
def tables(
    angles: np.ndarray,
    sine: tuple[float, ...],
    cosine: tuple[float, ...],
    unit: float,
    scramble: np.uint64,
    scale: float,
    out: np.ndarray,
    top: int,
    bottom: int,
) -> None:
    """out[0, k, i], out[1, k, i] = round(scale cos), round(scale sin) of (2 k + 1) angles[i], top <= i < bottom."""
    wide_vectors()
    waves = np.empty((6, _STRETCH))
    for first in range(top, bottom, _STRETCH):
        count = min(_STRETCH, bottom - first)
        _start(angles, first, count, sine, cosine, unit, scramble, waves)
        s, c, next_s, next_c, double = waves[0], waves[1], waves[2], waves[3], waves[4]
        for k in range(out.shape[1]):
            cosines, sines = out[0, k, first : first + count], out[1, k, first : first + count]
            for i in range(count):
                cosines[i] = _integer(scale * c[i])
                sines[i] = _integer(scale * s[i])
                next_s[i] = double[i] * s[i] - next_s[i]
                next_c[i] = double[i] * c[i] - next_c[i]
            s, next_s = next_s, s
            c, next_c = next_c, c


@compiled(
    *[
        f"void({_WORDS},{_TAYLOR},{_TAYLOR},float64,uint64,{e}[:,:,::1],{_COEFFICIENTS},{_COEFFICIENTS},{e}[:,::1],int64,int64)"
        for e in _ELEMENTS
    ]
)
def combine(
    angles: np.ndarray,
    sine: tuple[float, ...],
    cosine: tuple[float, ...],
    unit: float,
    scramble: np.uint64,
    tables: np.ndarray,
    sines: np.ndarray,
    cosines: np.ndarray,
    out: np.ndarray,
    top: int,
    bottom: int,
) -> None:
    """out[j, top:bottom]: the sine series of each row of `sines`, then the cosine series of each of `cosines`."""
    wide_vectors()
    waves = np.empty((6, _STRETCH))
    step = _float(scramble) * 2.0**-32
    for first in range(top, bottom, _STRETCH):
        count = min(_STRETCH, bottom - first)
        _start(angles, first, count, sine, cosine, unit, scramble, waves)
        s, c, next_s, next_c, double, die = waves[0], waves[1], waves[2], waves[3], waves[4], waves[5]
        out[:, first : first + count] = 0
        for k in range(tables.shape[1]):
            cos_r, sin_r = tables[0, k, first : first + count], tables[1, k, first : first + count]
            for j in range(sines.shape[0]):
                b, total = sines[j, k], out[j, first : first + count]
                for i in range(count):
                    total[i] += _integer(b * s[i] + die[i]) * cos_r[i] + _integer(b * c[i] + die[i]) * sin_r[i]
            for j in range(cosines.shape[0]):
                b, total = cosines[j, k], out[sines.shape[0] + j, first : first + count]
                for i in range(count):
                    total[i] += _integer(b * c[i] + die[i]) * cos_r[i] - _integer(b * s[i] + die[i]) * sin_r[i]
            for i in range(count):
                next_s[i] = double[i] * s[i] - next_s[i]
                next_c[i] = double[i] * c[i] - next_c[i]
                cast = die[i] + step  # multiples of 2^-32: exact
                die[i] = cast - 1.0 if cast >= 0.5 else cast
            s, next_s = next_s, s
            c, next_c = next_c, c
