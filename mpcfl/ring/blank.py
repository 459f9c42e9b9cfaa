"""Tensors without content: a shape, and arithmetic that knows shapes only.

Dealers, data owners and plans run the same program as the compute parties, on tensors that hold nothing. torch has such
tensors (its meta device), but there an addition takes 300 microseconds and the first one loads 800 modules. `Blank` is
a meta tensor that works out the shapes of the operations that protocols use by itself, in about a microsecond; a dealer
that is slower than the compute parties would hold them up. Operations that it does not know are torch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

ELEMENTWISE = {
    *("add", "sub", "mul", "neg", "sign", "round", "where", "rsub", "abs", "bitwise_and", "bitwise_xor", "bitwise_or"),
    *("__and__", "__or__", "__xor__", "__rand__", "__ror__", "__rxor__", "__lshift__", "__rshift__", "__rsub__"),
    *("eq", "ne", "gt", "ge", "lt", "le", "__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__"),
    *("__add__", "__radd__", "__sub__", "__mul__", "__rmul__", "__neg__", "ldexp", "clamp", "floor_divide", "clone"),
    *("zeros_like", "empty_like", "full_like", "ones_like", "remainder", "__mod__", "__rlshift__", "__rrshift__"),
    *("div", "true_divide", "__truediv__", "logical_not", "bitwise_not", "__invert__", "square", "sqrt", "floor"),
    *("ceil", "contiguous"),
}
"""Operations whose result has the broadcast shape of their tensors. It is an int64 tensor, whatever theirs would be:
ring elements are."""


class Blank(torch.Tensor):
    """A tensor without content. Made by `blank`."""

    # What is asked for most, without the way through torch's dispatch.
    _size: torch.Size
    _type: torch.dtype
    is_meta = True
    is_cuda = False
    device = torch.device("meta")
    shape = property(lambda self: self._size)  # type: ignore[assignment]
    dtype = property(lambda self: self._type)  # type: ignore[assignment]
    ndim = property(lambda self: len(self._size))  # type: ignore[assignment]

    def numel(self) -> int:
        return math.prod(self._size)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if name in ELEMENTWISE:
            return _broadcast(*args, *kwargs.values())
        shape = _SHAPES[name](*args, **kwargs) if name in _SHAPES else None
        if shape is not None:
            return blank(shape)
        with torch._C.DisableTorchFunctionSubclass():
            return _as_blank(func(*args, **kwargs))


@lru_cache(maxsize=1024)
def _made(shape: tuple[int, ...], dtype: torch.dtype) -> Blank:
    with torch.inference_mode(False):  # protocols run in it, and what is made in it can be changed in it only
        made = torch.empty(shape, dtype=dtype, device="meta").as_subclass(Blank)
    made._size, made._type = torch.Size(shape), dtype
    return made


def blank(shape: Sequence[int], dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """A tensor of this shape without content. There is one for each shape, which nothing can change."""
    return _made(tuple(shape), dtype)


def indices(size: int, like: torch.Tensor) -> torch.Tensor:
    """0, 1, ..., size - 1 where `like` lives; an ordinary tensor beside one without content, which takes anything."""
    return torch.arange(size, device="cpu" if like.is_meta else like.device)


def _broadcast(*operands: Any) -> torch.Tensor:
    shapes = {tuple(operand.shape) for operand in operands if isinstance(operand, torch.Tensor)}
    return blank(shapes.pop() if len(shapes) == 1 else _common(*shapes))


@lru_cache(maxsize=1024)
def _common(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    return np.broadcast_shapes(*shapes)


def _as_blank(result: Any) -> Any:
    """What torch made of tensors without content, as ours."""
    if isinstance(result, torch.Tensor) and result.device.type == "meta":
        return blank(result.shape, result.dtype)
    if isinstance(result, tuple | list) and not isinstance(result, torch.Size):
        return type(result)(_as_blank(part) for part in result)
    return result


# -- shapes of what is not elementwise; None: ask torch ----------------------------------------------------------------


def _getitem(x: torch.Tensor, index: Any) -> tuple[int, ...] | None:
    if isinstance(index, torch.Tensor | np.ndarray) and index.dtype not in (torch.bool, np.bool_):
        return (*index.shape, *x.shape[1:])
    return _hollow(x.shape)[_as_numpy(index)].shape


def _sum(x: torch.Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> tuple[int, ...]:
    dims = range(len(x.shape)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    gone = {np.lib.array_utils.normalize_axis_index(d, len(x.shape)) for d in dims}
    return tuple(1 if j in gone else n for j, n in enumerate(x.shape) if keepdim or j not in gone)


def _cat(parts: Sequence[torch.Tensor], dim: int = 0) -> tuple[int, ...]:
    shapes = [tuple(part.shape) for part in parts]
    dim = dim % len(shapes[0])
    return (*shapes[0][:dim], sum(shape[dim] for shape in shapes), *shapes[0][dim + 1 :])


def _stack(parts: Sequence[torch.Tensor], dim: int = 0) -> tuple[int, ...]:
    first = tuple(parts[0].shape)
    dim = dim % (len(first) + 1)
    return (*first[:dim], len(parts), *first[dim:])


def _gather(x: torch.Tensor, dim: int, index: torch.Tensor) -> tuple[int, ...]:
    return tuple(index.shape)


def _index_select(x: torch.Tensor, dim: int, index: torch.Tensor) -> tuple[int, ...]:
    dim = dim % len(x.shape)
    return (*x.shape[:dim], len(index), *x.shape[dim + 1 :])


def _reshape(x: torch.Tensor, *shape: Any) -> tuple[int, ...] | None:
    wanted = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    whole, known = math.prod(x.shape), math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and known and whole % known == 0:
        return tuple(whole // known if n == -1 else n for n in wanted)
    return wanted if whole == known and -1 not in wanted else None


_SHAPES: dict[str, Callable[..., tuple[int, ...] | None]] = {
    "__getitem__": _getitem,
    "sum": _sum,
    "cat": _cat,
    "concat": _cat,
    "stack": _stack,
    "gather": _gather,
    "index_select": _index_select,
    "reshape": _reshape,
}


def _hollow(shape: Sequence[int]) -> np.ndarray:
    """An array of this shape that takes one byte of memory."""
    return np.broadcast_to(np.zeros((), dtype=np.int8), tuple(shape))


def _as_numpy(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_as_numpy(part) for part in index)
    if isinstance(index, torch.Tensor):
        return np.zeros(tuple(index.shape), dtype=np.int64) if index.is_meta else index.numpy()
    return index
