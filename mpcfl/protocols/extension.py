"""From shares modulo 2^w, w = 16 or 32, to shares modulo 2^64, in one round: for what is summed up in words.

y = x + 2^(w - 2) lies in [0, 2^(w - 1)). With q uniform modulo 2^w, c = y + q mod 2^w is opened. y + q has passed 2^w
where q has its top bit and c has not: y is below 2^(w - 1), and so is a q without it. So

    y = c - q + 2^w top(q) (1 - top(c))

which is linear in what the dealer shares modulo 2^64: q and its top bit.
"""

from __future__ import annotations

import torch

from mpcfl.errors import HeadroomError
from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.opened import extended
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public


def extension(x: Share, width: int = 32) -> Protocol:
    """x, (...), of whose shares the low `width` bits count, with shares that count as a whole. |ring value| is at most
    2^(width - 2) by its bound, else HeadroomError. Exact. Cost: 1 round, width / 8 bytes each; offline 2 elements each.
    """
    offset = 1 << (width - 2)
    if x.bound * 2.0**x.scale > offset:
        raise HeadroomError(f"a value might be too large for words of {width} bits", hint="use a smaller scale")
    session, shape = x.session, x.shape
    (q,), (low, top) = deal(session, Recipe("extension", [shape], [shape, shape], lambda m: _derive(m[0], width)))
    masked = x._like(add_public(session, x._ring, offset) + q, x.bound)
    (c,) = yield [Masked(masked, width, "extension")]
    return x._like(extended(c, top, low, width, public=session.rank == 0), x.bound)


def _derive(q: torch.Tensor, width: int) -> list[torch.Tensor]:
    return [q & ((1 << width) - 1), (q >> (width - 1)) & 1]
