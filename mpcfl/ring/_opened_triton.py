"""What `opened.py` defines, in Triton: every operand is read once, and the result written once."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from mpcfl.ring import opened

_WIDTH = 1024
_OFFSET = tl.constexpr(opened.OFFSET)
_SCRAMBLE = tl.constexpr(opened.SCRAMBLE)


def truncated(c: torch.Tensor, wrap: torch.Tensor, high: torch.Tensor, bits: int, public: bool) -> torch.Tensor:
    out = torch.empty(c.shape, dtype=torch.int64, device=c.device)
    if out.numel():
        operands = (part.expand(c.shape).contiguous() for part in (c, wrap, high))
        with torch.cuda.device_of(c):
            _truncated[(triton.cdiv(out.numel(), _WIDTH),)](
                *operands, out, out.numel(), bits, PUBLIC=public, WIDTH=_WIDTH
            )
    return out


def turned(delta: torch.Tensor, shared: torch.Tensor, low: int, width: int, cases: int, public: bool) -> torch.Tensor:
    out = torch.empty(delta.shape, dtype=torch.int64, device=delta.device)
    if out.numel():
        within = low - (cases.bit_length() - 1)
        with torch.cuda.device_of(delta):
            _turned[(triton.cdiv(out.numel(), _WIDTH),)](
                delta.contiguous(), shared.contiguous(), out, out.numel(), low, within, width - low,
                CASES=cases, PUBLIC=public, WIDTH=_WIDTH,
            )  # fmt: skip
    return out


def extended(c: torch.Tensor, top: torch.Tensor, low: torch.Tensor, width: int, public: bool) -> torch.Tensor:
    out = torch.empty(c.shape, dtype=torch.int64, device=c.device)
    if out.numel():
        operands = (part.contiguous() for part in (c, top, low))
        with torch.cuda.device_of(c):
            _extended[(triton.cdiv(out.numel(), _WIDTH),)](
                *operands, out, out.numel(), width, PUBLIC=public, WIDTH=_WIDTH
            )
    return out


@triton.jit(do_not_specialize=["bits"])
def _truncated(c, wrap, high, out, n, bits, PUBLIC: tl.constexpr, WIDTH: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    word = tl.load(c + place, mask=inside, other=0)
    one = tl.full([], 1, tl.int64)
    unwrapped = 1 - ((word >> 63) & 1)
    share = (unwrapped << (64 - bits)) * tl.load(wrap + place, mask=inside, other=0)
    share -= tl.load(high + place, mask=inside, other=0)
    if PUBLIC:
        share += ((word >> bits) & ((one << (64 - bits)) - 1)) - (one << (_OFFSET - bits))
    tl.store(out + place, share, mask=inside)


@triton.jit(do_not_specialize=["low", "within", "turns"])
def _turned(
    delta, shared, out, n, low, within, turns, CASES: tl.constexpr, PUBLIC: tl.constexpr, WIDTH: tl.constexpr
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    word = tl.load(delta + place, mask=inside, other=0)
    case = (word >> within) & (CASES - 1)
    found = tl.load(shared + case * n + place, mask=inside, other=0)
    factor = word * _SCRAMBLE | 1
    share = -found
    if PUBLIC:
        share += (word >> low) & ((tl.full([], 1, tl.int64) << turns) - 1)
    tl.store(out + place, factor * share, mask=inside)


@triton.jit(do_not_specialize=["bits"])
def _extended(c, top, low, out, n, bits, PUBLIC: tl.constexpr, WIDTH: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    word = tl.load(c + place, mask=inside, other=0)
    one = tl.full([], 1, tl.int64)
    share = ((1 - (word >> (bits - 1))) << bits) * tl.load(top + place, mask=inside, other=0)
    share -= tl.load(low + place, mask=inside, other=0)
    if PUBLIC:
        share += word - (one << (bits - 2))
    tl.store(out + place, share, mask=inside)
