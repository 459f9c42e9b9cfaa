"""How loops are compiled here: kept on disk, without the lock, for the widest vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.extending import intrinsic


def compiled(*signatures: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`njit` for `signatures`, kept on disk for the next process where the disk allows it."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        given = list(signatures) or None
        try:
            return njit(given, nogil=True, cache=True)(function)
        except RuntimeError as error:  # neither the package folder nor the user's cache folder can be written
            if "cannot cache" not in str(error):
                raise
            return njit(given, nogil=True)(function)

    return decorate


def _attribute(_typing: Any) -> Any:
    """Called in a kernel: LLVM may use 512-bit vectors in it, where the processor has them."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        # llvmlite's own `add` knows only the attributes without a value.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate


wide_vectors: Any = intrinsic(_attribute)
