"""Ring products through float64, on any device that has it: three limbs of 22 bits, six of their nine products.

An element is l0 + l1 2^22 + l2 2^44 mod 2^64 with |l| <= 2^21. A product of two limbs is at most 2^42 in size, and the
largest sum here has three of them a term, so 682 terms stay within 2^53 and every partial sum is exact, in any order,
fused or not. Longer sums are cut in chunks, which are one batched product.

What other ways of multiplying are checked against, and what a device without Triton has.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

_BITS = (22, 22, 20)
_PLACES = (0, 22, 44)
_BALANCE = sum(1 << (place + bits - 1) for place, bits in zip(_PLACES, _BITS, strict=True)) - (1 << 64)  # as int64
CHUNK = 682  # 3 CHUNK 2^42 <= 2^53
_BATCH = 1 << 26  # elements of a batch of products: 512 MB


def matmul(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """a (n, k) @ b (k, m) + plus mod 2^64, on the device of the operands. Cost: 6 n k m multiply-adds in float64."""
    n, k, m = *a.shape, b.shape[1]
    out = a.new_zeros(n, m) if plus is None else plus.clone(memory_format=torch.contiguous_format)
    at_a_time = CHUNK * max(1, _BATCH // max(1, n * m))
    for start in range(0, k, at_a_time):
        left, right = limbs(a[:, start : start + at_a_time]), limbs(b[start : start + at_a_time].t()).flip(2)
        size = left.shape[3]
        for s in range(3):  # l_i times l_j, i + j = s: in `left` l_0..l_s, in `right` l_s..l_0
            x = left[:, :, : s + 1].flatten(2)
            y = right[:, :, 2 - s :].flatten(2)
            sums = torch.bmm(x, y.transpose(1, 2)) if size else left.new_zeros(1, n, m)
            out += sums.to(torch.int64).sum(0) << _PLACES[s]
    return out


def limbs(a: torch.Tensor) -> torch.Tensor:
    """Of a (n, k): (chunks, n, 3, terms of a chunk) in float64, zeros beyond k."""
    n, k = a.shape
    chunks = max(1, -(-k // CHUNK))
    size = -(-k // chunks)
    words = pad(a, (0, chunks * size - k)) + _BALANCE
    parts = [
        ((words >> place) & ((1 << bits) - 1)) - (1 << (bits - 1)) for place, bits in zip(_PLACES, _BITS, strict=True)
    ]
    return torch.stack(parts).reshape(3, n, chunks, size).permute(2, 1, 0, 3).to(torch.float64)
