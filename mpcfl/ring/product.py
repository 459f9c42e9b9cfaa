"""Products in Z_2^64: every operand and result is an int64 tensor, two's complement, exact for all of its range.

Use these where `torch.matmul` would be written. On int64 that is exact too, but slower, from 1.2 times (large squares)
to several times (few columns), and not there at all on CUDA. `scripts/bench_ring.py` prints both.

    matmul(a, b)      a @ b
    matmul_t(a, b)    a.T @ b
    gram(a)           a.T @ a

    matmul(a, b, c)   a @ b + c, and matmul_t alike: the sum begins with c, and no product lies beside it
    matmul_pair(a, b, e, f, c)   a @ b + e @ f + c, and matmul_pair_t alike: what a pinned matrix is used for
    keep(a)           a is multiplied again and again: a device may keep what it makes of it

A transposed `a` costs nothing: only a view that is contiguous in neither order is copied.
An operand on torch's "meta" device gives an empty meta result of the right shape, which is how a plan runs a job dry.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

from mpcfl.errors import SetupError
from mpcfl.ring.blank import blank

Plus = torch.Tensor | None


class Backend(Protocol):
    """What a kind of device offers, for operands that are checked: two-dimensional, int64, of shapes that match; `plus`
    of the result's shape, in any layout, and left as it is."""

    def matmul(self, a: torch.Tensor, b: torch.Tensor, plus: Plus) -> torch.Tensor: ...

    def matmul_t(self, a: torch.Tensor, b: torch.Tensor, plus: Plus) -> torch.Tensor: ...

    def gram(self, a: torch.Tensor) -> torch.Tensor: ...

    def pair(self, a: torch.Tensor, b: torch.Tensor, e: torch.Tensor, f: torch.Tensor, plus: Plus) -> torch.Tensor: ...

    def pair_t(
        self, a: torch.Tensor, b: torch.Tensor, e: torch.Tensor, f: torch.Tensor, plus: Plus
    ) -> torch.Tensor: ...


def matmul(a: torch.Tensor, b: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """a @ b + plus mod 2^64.

    a (n, k); b (k, m) or (k,); plus: the result's shape, left as it is. Returns (n, m) or (n,), contiguous.
    Raises ValueError for shapes that do not match or different devices, TypeError for another dtype, SetupError for a
    device that has no products yet.
    Cost: n k m multiply-adds, local.
    """
    return _product("matmul", [(a, b)], plus)


def matmul_t(a: torch.Tensor, b: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """a.T @ b + plus mod 2^64, without a transposed copy.

    a (n, k); b (n, m) or (n,). Returns (k, m) or (k,), contiguous. `plus`, errors and cost as for `matmul`.
    """
    return _product("matmul_t", [(a, b)], plus)


def matmul_pair(a: torch.Tensor, b: torch.Tensor, e: torch.Tensor, f: torch.Tensor, plus: Plus = None) -> torch.Tensor:
    """a @ b + e @ f + plus mod 2^64, in one pass over both matrices where a device can.

    a, e (n, k); b, f (k, m) or (k,). Returns (n, m) or (n,). `plus` and errors as for `matmul`, cost twice.
    """
    return _product("matmul_pair", [(a, b), (e, f)], plus)


def matmul_pair_t(
    a: torch.Tensor, b: torch.Tensor, e: torch.Tensor, f: torch.Tensor, plus: Plus = None
) -> torch.Tensor:
    """a.T @ b + e.T @ f + plus mod 2^64: a, e (n, k); b, f (n, m) or (n,). Otherwise as `matmul_pair`."""
    return _product("matmul_pair_t", [(a, b), (e, f)], plus)


def keep(a: torch.Tensor, bits: int = 64) -> torch.Tensor:
    """`a` itself (n, k), of which a device may from now on keep what it makes of it for products, as long as `a` lives:
    for a matrix that is multiplied again and again. `bits`, a multiple of 8: a product by a matrix that is known to be
    short takes less; ValueError then for elements beyond 127 (256^(bits / 8) - 1) / 255 in size, at the latest when it
    is multiplied. Results are the same with and without."""
    _require_int64(a)
    if bits % 8 or not 8 <= bits <= 64:
        raise ValueError(f"keep: {bits} bits are not a multiple of 8 from 8 to 64")
    if a.device.type == "cuda":
        from mpcfl.ring import _kept

        _kept.keep(a, bits // 8)
    return a


def bits_of(a: torch.Tensor) -> int:
    """The least `bits` that `keep` takes of a public matrix: its elements are looked at."""
    size = max(-int(a.min()), int(a.max())) if a.numel() else 0
    return next((8 * digits for digits in range(1, 8) if size <= 127 * (256**digits - 1) // 255), 64)


def gram(a: torch.Tensor) -> torch.Tensor:
    """a.T @ a mod 2^64.

    a (n, d). Returns (d, d), symmetric. Errors as `matmul`. Cost: n d (d + 1) / 2 multiply-adds, local.
    """
    _require_int64(a)
    if a.ndim != 2:
        raise ValueError(f"gram: shape {tuple(a.shape)} is not (n, d)")
    if a.is_meta:
        return blank((a.shape[1], a.shape[1]))
    return _backend(a).gram(a)


def _product(name: str, factors: list[tuple[torch.Tensor, torch.Tensor]], plus: Plus) -> torch.Tensor:
    operands = [operand for pair in factors for operand in pair]
    _require_int64(*operands)
    transposed = name.endswith("_t")
    shape = _shape(name, *factors[0], transposed)
    for a, b in factors[1:]:
        if (a.shape, b.shape) != (factors[0][0].shape, factors[0][1].shape):
            raise ValueError(f"{name}: {tuple(a.shape)} and {tuple(b.shape)} are not the shapes of the first product")
    if plus is not None:
        _require_int64(plus)
        if plus.shape != shape:
            raise ValueError(f"plus: shape {tuple(plus.shape)} is not that of the product, {tuple(shape)}")
        operands.append(plus)
    if any(operand.is_meta for operand in operands):
        return blank(shape)
    multiply = getattr(_backend(*operands), name.removeprefix("matmul_") if len(factors) > 1 else name)
    if len(shape) == 2:
        return multiply(*(operand for pair in factors for operand in pair), plus)
    columns = [operand for a, b in factors for operand in (a, b.unsqueeze(1))]
    return multiply(*columns, None if plus is None else plus.unsqueeze(1)).squeeze(1)


def _shape(name: str, a: torch.Tensor, b: torch.Tensor, transposed: bool) -> tuple[int, ...]:
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0 if transposed else 1] != b.shape[0]:
        wanted = "(n, k) and (n, m) or (n,)" if transposed else "(n, k) and (k, m) or (k,)"
        raise ValueError(f"{name}: {tuple(a.shape)} and {tuple(b.shape)} are not shapes {wanted}")
    return (a.shape[1 if transposed else 0], *b.shape[1:])


def _require_int64(*operands: torch.Tensor) -> None:
    for operand in operands:
        if operand.dtype != torch.int64:
            raise TypeError(f"ring products take torch.int64, not {operand.dtype}")


def _backend(*operands: torch.Tensor) -> Backend:
    kinds = {operand.device.type for operand in operands}
    if len(kinds) > 1:
        raise ValueError(f"ring products need operands on one device, not on {' and '.join(sorted(kinds))}")
    return _load(kinds.pop())


def load(device: str | torch.device) -> None:
    """Load the products of a device before anybody waits for them; SetupError where there are none."""
    _load(torch.device(device).type)


@cache
def _load(kind: str) -> Backend:
    """The one place that knows which devices have products. Imported late: compiled kernels take a while to load."""
    if kind == "cpu":
        from mpcfl.ring import _cpu

        return _cpu
    if kind == "cuda":
        from mpcfl.ring import _cuda

        return _cuda
    raise SetupError(f"ring products on {kind} are not built yet", hint="run on the CPU: move the operands with .cpu()")
