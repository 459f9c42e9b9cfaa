"""Whole parts, rounded down without a die: equal secrets have equal whole parts.

`truncation` rounds up or down at random, which is what sums want and counts do not. With c = x + r opened, the whole
part of x is that of c less that of r less what is borrowed, and the bit that is borrowed comes out of a comparison of
the fractions of c and r as in `mpcfl.protocols.steps`.
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.cut import Cut, answers, read, settle, tables
from mpcfl.ring.opened import logical_shift
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public

_FRACTION = 15  # bits that are compared


def floor(x: Share, bits: int) -> Protocol:
    """Whole part of (ring value of x) / 2^bits modulo 2^(64 - bits), at scale 0: what the caller reads of it.

    Exact for bits <= 15; else one more where less than 2^-15 is missing to the next whole number, the surer the less.
    Cost: 2 rounds, 9 bytes each; offline 21 elements each from 15 bits on.
    """
    if not 0 < bits < 64:
        raise ValueError(f"cannot take a whole part above {bits} bits of 64")
    session, shape = x.session, x.shape
    digits = _digits(min(bits, _FRACTION))
    cut = Cut(bits - sum(digits), digits)
    derived = [*cut.shapes(shape), shape, (*shape, cut.half)]
    recipe = Recipe("floor", [shape, shape], derived, lambda m: _derive(m, bits, cut), lanes=(*cut.lanes, 64, 64))
    (r, q), (shared, whole, table) = deal(session, recipe)
    (c,) = yield [Masked(x._like(x._ring + r, x.bound), protocol="floor")]
    v = read(c, torch.zeros(1, dtype=torch.int64, device=c.device), [shared], cut, public=False)[..., 0]
    (c2,) = yield [Masked(Share(session, v + q, scale=0, bound=256.0), 8, "floor")]
    reached = settle(c2, table, cut, public=session.rank == 0)  # 1 if nothing is borrowed
    ring = add_public(session, reached - whole, logical_shift(c, bits) - 1)
    return Share(session, ring, scale=0, bound=2.0 ** (63 - bits))


def _digits(bits: int) -> tuple[int, ...]:
    count = -(-bits // 5)
    return tuple((bits + i) // count for i in range(count))


def _derive(masks: list[torch.Tensor], bits: int, cut: Cut) -> list[torch.Tensor]:
    """Tables of r's digits; its whole part; the answers."""
    r, q = masks
    return [*tables(r, cut), logical_shift(r, bits), answers(torch.zeros_like(q), q, cut)]
