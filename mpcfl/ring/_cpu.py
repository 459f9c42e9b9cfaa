"""Ring products on the CPU: which kernel, which layout, how many threads.

Both functions take two-dimensional int64 CPU tensors of matching shapes, in any layout; `product.py` checks that.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from mpcfl.ring import _kernels

_FEW_COLUMNS = 64  # below, dot products beat accumulating rows that short
_WORK_PER_THREAD = 1 << 23  # multiply-adds, some 2 ms: less is not worth a thread's start

Span = tuple[int, int]
T = TypeVar("T")


def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a (n, k) @ b (k, m) mod 2^64. A transposed view of a contiguous a is used as it is, without a copy."""
    return _ring(_product(_words(a), _words(b)))


def gram(a: torch.Tensor) -> torch.Tensor:
    """a.T @ a mod 2^64, a (n, d), at half the price: the lower triangle is a copy."""
    words = np.ascontiguousarray(_words(a))
    upper = np.triu(_accumulate(words.T, words, upper=True))
    return _ring(upper + np.triu(upper, 1).T)


def _words(a: torch.Tensor) -> np.ndarray:
    """The same memory as unsigned words: see `_kernels.py` for why."""
    return a.numpy().view(np.uint64)


def _ring(words: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(words.view(np.int64))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.flags.c_contiguous or not a.flags.f_contiguous:
        a = np.ascontiguousarray(a)
        if b.shape[1] < _FEW_COLUMNS:
            return _dots(a, np.ascontiguousarray(b.T))
    elif b.shape[1] < a.shape[0]:  # the kernel runs along the rows of its second operand: give it the longer ones
        return np.ascontiguousarray(_accumulate(np.ascontiguousarray(b).T, a.T).T)
    return _accumulate(a, np.ascontiguousarray(b))


def _dots(a: np.ndarray, columns: np.ndarray) -> np.ndarray:
    out = np.zeros((a.shape[0], columns.shape[0]), np.uint64)
    workers = _workers(a.size * columns.shape[0])
    _run(lambda span: _kernels.dots(a, columns, out, *span), _spans(a.shape[0], workers), workers)
    return out


def _accumulate(a: np.ndarray, b: np.ndarray, upper: bool = False) -> np.ndarray:
    """a (n, k, C or Fortran order) @ b (k, m, C order), divided among threads along n, or along k where k is longer."""
    n, k = a.shape
    shape = (n, b.shape[1])
    workers = _workers(a.size * b.shape[1])
    if k <= n:
        out = np.zeros(shape, np.uint64)
        pieces = 4 * workers if upper else workers  # rows of a triangle differ in length: finer pieces even that out
        _run(lambda span: _kernels.accumulate(a, b, out, *span, 0, k, upper), _spans(n, pieces), workers)
        return out

    def part(span: Span) -> np.ndarray:
        out = np.zeros(shape, np.uint64)
        _kernels.accumulate(a, b, out, 0, n, *span, upper)
        return out

    total, *others = _run(part, _spans(k, workers), workers)
    for other in others:
        total += other
    return total


def _workers(multiply_adds: int) -> int:
    if multiply_adds < 2 * _WORK_PER_THREAD:
        return 1
    return min(torch.get_num_threads(), multiply_adds // _WORK_PER_THREAD)


def _spans(total: int, pieces: int) -> list[Span]:
    """0..total in at most `pieces` spans, cut at multiples of 4: the rows that a kernel takes at once."""
    size = max(4, -(-total // (4 * pieces)) * 4)
    return [(low, min(low + size, total)) for low in range(0, total, size)]


def _run(function: Callable[[Span], T], spans: list[Span], workers: int) -> list[T]:
    if workers == 1:
        return [function(span) for span in spans]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, spans))
