"""Ring products with 1 to 8 columns in Triton: integers of 64 bits, and each matrix is read once, as fast as memory is.

    rows(x, delta, e, b, plus)       x @ delta + e @ b + plus: a program has some rows, and all columns
    columns(x, delta, e, b, plus)    x.T @ delta + e.T @ b + plus: a program has some columns of x and thousands of rows

Without e and b it is the product of one matrix. Terms are added up lane by lane, and the lanes once, at the end. What
programs of `columns` found is added up in memory: addition mod 2^64 gives the same result in any order.

A warp reads 128 bytes or more of each of several rows. Rows of an even number of elements are read 16 bytes at a time:
that lengths are even is told by passing halves.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

COLUMNS = 8
TILES = ((64, 32), (64, 32), (64, 16), (64, 16), (32, 16), (32, 16), (32, 16), (32, 16))
"""Rows of a tile and elements of each, by the number of columns: their sums stay in registers. Set by counting;
`scripts/bench_gpu.py` prints what others take."""
_PROGRAMS = 1056  # 8 for each multiprocessor of a large GPU
_VARYING = ["n", "d", "x_row", "e_row", "span"]


def rows(
    x: torch.Tensor,
    delta: torch.Tensor,
    e: torch.Tensor | None = None,
    b: torch.Tensor | None = None,
    plus: torch.Tensor | None = None,
) -> torch.Tensor:
    """x, e (n, d) with rows that are contiguous; delta, b (d, m) in any layout, m <= 8. Returns (n, m)."""
    out = torch.empty(x.shape[0], delta.shape[1], dtype=torch.int64, device=x.device)
    tile, depth = TILES[out.shape[1] - 1]
    first = out if plus is None else plus
    with torch.cuda.device_of(x):
        _rows[(triton.cdiv(x.shape[0], tile),)](
            *_operands(x, delta, e, b), first, *first.stride(), out, *_lengths(x, e),
            M=out.shape[1], PLUS=plus is not None, PAIR=e is not None, EVEN=_even(x, e), TILE=tile, DEPTH=depth,
        )  # fmt: skip
    return out


def columns(
    x: torch.Tensor,
    delta: torch.Tensor,
    e: torch.Tensor | None = None,
    b: torch.Tensor | None = None,
    plus: torch.Tensor | None = None,
) -> torch.Tensor:
    """x, e (n, d) with rows that are contiguous; delta, b (n, m) in any layout, m <= 8. Returns (d, m)."""
    (n, d), m = x.shape, delta.shape[1]
    if plus is None:
        out = torch.zeros(d, m, dtype=torch.int64, device=x.device)
    else:
        out = plus.clone(memory_format=torch.contiguous_format)
    tile, depth = TILES[m - 1]
    wide = triton.cdiv(d, depth)
    span = triton.cdiv(triton.cdiv(n, max(1, _PROGRAMS // wide)), tile) * tile
    with torch.cuda.device_of(x):
        _columns[(wide, triton.cdiv(n, max(1, span)))](
            *_operands(x, delta, e, b), out, *_lengths(x, e), span,
            M=m, PAIR=e is not None, EVEN=_even(x, e), TILE=tile, DEPTH=depth,
        )  # fmt: skip
    return out


def _operands(x, delta, e, b):
    """Tensors, then how far apart the elements of delta and b lie. What is not there is never read."""
    e, b = (x, delta) if e is None else (e, b)
    return x, delta, e, b, *delta.stride(), *b.stride()


def _even(x, e):
    return all(part.shape[1] % 2 == 0 and part.stride(0) % 2 == 0 for part in (x, x if e is None else e))


def _lengths(x, e):
    """n, d, and how far apart the rows of x and of e lie; all but n as halves where they are even."""
    lengths = [x.shape[1], x.stride(0), (x if e is None else e).stride(0)]
    return x.shape[0], *(length // 2 if _even(x, e) else length for length in lengths)


@triton.jit(do_not_specialize=_VARYING)
def _rows(
    x, delta, e, b, delta_d, delta_m, b_d, b_m, plus, plus_n, plus_m, out, n, d, x_row, e_row,
    M: tl.constexpr, PLUS: tl.constexpr, PAIR: tl.constexpr, EVEN: tl.constexpr,
    TILE: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    d, x_row, e_row = _whole(d, EVEN), _whole(x_row, EVEN), _whole(e_row, EVEN)
    row = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    totals = (tl.zeros([TILE, DEPTH], tl.int64),) * M
    for start in range(0, d, DEPTH):
        column = start + tl.arange(0, DEPTH)
        totals = _more(totals, _tile(x, row, column, n, d, x_row), delta + column * delta_d, delta_m, column < d, 0, M)
        if PAIR:
            totals = _more(totals, _tile(e, row, column, n, d, e_row), b + column * b_d, b_m, column < d, 0, M)
    for j in tl.static_range(M):
        total = tl.sum(totals[j], axis=1)
        if PLUS:
            total += tl.load(plus + row * plus_n + j * plus_m, mask=row < n, other=0)
        tl.store(out + row * M + j, total, mask=row < n)


@triton.jit(do_not_specialize=_VARYING)
def _columns(
    x, delta, e, b, delta_n, delta_m, b_n, b_m, out, n, d, x_row, e_row, span,
    M: tl.constexpr, PAIR: tl.constexpr, EVEN: tl.constexpr, TILE: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    d, x_row, e_row = _whole(d, EVEN), _whole(x_row, EVEN), _whole(e_row, EVEN)
    column = tl.program_id(0) * DEPTH + tl.arange(0, DEPTH)
    totals = (tl.zeros([TILE, DEPTH], tl.int64),) * M
    for start in range(0, span, TILE):
        row = tl.program_id(1).to(tl.int64) * span + start + tl.arange(0, TILE)
        totals = _more(totals, _tile(x, row, column, n, d, x_row), delta + row * delta_n, delta_m, row < n, 1, M)
        if PAIR:
            totals = _more(totals, _tile(e, row, column, n, d, e_row), b + row * b_n, b_m, row < n, 1, M)
    for j in tl.static_range(M):
        tl.atomic_add(out + column * M + j, tl.sum(totals[j], axis=0), mask=column < d, sem="relaxed")


@triton.jit
def _whole(length, EVEN: tl.constexpr):
    """A product by 2 is known to be even when the kernel is compiled; an argument is not."""
    length = length.to(tl.int64)
    if EVEN:
        length = length * 2
    return length


@triton.jit
def _tile(x, row, column, n, d, x_row):
    inside = (row < n)[:, None] & (column < d)[None, :]
    return tl.load(x + row[:, None] * x_row + column[None, :], mask=inside, other=0)


@triton.jit
def _more(totals, tile, factors, apart, there, axis: tl.constexpr, M: tl.constexpr):
    """totals[j] += tile times column j of the factors, which run along rows (axis 1) or along columns (axis 0)."""
    new = totals[:0]
    for j in tl.static_range(M):
        factor = tl.load(factors + j * apart, mask=there, other=0)
        new = new + (totals[j] + tile * tl.expand_dims(factor, axis),)
    return new
