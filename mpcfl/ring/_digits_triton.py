"""Digits in Triton: split and combined in one pass over memory. `_digits.Plain` says what both do."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mpcfl.ring import _digits

_ROWS, _DEPTH = 16, 64  # of a tile: `_digits.Layout` pads to multiples of both
_TALL, _WIDE = 8, 128
_BALANCE = tl.constexpr(_digits.BALANCE)


def split(a: torch.Tensor, planes: torch.Tensor, reverse: bool) -> None:
    chunks, rows, digits, length = planes.shape
    grid = (rows // _ROWS, length // _DEPTH, chunks)
    with torch.cuda.device_of(a):
        _split[grid](
            a, planes, *a.shape, *a.stride(), rows, length, DIGITS=digits, REVERSE=reverse, ROWS=_ROWS, DEPTH=_DEPTH
        )


def combine(sums: torch.Tensor, out: torch.Tensor) -> None:
    (n, m), (places, rows, columns) = out.shape, sums.shape
    grid = (triton.cdiv(n, _TALL), triton.cdiv(m, _WIDE))  # of the second dimension there may be 65535 only
    with torch.cuda.device_of(out):
        _combine[grid](sums, out, n, m, columns, rows * columns, PLACES=places, TALL=_TALL, WIDE=_WIDE)


@triton.jit(do_not_specialize=["n"])
def _split(
    a, planes, n, k, by_row, by_k, rows, length,
    DIGITS: tl.constexpr, REVERSE: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    chunk = tl.program_id(2).to(tl.int64)
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    place = tl.program_id(1) * DEPTH + tl.arange(0, DEPTH)[None, :]
    term = chunk * length + place
    word = tl.load(a + row * by_row + term * by_k, mask=(row < n) & (term < k), other=0)
    word = (word + _BALANCE) ^ _BALANCE
    start = planes + (chunk * rows + row) * (DIGITS * length) + place
    for d in tl.static_range(DIGITS):
        tl.store(start + (DIGITS - 1 - d if REVERSE else d) * length, (word >> (8 * d)).to(tl.int8))


@triton.jit(do_not_specialize=["n"])
def _combine(sums, out, n, m, columns, plane, PLACES: tl.constexpr, TALL: tl.constexpr, WIDE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * TALL + tl.arange(0, TALL)[:, None]
    column = tl.program_id(1) * WIDE + tl.arange(0, WIDE)[None, :]
    inside = (row < n) & (column < m)
    total = tl.load(out + row * m + column, mask=inside, other=0)
    of = sums + row * columns + column
    for s in tl.static_range(PLACES):
        total += tl.load(of, mask=inside, other=0).to(tl.int64) << (8 * s)
        of += plane
    tl.store(out + row * m + column, total, mask=inside)
