"""From shares modulo 2^32 to shares modulo 2^64, in one round: for what is summed up in words, and multiplied later.

y = x + 2^30 lies in [0, 2^31). With q uniform modulo 2^32, c = y + q mod 2^32 is opened; y + q has passed 2^32 where q
has its top bit and c has not, since one without it is below 2^31, and so is y. So y = c - q + 2^32 top(q) (1 - top(c)),
which is linear in what the dealer shares modulo 2^64: q and its top bit.
"""

from __future__ import annotations

import torch

from mpcfl.errors import HeadroomError
from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.opened import WORD, WORD_OFFSET, extended
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public


def extension(x: Share) -> Protocol:
    """x, (...), of whose shares the low 32 bits count, with shares that count as a whole; |ring value| < 2^30 by its
    bound, else HeadroomError. Exact. Cost: 1 round, 4 bytes each; offline 2 elements each."""
    if x.bound * 2.0**x.scale > 2**WORD_OFFSET:
        raise HeadroomError("a value in words of 32 bits might be too large for them", hint="use a smaller scale")
    session, shape = x.session, x.shape
    (q,), (low, top) = deal(session, Recipe("extension", [shape], [shape, shape], lambda m: _derive(m[0])))
    masked = x._like(add_public(session, x._ring, 1 << WORD_OFFSET) + q, x.bound)
    (c,) = yield [Masked(masked, WORD, "extension")]
    return x._like(extended(c, top, low, public=session.rank == 0), x.bound)


def _derive(q: torch.Tensor) -> list[torch.Tensor]:
    return [q & ((1 << WORD) - 1), (q >> (WORD - 1)) & 1]
