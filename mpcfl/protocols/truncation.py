"""Exact truncation in one round (PROTOCOLS.md, section 2): drop fractional bits, never off by more than one unit.

Rounded down or up, up with probability equal to the dropped fraction: unbiased. What others do (local truncation,
wrap counts) fails by 2^(64-t) with probability |x| / 2^63 an element; this does not fail.
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.opened import OFFSET, logical_shift, truncated
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public, require_headroom


def truncation(x: Share, bits: int) -> Protocol:
    """x at scale s -> x at scale s - bits. Needs |ring value| < 2^62 by its bound, else HeadroomError.

    Cost: 1 round, 1 element each; offline 2 elements each.
    """
    if not 0 < bits < OFFSET or bits > x.scale:
        raise ValueError(f"cannot drop {bits} bits at scale {x.scale}")
    require_headroom(x, OFFSET, "a value to be truncated")
    session, shape = x.session, x.shape
    (rho,), (high, wrap) = deal(session, Recipe("truncation", [shape], [shape, shape], lambda m: _derive(m[0], bits)))
    masked = x._like(add_public(session, x._ring, 1 << OFFSET) + rho, x.bound)
    (c,) = yield [Masked(masked)]
    # c // 2^bits - rho // 2^bits, and 2^(64 - bits) where the sum has wrapped: where rho has its top bit and c has not
    ring = truncated(c, wrap, high, bits, public=session.rank == 0)
    return Share(session, ring, scale=x.scale - bits, bound=x.bound + 2.0 ** (bits - x.scale))


def symmetric_truncation(x: Share, bits: int) -> Protocol:
    """`truncation` of a symmetric x (d, d), still symmetric to the last bit. Cost: 1 round, d (d + 1) / 2 elements;
    offline twice as many."""
    d = len(x)
    rows, columns = torch.triu_indices(d, d)
    short = yield from truncation(x[rows, columns], bits)
    place = torch.empty(d, d, dtype=torch.int64)
    place[rows, columns] = place[columns, rows] = torch.arange(len(rows))
    return short[place]


def _derive(rho: torch.Tensor, bits: int) -> list[torch.Tensor]:
    return [logical_shift(rho, bits), logical_shift(rho, 63)]
