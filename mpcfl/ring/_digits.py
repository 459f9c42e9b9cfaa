"""Ring products through 8-bit integers, which GPUs multiply fastest: 36 of the 64 products of digits.

An element is sum_i x_i 256^i mod 2^64 with balanced digits, -128 <= x_i < 128. With 0x80 added to each byte, carries
and all, the bytes are the digits and 128, so `(x + C) ^ C` holds the digits themselves. Products with i + j > 7 are
multiples of 2^64. Laid side by side along k, [X_0|...|X_7] and [Y_7|...|Y_0], all with i + j = s are one product of two
views: 8 calls of `torch._int_mm`, and nothing is copied between them.

Sums are int32. The longest has 8 products a term of at most 2^14, so that 16383 terms fit whatever the elements are;
longer sums are cut in chunks of equal length. An operand of fewer digits takes fewer products: 21 with one of three
digits, 15 with one of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from torch.nn.functional import pad

from mpcfl.ring._triton import why_not

DIGITS = 8
BALANCE = 0x8080808080808080 - (1 << 64)  # as int64
CHUNK = 16383  # 8 CHUNK 2^14 < 2^31
# `_int_mm` on CUDA wants more than 16 rows on the left, and the other lengths as multiples of 8; views that begin at
# multiples of 64 bytes suit the tensor cores.
_LEAST_LEFT, _ROWS, _DEPTH = 32, 16, 64


@dataclass(frozen=True)
class Layout:
    """How the digits of a matrix (rows, k) lie in memory: (chunks, padded rows, digits, padded length of a chunk)."""

    rows: int
    k: int
    digits: int
    left: bool

    @property
    def chunks(self) -> int:
        return max(1, -(-self.k // (CHUNK // _DEPTH * _DEPTH)))

    @property
    def length(self) -> int:
        return max(1, -(-self.k // (self.chunks * _DEPTH))) * _DEPTH

    @property
    def shape(self) -> tuple[int, int, int, int]:
        rows = -(-self.rows // _ROWS) * _ROWS
        return self.chunks, max(rows, _LEAST_LEFT) if self.left else rows, self.digits, self.length


@dataclass(frozen=True, eq=False)
class Digits:
    """Of the left operand (n, k), lowest first; or of the right one's transpose (m, k), highest first."""

    layout: Layout
    planes: torch.Tensor


def digits_of(a: torch.Tensor, *, left: bool, digits: int = DIGITS) -> Digits:
    """Of a (rows, k) int64 in any layout: the left operand, or the transpose of the right one.

    ValueError where an element needs more than `digits` of them, that is, beyond 127 (256^digits - 1) / 255 in size.
    """
    layout = Layout(a.shape[0], a.shape[1], digits, left)
    if digits < DIGITS and bool((((a + BALANCE) ^ BALANCE) >> (8 * digits)).any()):
        raise ValueError(f"an element of {tuple(a.shape)} has more than {digits} digits of 8 bits")
    planes = torch.empty(layout.shape, dtype=torch.int8, device=a.device)
    _kernels(a.device.type).split(a, planes, reverse=not left)
    return Digits(layout, planes)


def matmul(left: Digits, right: Digits, plus: torch.Tensor | None = None) -> torch.Tensor:
    """left (n, k) @ right (k, m) + plus mod 2^64: (n, m) int64."""
    n, m = left.layout.rows, right.layout.rows
    x, y = left.planes, right.planes
    out = torch.zeros(n, m, dtype=torch.int64, device=x.device) if plus is None else plus.clone(
        memory_format=torch.contiguous_format
    )  # fmt: skip
    highest, size = left.layout.digits, right.layout.digits
    places = range(min(DIGITS, highest + size - 1))
    sums = torch.empty(len(places), x.shape[1], y.shape[1], dtype=torch.int32, device=x.device)
    combine = _kernels(x.device.type).combine
    if not out.numel():
        return out
    for of_x, of_y in zip(x, y, strict=True):
        for s in places:  # X_low..X_high meets Y_(s - low)..Y_(s - high)
            low, high = max(0, s - size + 1), min(s, highest - 1)
            part = of_x[:, low : high + 1].flatten(1)
            other = of_y[:, size - 1 - (s - low) : size - (s - high)].flatten(1)
            torch._int_mm(part, other.t(), out=sums[s])
        combine(sums, out)
    return out


class Kernels(Protocol):
    """What a kind of device may do in one pass over memory."""

    def split(self, a: torch.Tensor, planes: torch.Tensor, reverse: bool) -> None: ...

    def combine(self, sums: torch.Tensor, out: torch.Tensor) -> None: ...


class Plain:
    """In torch's own operations, for any device: the definition."""

    @staticmethod
    def split(a: torch.Tensor, planes: torch.Tensor, reverse: bool) -> None:
        """The lowest digits of a (rows, k) into planes (chunks, padded rows, digits, length)."""
        chunks, rows, digits, length = planes.shape
        words = (pad(a, (0, chunks * length - a.shape[1], 0, rows - a.shape[0])) + BALANCE) ^ BALANCE
        for d in range(digits):
            digit = (words >> (8 * d)).to(torch.int8).reshape(rows, chunks, length)
            planes[:, :, digits - 1 - d if reverse else d] = digit.transpose(0, 1)

    @staticmethod
    def combine(sums: torch.Tensor, out: torch.Tensor) -> None:
        """out (n, m) += sum_s sums[s, :n, :m] 256^s."""
        n, m = out.shape
        for s, part in enumerate(sums):
            out += part[:n, :m].to(torch.int64) << (8 * s)


@cache
def _kernels(kind: str) -> Kernels:
    if why_not(kind) is not None:
        return Plain()
    from mpcfl.ring import _digits_triton  # imported late: triton is not installed everywhere, and loads slowly

    return _digits_triton
