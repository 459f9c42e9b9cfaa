"""Additions and nothing else: how many a GPU does in a second."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_WIDTH = 1024


def spin(out: torch.Tensor, rounds: int, additions: int) -> None:
    """`rounds` times `additions` (even) dependent 32-bit additions for each element of `out`."""
    with torch.cuda.device_of(out):
        _spin[(out.numel() // _WIDTH,)](out, rounds, PAIRS=additions // 2, WIDTH=_WIDTH)


@triton.jit(do_not_specialize=["rounds"])
def _spin(out, rounds, PAIRS: tl.constexpr, WIDTH: tl.constexpr):
    place = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    x = tl.load(out + place)
    y = place + 1
    for _ in range(rounds):
        for _ in tl.static_range(PAIRS):
            x += y
            y += x
    tl.store(out + place, x ^ y)
