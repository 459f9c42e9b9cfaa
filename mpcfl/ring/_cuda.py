"""Ring products on CUDA, where torch has none for int64: which of our own ways multiplies which shapes.

`CHOICES` is a table, and `scripts/bench_gpu.py` prints what each way takes beside it. Where Triton's kernels do not
run, all is done by float64 limbs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcfl.ring import _digits, _limbs
from mpcfl.ring._kept import LEFT, RIGHT, digits_of
from mpcfl.ring._triton import why_not

Plus = torch.Tensor | None


@dataclass(frozen=True)
class Choice:
    """A way of multiplying (n, k) and (k, m), for shapes within all of its limits."""

    way: str
    narrow: int | None = None  # the smaller one of n and m, at most
    results: int = 0  # n m, at least
    work: int = 0  # n k m, at least

    def suits(self, n: int, k: int, m: int) -> bool:
        narrow = self.narrow is None or min(n, m) <= self.narrow
        return narrow and n * m >= self.results and n * k * m >= self.work


CHOICES = (
    Choice("skinny", narrow=8),  # native integers; reads each matrix once
    Choice("skinny", narrow=32, work=1 << 24),  # the same, once for every 8 columns
    Choice("digits", results=1 << 18, work=1 << 27),  # 8-bit tensor cores; a dozen launches
    Choice("tiles"),  # native integers; one launch
)
"""The first that suits is taken. Set by counting; results/README.md has where an H200 finds another way faster."""


def choice(n: int, k: int, m: int) -> str:
    return next(choice.way for choice in CHOICES if choice.suits(n, k, m))


def matmul(a: torch.Tensor, b: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """a (n, k) @ b (k, m) + plus mod 2^64, in any layout."""
    return _multiply(a, b, plus, transposed=False)


def matmul_t(a: torch.Tensor, b: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """a.T @ b + plus, a (n, k), b (n, m)."""
    return _multiply(a, b, plus, transposed=True)


def gram(a: torch.Tensor) -> torch.Tensor:
    return matmul_t(a, a)


def pair(x: torch.Tensor, v: torch.Tensor, y: torch.Tensor, w: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """x @ v + y @ w + plus, for x and y of one shape, v and w of one shape."""
    return _pair(x, v, y, w, plus, transposed=False)


def pair_t(x: torch.Tensor, v: torch.Tensor, y: torch.Tensor, w: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """x.T @ v + y.T @ w + plus."""
    return _pair(x, v, y, w, plus, transposed=True)


def _multiply(a: torch.Tensor, b: torch.Tensor, plus: Plus, *, transposed: bool) -> torch.Tensor:
    left = a.t() if transposed else a
    n, k, m = *left.shape, b.shape[1]
    if why_not(a.device.type) is not None or 0 in (n, k, m):
        return _limbs.matmul(left, b, plus)
    way = choice(n, k, m)
    if way == "digits":
        return _digits.matmul(digits_of(a, LEFT, transposed), digits_of(b, RIGHT, False), plus)
    if way == "tiles":
        from mpcfl.ring import _tiles_triton  # imported late: triton is not installed everywhere, and loads slowly

        return _tiles_triton.matmul(left, b, plus)
    if m <= n:
        return _narrow(left, b, None, None, plus)
    return _narrow(b.t(), left.t(), None, None, None if plus is None else plus.t()).t().contiguous()


def _pair(
    x: torch.Tensor, v: torch.Tensor, y: torch.Tensor, w: torch.Tensor, plus: Plus, *, transposed: bool
) -> torch.Tensor:
    left, other = (x.t(), y.t()) if transposed else (x, y)
    n, k, m = *left.shape, v.shape[1]
    if why_not(x.device.type) is None and 0 not in (n, k, m) and m <= n and choice(n, k, m) == "skinny":
        return _narrow(left, v, other, w, plus)
    return _multiply(x, v, _multiply(y, w, plus, transposed=transposed), transposed=transposed)


def _narrow(x: torch.Tensor, v: torch.Tensor, y: Plus, w: Plus, plus: Plus) -> torch.Tensor:
    """x @ v + y @ w + plus for few columns. Kernels read rows of memory: those of x and y, or of both transposed."""
    from mpcfl.ring import _skinny_triton

    if v.shape[1] > _skinny_triton.COLUMNS:
        pieces = []
        for start in range(0, v.shape[1], _skinny_triton.COLUMNS):
            some = slice(start, start + _skinny_triton.COLUMNS)
            of_w, first = (None if part is None else part[:, some] for part in (w, plus))
            pieces.append(_narrow(x, v[:, some], y, of_w, first))
        return torch.cat(pieces, dim=1)
    matrices = [x] if y is None else [x, y]
    if all(matrix.stride(0) == 1 != matrix.stride(1) for matrix in matrices):
        return _skinny_triton.columns(x.t(), v, None if y is None else y.t(), w, plus)
    x, *others = (matrix if matrix.stride(1) == 1 else matrix.contiguous() for matrix in matrices)
    return _skinny_triton.rows(x, v, others[0] if others else None, w, plus)
