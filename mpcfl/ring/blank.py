"""Tensors without content: a shape, and arithmetic that knows shapes only.

Dealers, data owners and plans run the same program as the compute parties, on tensors that hold nothing. torch has such
tensors (its meta device), but there an addition takes 300 microseconds and the first one loads 800 modules. `Blank` is
a meta tensor that works out the shapes of the operations that protocols use by itself, in a few microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

_ELEMENTWISE = {
    *("add", "sub", "mul", "neg", "sign", "round", "where", "rsub", "abs", "bitwise_and", "bitwise_xor", "bitwise_or"),
    *("__and__", "__or__", "__xor__", "__rand__", "__ror__", "__rxor__", "__lshift__", "__rshift__", "__rsub__"),
    *("eq", "ne", "gt", "ge", "lt", "le", "__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__"),
    *("__add__", "__radd__", "__sub__", "__mul__", "__rmul__", "__neg__", "ldexp", "clamp", "floor_divide", "clone"),
    *("zeros_like", "empty_like", "full_like", "ones_like", "remainder", "__mod__", "__rlshift__", "__rrshift__"),
    *(
        "div",
        "true_divide",
        "__truediv__",
        "logical_not",
        "bitwise_not",
        "__invert__",
        "square",
        "sqrt",
        "floor",
        "ceil",
    ),
}


class Blank(torch.Tensor):
    """A tensor without content. Made by `blank`."""

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _ELEMENTWISE:
            return blank(np.broadcast_shapes(*[tuple(a.shape) for a in args if isinstance(a, torch.Tensor)]))
        if name == "__getitem__" and _is_advanced(args[1]):
            return blank(_hollow(args[0].shape)[_as_numpy(args[1])].shape)
        if name == "sum":
            dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
            return blank(_hollow(args[0].shape).sum(dim).shape)
        if name in ("cat", "concat", "stack"):
            dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
            return blank(_joined([tuple(part.shape) for part in args[0]], dim, stacked=name == "stack"))
        if name == "gather":
            return blank(args[2].shape)
        return super().__torch_function__(func, tuple(types), tuple(args), kwargs)


def blank(shape: Sequence[int], dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """A tensor of this shape without content."""
    return torch.empty(tuple(shape), dtype=dtype, device="meta").as_subclass(Blank)


def indices(size: int, like: torch.Tensor) -> torch.Tensor:
    """0, 1, ..., size - 1 where `like` lives; an ordinary tensor beside one without content, which takes anything."""
    return torch.arange(size, device="cpu" if like.is_meta else like.device)


def _hollow(shape: Sequence[int]) -> np.ndarray:
    """An array of this shape that takes one byte of memory."""
    return np.broadcast_to(np.zeros((), dtype=np.int8), tuple(shape))


def _is_advanced(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, torch.Tensor | np.ndarray | list) for part in parts)


def _as_numpy(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_as_numpy(part) for part in index)
    if isinstance(index, torch.Tensor):
        return np.zeros(tuple(index.shape), dtype=np.int64) if index.is_meta else index.numpy()
    return index


def _joined(shapes: Sequence[tuple[int, ...]], dim: int, *, stacked: bool) -> tuple[int, ...]:
    first = shapes[0]
    if stacked:
        dim = dim % (len(first) + 1)
        return (*first[:dim], len(shapes), *first[dim:])
    dim = dim % len(first)
    return (*first[:dim], sum(shape[dim] for shape in shapes), *first[dim + 1 :])
