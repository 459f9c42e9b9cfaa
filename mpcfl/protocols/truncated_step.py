"""Truncation and positive part of one value from one opening: two rounds together instead of three.

c = x + 2^62 + r serves both `mpcfl.protocols.truncation` and `mpcfl.protocols.steps`. What is truncated is linear in
two of the dealer's values, m = r >> 63 and r' = r >> bits, so the table that gives the bit gives its product with what
is truncated too, if the dealer shares it times m and times r' as well.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.steps import Words
from mpcfl.ring.blank import blank
from mpcfl.ring.cut import answers, read, tables
from mpcfl.ring.opened import logical_shift
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public, require_headroom

_OFFSET = 62


class Truncated(NamedTuple):
    """bit: [x >= 0], scale 0; value: x, truncated; part: max(x, 0), that is bit * value."""

    bit: Share
    value: Share
    part: Share


def truncated_step(x: Share, bits: int, words: Words) -> Protocol:
    """`Truncated` for x at scale s, its results at scale s - bits; 0 < bits < 62, |ring value| < 2^62 by its bound.

    The value is off by less than one unit, as in `truncation`; the bit is that of `steps` with a threshold of 0.
    HeadroomError if the bound is too large. Cost: 2 rounds, 9 bytes each; offline words.elements + 3 words.half + 2
    elements each.
    """
    if not 0 < bits < _OFFSET or bits > x.scale:
        raise ValueError(f"cannot drop {bits} bits at scale {x.scale}")
    require_headroom(x, _OFFSET, "a value to be truncated")
    session, shape = x.session, x.shape
    table_shape = (*shape, 1, words.half)
    derived = [*words.shapes(shape), table_shape, table_shape, table_shape, shape, shape]
    lanes = [*words.lanes, *[64] * 5]
    recipe = Recipe("truncated step", [shape, (*shape, 1)], derived, lambda m: _derive(m, bits, words), lanes=lanes)
    (r, q), (digits, table, times_low, times_wrap, low, wrap) = deal(session, recipe)

    offset = torch.full(shape, 1 << _OFFSET, dtype=torch.int64)
    (c,) = yield [Masked(x._like(add_public(session, x._ring, offset) + r, x.bound), protocol="truncated step")]
    lower = (1 << _OFFSET) + ((1 << words.drop) >> 1)
    v = read(
        c, torch.tensor([lower], device="cpu" if c.is_meta else c.device), [digits], words, public=session.rank == 0
    )

    (c2,) = yield [Masked(Share(session, v + q, scale=0, bound=256.0), 8, "truncated step")]
    bit = value = part = blank(shape)
    if session.holds_shares:
        at = (c2 & (words.half - 1))[..., None]
        found, found_low, found_wrap = (
            torch.gather(part, -1, at).reshape(shape) for part in (table, times_low, times_wrap)
        )
        flipped = (c2.squeeze(-1) >> len(words.digits)) & 1
        turn = 1 - 2 * flipped
        public = logical_shift(c, bits) - (1 << (_OFFSET - bits))
        wrapped = (1 - logical_shift(c, 63)) << (64 - bits)
        bit = add_public(session, found * turn, flipped)
        value = add_public(session, wrapped * wrap - low, public)
        part = (public * found + wrapped * found_wrap - found_low) * turn + value * flipped
    bound = x.bound + 2.0 ** (bits - x.scale)
    scale = x.scale - bits
    results = [Share(session, ring, scale=scale, bound=bound) for ring in (value, part)]
    return Truncated(Share(session, bit, scale=0, bound=1.0), *results)


def _derive(masks: list[torch.Tensor], bits: int, words: Words) -> list[torch.Tensor]:
    r, q = masks
    low, wrap = logical_shift(r, bits), logical_shift(r, 63)
    table = answers((r >> words.end)[..., None], q, words)
    return [*tables(r, words), table, table * low[..., None, None], table * wrap[..., None, None], low, wrap]
