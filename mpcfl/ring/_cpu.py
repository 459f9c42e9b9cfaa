"""Ring products on the CPU: which kernel, which layout, how many threads.

All functions take two-dimensional int64 CPU tensors of matching shapes, in any layout; `product.py` checks that.
"""

from __future__ import annotations

import numpy as np
import torch

from mpcfl.ring import _kernels
from mpcfl.ring._threads import Span, run, spans, workers

_FEW_COLUMNS = 64  # below, dot products beat accumulating rows that short


def matmul(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """a (n, k) @ b (k, m) + plus mod 2^64. A transposed view of a contiguous a is used as it is, without a copy."""
    return _ring(_product(_words(a), _words(b), None if plus is None else _words(plus)))


def matmul_t(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    return matmul(a.t(), b, plus)


def pair(
    a: torch.Tensor, b: torch.Tensor, e: torch.Tensor, f: torch.Tensor, plus: torch.Tensor | None = None
) -> torch.Tensor:
    """a @ b + e @ f + plus."""
    return matmul(a, b, matmul(e, f, plus))


def pair_t(
    a: torch.Tensor, b: torch.Tensor, e: torch.Tensor, f: torch.Tensor, plus: torch.Tensor | None = None
) -> torch.Tensor:
    """a.T @ b + e.T @ f + plus."""
    return pair(a.t(), b, e.t(), f, plus)


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


def _product(a: np.ndarray, b: np.ndarray, plus: np.ndarray | None) -> np.ndarray:
    if a.flags.c_contiguous or not a.flags.f_contiguous:
        a = np.ascontiguousarray(a)
        if b.shape[1] < _FEW_COLUMNS:
            return _dots(a, np.ascontiguousarray(b.T), plus)
    elif b.shape[1] < a.shape[0]:  # the kernel runs along the rows of its second operand: give it the longer ones
        plus = None if plus is None else plus.T
        return np.ascontiguousarray(_accumulate(np.ascontiguousarray(b).T, a.T, plus).T)
    return _accumulate(a, np.ascontiguousarray(b), plus)


def _dots(a: np.ndarray, columns: np.ndarray, plus: np.ndarray | None) -> np.ndarray:
    out = _start((a.shape[0], columns.shape[0]), plus)
    threads = workers(a.size * columns.shape[0])
    run(lambda span: _kernels.dots(a, columns, out, *span), spans(a.shape[0], threads), threads)
    return out


def _accumulate(a: np.ndarray, b: np.ndarray, plus: np.ndarray | None = None, upper: bool = False) -> np.ndarray:
    """a (n, k, C or Fortran order) @ b (k, m, C order) + plus, divided among threads along n, or along k where k is
    longer."""
    n, k = a.shape
    shape = (n, b.shape[1])
    threads = workers(a.size * b.shape[1])
    if k <= n:
        out = _start(shape, plus)
        pieces = 4 * threads if upper else threads  # rows of a triangle differ in length: finer pieces even that out
        run(lambda span: _kernels.accumulate(a, b, out, *span, 0, k, upper), spans(n, pieces), threads)
        return out

    def part(span: Span) -> np.ndarray:
        out = _start(shape, plus if span[0] == 0 else None)
        _kernels.accumulate(a, b, out, 0, n, *span, upper)
        return out

    total, *others = run(part, spans(k, threads), threads)
    for other in others:
        total += other
    return total


def _start(shape: tuple[int, int], plus: np.ndarray | None) -> np.ndarray:
    """What the kernels add to."""
    return np.zeros(shape, np.uint64) if plus is None else np.array(plus, order="C")
