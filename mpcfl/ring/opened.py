"""What a party makes of an opened element and its shares, element by element: in one pass where a device can.

    truncated(c, wrap, high, bits)        its share of the truncation of what c masks
    turned(delta, shared, low, width)     its share of 0, or of a random element, of what delta masks
    extended(c, top, low, width)          its share modulo 2^64 of what c masks modulo 2^width

The formulas are those of the protocols that call them (`mpcfl.protocols.truncation`, `turns`, `extension`), and this
file's, in torch, are their definition. `public`: this party is the one that adds what all of them know.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

from mpcfl.ring._triton import why_not
from mpcfl.ring.blank import blank

OFFSET = 62  # 2^62 was added before a truncation, so that what is masked is not negative
SCRAMBLE = -7046029254386353131  # odd, 2^64 over the golden ratio: Knuth, TAOCP volume 3, section 6.4


def truncated(c: torch.Tensor, wrap: torch.Tensor, high: torch.Tensor, bits: int, *, public: bool) -> torch.Tensor:
    """Of c = x + 2^62 + rho mod 2^64, opened, and shares of rho's last bit (`wrap`) and of rho >> bits (`high`): the
    share of x >> bits. All (...), 0 < bits < 62."""
    if c.is_meta or wrap.is_meta:
        return blank(c.shape)
    return _load(c.device.type).truncated(c, wrap, high, bits, public)


def turned(
    delta: torch.Tensor, shared: torch.Tensor, *, low: int, width: int, cases: int, public: bool
) -> torch.Tensor:
    """Of delta (...), opened, a word of `width` bits, and shares (cases, ...) of the turns of 2^low that it should have
    in each part of a turn: the share of their difference times an odd number as random as delta is."""
    if delta.is_meta or shared.is_meta:
        return blank(delta.shape)
    return _load(delta.device.type).turned(delta, shared, low, width, cases, public)


def extended(c: torch.Tensor, top: torch.Tensor, low: torch.Tensor, width: int, *, public: bool) -> torch.Tensor:
    """Of c = x + 2^(width - 2) + q mod 2^width, opened and not negative, and shares of q's bit width - 1 (`top`) and of
    q mod 2^width (`low`): the share of x. All (...)."""
    if c.is_meta or top.is_meta:
        return blank(c.shape)
    return _load(c.device.type).extended(c, top, low, width, public)


def logical_shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    """x / 2^bits for int64 read as unsigned (torch shifts arithmetically)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


class Backend(Protocol):
    """What a kind of device offers."""

    def truncated(
        self, c: torch.Tensor, wrap: torch.Tensor, high: torch.Tensor, bits: int, public: bool
    ) -> torch.Tensor: ...

    def turned(
        self, delta: torch.Tensor, shared: torch.Tensor, low: int, width: int, cases: int, public: bool
    ) -> torch.Tensor: ...

    def extended(
        self, c: torch.Tensor, top: torch.Tensor, low: torch.Tensor, width: int, public: bool
    ) -> torch.Tensor: ...


class Plain:
    """In torch's own operations, for any device: the definition."""

    @staticmethod
    def truncated(c: torch.Tensor, wrap: torch.Tensor, high: torch.Tensor, bits: int, public: bool) -> torch.Tensor:
        share = ((1 - logical_shift(c, 63)) << (64 - bits)) * wrap - high
        return share + (logical_shift(c, bits) - (1 << (OFFSET - bits))) if public else share

    @staticmethod
    def turned(
        delta: torch.Tensor, shared: torch.Tensor, low: int, width: int, cases: int, public: bool
    ) -> torch.Tensor:
        case = (delta >> (low - (cases.bit_length() - 1))) & (cases - 1)
        found = torch.where(case == 1, shared[1], shared[0]) if cases == 2 else shared.gather(0, case[None])[0]
        factor = delta * SCRAMBLE | 1
        return factor * (((delta >> low) & ((1 << (width - low)) - 1)) - found) if public else -factor * found

    @staticmethod
    def extended(c: torch.Tensor, top: torch.Tensor, low: torch.Tensor, width: int, public: bool) -> torch.Tensor:
        share = ((1 - (c >> (width - 1))) << width) * top - low
        return share + (c - (1 << (width - 2))) if public else share


@cache
def _load(kind: str) -> Backend:
    if why_not(kind) is not None:
        return Plain()
    from mpcfl.ring import _opened_triton  # imported late: triton is not installed everywhere, and loads slowly

    return _opened_triton
