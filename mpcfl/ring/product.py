"""Products in Z_2^64: every operand and result is an int64 tensor, two's complement, exact for all of its range.

Use these where `torch.matmul` would be written. On int64 that is exact too, but slower, from 1.2 times (large squares)
to several times (few columns), and not there at all on CUDA. `scripts/bench_ring.py` prints both.

    matmul(a, b)      a @ b
    matmul_t(a, b)    a.T @ b
    gram(a)           a.T @ a

    matmul(a, b, c)   a @ b + c, and matmul_t alike: the sum begins with c, and no product lies beside it

A transposed `a` costs nothing: only a view that is contiguous in neither order is copied.
An operand on torch's "meta" device gives an empty meta result of the right shape, which is how a plan runs a job dry.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

from mpcfl.errors import SetupError
from mpcfl.ring.blank import blank


class Backend(Protocol):
    """What a kind of device offers, for operands that are checked: two-dimensional, int64, of shapes that match; `plus`
    of the result's shape, in any layout, and left as it is."""

    def matmul(self, a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None) -> torch.Tensor: ...

    def gram(self, a: torch.Tensor) -> torch.Tensor: ...


def matmul(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """a @ b + plus mod 2^64.

    a (n, k); b (k, m) or (k,); plus: the result's shape, left as it is. Returns (n, m) or (n,), contiguous.
    Raises ValueError for shapes that do not match or different devices, TypeError for another dtype, SetupError for a
    device that has no products yet.
    Cost: n k m multiply-adds, local.
    """
    _require_int64(a, b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[1] != b.shape[0]:
        raise ValueError(f"matmul: {tuple(a.shape)} and {tuple(b.shape)} are not shapes (n, k) and (k, m) or (k,)")
    return _product(a, b, plus)


def matmul_t(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """a.T @ b + plus mod 2^64, without a transposed copy.

    a (n, k); b (n, m) or (n,). Returns (k, m) or (k,), contiguous. `plus`, errors and cost as for `matmul`.
    """
    _require_int64(a, b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ValueError(f"matmul_t: {tuple(a.shape)} and {tuple(b.shape)} are not shapes (n, k) and (n, m) or (n,)")
    return _product(a.t(), b, plus)


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


def _product(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None) -> torch.Tensor:
    shape = (a.shape[0], *b.shape[1:])
    operands = [a, b] if plus is None else [a, b, plus]
    if plus is not None:
        _require_int64(plus)
        if plus.shape != shape:
            raise ValueError(f"plus: shape {tuple(plus.shape)} is not that of the product, {tuple(shape)}")
    if any(operand.is_meta for operand in operands):
        return blank(shape)
    backend = _backend(*operands)
    if b.ndim == 2:
        return backend.matmul(a, b, plus)
    return backend.matmul(a, b.unsqueeze(1), None if plus is None else plus.unsqueeze(1)).squeeze(1)


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
    name = {"cuda": "CUDA"}.get(kind, kind)
    raise SetupError(f"ring products on {name} are not built yet", hint="run on the CPU: move the operands with .cpu()")
