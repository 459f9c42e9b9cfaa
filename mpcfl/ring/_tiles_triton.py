"""Small ring products in Triton: integers of 64 bits, a tile of the result a program, operands in any layout.

For what is too small for `_digits.py`, which takes a dozen launches. Where the result has few tiles, several programs
share the sum of each, and add up in memory: exact in any order.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_TILE, _DEPTH = 32, 8
_PROGRAMS = 528  # 4 for each multiprocessor of a large GPU
_LEAST = 64  # terms of a program
_VARYING = ["n", "k", "m", "span", "across"]


def matmul(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """a (n, k) @ b (k, m) + plus mod 2^64."""
    (n, k), m = a.shape, b.shape[1]
    if plus is None:
        out = torch.zeros(n, m, dtype=torch.int64, device=a.device)
    else:
        out = plus.clone(memory_format=torch.contiguous_format)
    across = triton.cdiv(m, _TILE)
    tiles = triton.cdiv(n, _TILE) * across
    shared = max(1, min(_PROGRAMS // tiles, k // _LEAST))
    span = triton.cdiv(triton.cdiv(k, shared), _DEPTH) * _DEPTH
    with torch.cuda.device_of(a):
        _matmul[(tiles, triton.cdiv(k, span))](
            a, b, out, n, k, m, span, across, *a.stride(), *b.stride(), TILE=_TILE, DEPTH=_DEPTH
        )
    return out


@triton.jit(do_not_specialize=_VARYING)
def _matmul(a, b, out, n, k, m, span, across, a_n, a_k, b_k, b_m, TILE: tl.constexpr, DEPTH: tl.constexpr):
    row = (tl.program_id(0) // across).to(tl.int64) * TILE + tl.arange(0, TILE)
    column = (tl.program_id(0) % across).to(tl.int64) * TILE + tl.arange(0, TILE)
    first = tl.program_id(1).to(tl.int64) * span
    total = tl.zeros([TILE, TILE], tl.int64)
    for start in range(0, span, DEPTH):
        for step in tl.static_range(DEPTH):
            term = first + start + step
            of_a = tl.load(a + row * a_n + term * a_k, mask=(row < n) & (term < k), other=0)
            of_b = tl.load(b + term * b_k + column * b_m, mask=(column < m) & (term < k), other=0)
            total += of_a[:, None] * of_b[None, :]
    inside = (row < n)[:, None] & (column < m)[None, :]
    tl.atomic_add(out + row[:, None] * m + column[None, :], total, mask=inside, sem="relaxed")
