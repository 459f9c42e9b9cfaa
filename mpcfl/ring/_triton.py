"""Can Triton's kernels run here? They need triton, which CUDA builds of torch bring along, and a C compiler."""

from __future__ import annotations

import importlib.util
from functools import cache

import torch


@cache
def why_not(kind: str) -> str | None:
    """None: they run on devices of this kind. Otherwise why they do not. The first call compiles and runs one."""
    if kind != "cuda":
        return f"Triton has no kernels for {kind} devices"
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    from mpcfl.ring import _tiles_triton  # imported late: triton is not installed everywhere, and loads slowly

    try:
        three = torch.full((1, 1), 3, dtype=torch.int64, device=kind)
        found = _tiles_triton.matmul(three, three).item()
    except Exception as error:  # of a compiler, a driver or a cache folder: of any kind
        return f"a kernel does not run: {type(error).__name__}: {error}".splitlines()[0]
    return None if found == 9 else "a kernel multiplies wrongly"
