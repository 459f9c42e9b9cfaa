"""What `cut.py` defines, in Triton: a program has some words, of which each reads one entry of a table for each digit,
and no opened word, share or result is in memory more than once. (A row of a table takes sectors of its own, so that
nothing is gained by reading more of it than the entry.)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from mpcfl.ring.cut import TYPES, Cut

_WIDTH = 512
_LONGEST = 15  # bits of a digit: its length takes four bits of `DIGITS`


def read(c: torch.Tensor, lower: torch.Tensor, shared: Sequence[torch.Tensor], cut: Cut, public: bool) -> torch.Tensor:
    out = torch.empty(*c.shape, len(lower), dtype=torch.int64, device=c.device)
    if max(cut.digits) > _LONGEST:
        raise ValueError(f"digits of {max(cut.digits)} bits have no kernel")
    if out.numel():
        tables = [table.contiguous().view(TYPES[lane]) for table, lane in zip(shared, cut.lanes, strict=True)]
        digits = sum(bits << (4 * i) for i, bits in enumerate(cut.digits))
        with torch.cuda.device_of(c):
            _read[(triton.cdiv(out.numel(), _WIDTH),)](
                c.contiguous(), lower.contiguous(), tables[0], tables[-1], out, out.numel(), len(lower), cut.drop,
                DIGITS=digits, COUNT=len(cut.digits), LONG=cut.long, ROW=tables[-1].shape[-1],
                LONG_ROW=tables[0].shape[-1], PUBLIC=public, WIDTH=_WIDTH,
            )  # fmt: skip
    return out


def settle(word: torch.Tensor, shared: torch.Tensor, cut: Cut, public: bool) -> torch.Tensor:
    out = torch.empty(word.shape, dtype=torch.int64, device=word.device)
    _settled(word, shared, shared, word, word, out, out, 1, 0, cut, public)
    return out


def settle_product(
    word: torch.Tensor,
    shared: torch.Tensor,
    times: torch.Tensor,
    opened: torch.Tensor,
    factor: torch.Tensor,
    cut: Cut,
    public: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    bits, products = (torch.empty(s, dtype=torch.int64, device=word.device) for s in (word.shape, times.shape[:-1]))
    _settled(word, shared, times, opened, factor, bits, products, word.shape[-1], times.shape[-2], cut, public)
    return bits, products


def _settled(word, shared, times, opened, factor, bits, products, k, count, cut, public):
    if bits.numel():
        operands = (part.contiguous() for part in (word, shared, times, opened, factor))
        with torch.cuda.device_of(word):
            _settle[(triton.cdiv(bits.numel(), _WIDTH),)](
                *operands, bits, products, bits.numel(), k, count,
                TOP=len(cut.digits), PRODUCT=count > 0, PUBLIC=public, WIDTH=_WIDTH,
            )  # fmt: skip


@triton.jit(do_not_specialize=["drop"])
def _read(
    c, lower, long, short, out, n, k, drop, DIGITS: tl.constexpr, COUNT: tl.constexpr, LONG: tl.constexpr,
    ROW: tl.constexpr, LONG_ROW: tl.constexpr, PUBLIC: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """k = 1 is compiled apart: then neighbours have neighbouring words."""
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    value = place // k
    d = tl.load(c + value, mask=inside, other=0) - tl.load(lower + place % k, mask=inside, other=0)
    d = d >> drop  # the digits' bits are below the sign, which fills up
    total, high = tl.zeros([WIDTH], tl.int64), tl.zeros([WIDTH], tl.int64)
    entry = long + value * LONG_ROW
    for i in tl.static_range(LONG):
        bits = (DIGITS >> (4 * i)) & 15
        total += tl.load(entry + (d & ((1 << bits) - 1)), mask=inside, other=0).to(tl.int64)
        d = d >> bits
        entry += 1 << bits
    entry = short + value * ROW
    for i in tl.static_range(LONG, COUNT):
        bits = (DIGITS >> (4 * i)) & 15
        high += tl.load(entry + (d & ((1 << bits) - 1)), mask=inside, other=0).to(tl.int64)
        d = d >> bits
        entry += 1 << bits
    total += high << LONG
    if PUBLIC:
        total += (d & 1) << COUNT
    tl.store(out + place, total, mask=inside)


@triton.jit
def _settle(
    word, shared, times, opened, factor, bits, products, n, k, count, TOP: tl.constexpr, PRODUCT: tl.constexpr,
    PUBLIC: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * WIDTH + tl.arange(0, WIDTH)
    inside = place < n
    w = tl.load(word + place, mask=inside, other=0)
    flipped = (w >> TOP) & 1
    sign, at = 1 - 2 * flipped, place * (1 << TOP) + (w & ((1 << TOP) - 1))
    found = tl.load(shared + at, mask=inside, other=0)
    share = found * sign
    if PUBLIC:
        share += flipped
    tl.store(bits + place, share, mask=inside)
    if PRODUCT:
        value = place // k
        inside = inside & (place % k < count)
        short = value * count + place % k
        whole = tl.load(opened + value, mask=inside, other=0)
        at += (short - place) * (1 << TOP)
        product = (whole * found - tl.load(times + at, mask=inside, other=0)) * sign
        product += tl.load(factor + value, mask=inside, other=0) * flipped
        tl.store(products + short, product, mask=inside)
