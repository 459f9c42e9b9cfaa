"""Compiled loops over Z_2^64. Nothing here checks a shape or starts a thread: `_cpu.py` does.

Every array is uint64 on purpose. Numba marks *signed* additions and multiplications `nsw`, which tells LLVM that they
never overflow, and then a wrapped result is undefined; unsigned arithmetic wraps by definition. The signatures are
explicit, so that a signed array is refused instead of compiled. The low 64 bits are the same for both.

The inner loops run along contiguous memory with nothing carried from one turn to the next, which is what LLVM needs to
use `vpmullq` on AVX-512 (and three `vpmuludq` on AVX2). For Intel's server processors LLVM stays at 256-bit vectors
for fear of lower clocks; 64-bit multiplication is 1.7 times as fast at 512, so the kernels ask for that.
"""

from __future__ import annotations

import numpy as np

from mpcfl.ring._compiled import compiled, wide_vectors

_COLUMNS = 512  # columns and
_DEPTH = 128  # rows of b in a tile: 512 kB, within a second-level cache
_RUN = 2048  # length of one stretch of a dot product: two of them fit a first-level cache

_C = "uint64[:,::1]"
_F = "uint64[::1,:]"


@compiled()
def _two_rows(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, i: int, first: int, last: int, left: int, right: int
) -> None:
    """out[i:i+2, left:right] += a[i:i+2, first:last] @ b[first:last, left:right], four terms of the sum at a time."""
    wide_vectors()
    c0, c1 = out[i, left:right], out[i + 1, left:right]
    k = first
    while k + 4 <= last:
        b0, b1, b2, b3 = b[k, left:right], b[k + 1, left:right], b[k + 2, left:right], b[k + 3, left:right]
        p0, p1, p2, p3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
        q0, q1, q2, q3 = a[i + 1, k], a[i + 1, k + 1], a[i + 1, k + 2], a[i + 1, k + 3]
        for j in range(right - left):
            x0, x1, x2, x3 = b0[j], b1[j], b2[j], b3[j]
            c0[j] += p0 * x0 + p1 * x1 + p2 * x2 + p3 * x3
            c1[j] += q0 * x0 + q1 * x1 + q2 * x2 + q3 * x3
        k += 4
    for rest in range(k, last):
        row, p0, q0 = b[rest, left:right], a[i, rest], a[i + 1, rest]
        for j in range(right - left):
            c0[j] += p0 * row[j]
            c1[j] += q0 * row[j]


@compiled()
def _one_row(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, i: int, first: int, last: int, left: int, right: int
) -> None:
    """`_two_rows` for the row that is left over."""
    wide_vectors()
    c = out[i, left:right]
    k = first
    while k + 4 <= last:
        b0, b1, b2, b3 = b[k, left:right], b[k + 1, left:right], b[k + 2, left:right], b[k + 3, left:right]
        p0, p1, p2, p3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
        for j in range(right - left):
            c[j] += p0 * b0[j] + p1 * b1[j] + p2 * b2[j] + p3 * b3[j]
        k += 4
    for rest in range(k, last):
        row, p0 = b[rest, left:right], a[i, rest]
        for j in range(right - left):
            c[j] += p0 * row[j]


@compiled(*(f"void({a},{_C},{_C},int64,int64,int64,int64,boolean)" for a in (_C, _F)))
def accumulate(
    a: np.ndarray, b: np.ndarray, out: np.ndarray, top: int, bottom: int, first: int, last: int, upper: bool
) -> None:
    """out[top:bottom] += a[top:bottom, first:last] @ b[first:last].

    a (n, k) in C or in Fortran order: the second is a transposed view, so that no product copies one.
    b (k, m) and out (n, m) in C order. With `upper` only the entries on and above the diagonal are promised.
    """
    wide_vectors()
    columns = b.shape[1]
    for j in range(0, columns, _COLUMNS):
        right = min(j + _COLUMNS, columns)
        for k in range(first, last, _DEPTH):
            end = min(k + _DEPTH, last)
            i = top
            while i < bottom:
                left = max(j, i & -8) if upper else j  # -8: keep the vectors aligned with the rows
                if left >= right:
                    break
                if i + 1 < bottom:
                    _two_rows(a, b, out, i, k, end, left, right)
                else:
                    _one_row(a, b, out, i, k, end, left, right)
                i += 2


@compiled(f"void({_C},{_C},{_C},int64,int64)")
def dots(a: np.ndarray, columns: np.ndarray, out: np.ndarray, top: int, bottom: int) -> None:
    """out[top:bottom] += a[top:bottom] @ columns.T for few columns: a (n, k), columns (m, k), out (n, m), C order.

    Four rows at a time, so that a column is read once for four sums.
    """
    wide_vectors()
    depth = a.shape[1]
    for k in range(0, depth, _RUN):
        end = min(k + _RUN, depth)
        i = top
        while i + 4 <= bottom:
            r0, r1, r2, r3 = a[i, k:end], a[i + 1, k:end], a[i + 2, k:end], a[i + 3, k:end]
            for j in range(columns.shape[0]):
                column = columns[j, k:end]
                s0 = s1 = s2 = s3 = np.uint64(0)
                for t in range(end - k):
                    x = column[t]
                    s0 += r0[t] * x
                    s1 += r1[t] * x
                    s2 += r2[t] * x
                    s3 += r3[t] * x
                out[i, j] += s0
                out[i + 1, j] += s1
                out[i + 2, j] += s2
                out[i + 3, j] += s3
            i += 4
        for rest in range(i, bottom):
            row = a[rest, k:end]
            for j in range(columns.shape[0]):
                column = columns[j, k:end]
                total = np.uint64(0)
                for t in range(end - k):
                    total += row[t] * column[t]
                out[rest, j] += total
