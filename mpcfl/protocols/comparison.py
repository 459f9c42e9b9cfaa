"""Secure comparison in three rounds, for any number of parties.

[x >= theta] is the sign bit of x - theta. With c = x + r opened and d = c - theta public, x - theta = d - r, whose sign
bit is d63 xor r63 xor borrow, and the borrow says whether d is smaller than r on the low 63 bits. Tables of their
digits (`mpcfl.ring.cut`) give each party a share of a V of n + 1 bits that is negative if something is borrowed. V + q
is opened, and V = (V + q) - q is once more a public word less one of the dealer's: its sign is bit n of V + q xor bit n
of q xor what is borrowed on n bits. So a comparison of 63 bits has become one of n; the same once more leaves a W of
m + 1 bits, which a table read at a secret place settles. On the way the public bits, d63 and bit n of V + q, are added
at the top of V and W; r63 and bit n of q are the dealer's, who works them into that table.

Only this table is multiplied by something, and the bit that comes out is one of Z_2^64, so there it is shared. V and W
are wanted modulo what they are opened in, 2^16 (or 2^8) and 2^8, in which q and p are uniform; and so are the tables
that they are sums of. One opening of x serves any number of thresholds: the more there are, the smaller n should be.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.cut import MOST, SHORT, Cut, answers, even, read, settle, tables
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, require_headroom

_BITS = 63  # of x - theta, without the sign


def at_least(x: Share, thresholds: torch.Tensor) -> Protocol:
    """Bits [x >= theta_k], scale 0, shape x.shape + (K,), for public ring elements `thresholds` (K,) at x's scale.

    Needs |x - theta| < 2^63 by the bound of x, else HeadroomError. Cost: 3 rounds, 8 bytes an element of x and 3 bytes
    a threshold (2 from 192 on); offline 52 elements an element of x and 20 for one threshold, 56 and 18 each for two to
    five, then what `cuts` finds to be the least.
    """
    session, small = x.session, (*x.shape, thresholds.shape[0])
    public = session.rank == 0
    widest = max(map(abs, thresholds.tolist()), default=0) / 2.0**x.scale
    require_headroom(x._like(x._ring, x.bound + widest), _BITS, "a difference to be compared")
    first, second = cuts(len(thresholds))
    derived = [*first.shapes(x.shape), *second.shapes(small), (*small, second.half)]
    lanes = [*first.lanes, *second.lanes, 64]
    recipe = Recipe("comparison", [x.shape, small, small], derived, lambda m: _derive(m, first, second), lanes=lanes)
    (r, q, p), (*digits, digits_of_q, table) = deal(session, recipe)

    (c,) = yield [Masked(x._like(x._ring + r, x.bound), protocol="comparison")]
    lower = thresholds.to("cpu" if c.is_meta else c.device)
    masked = Share(session, read(c, lower, digits, first, public=public) + q, scale=0, bound=2.0**first.word)

    (c2,) = yield [Masked(masked, first.word, "comparison")]
    w = read(c2, torch.zeros(1, dtype=torch.int64, device=lower.device), [digits_of_q], second, public=public)[..., 0]

    (c3,) = yield [Masked(Share(session, w + p, scale=0, bound=2.0**second.word), second.word, "comparison")]
    return Share(session, settle(c3, table, second, public=public), scale=0, bound=1)


@cache
def cuts(thresholds: int) -> tuple[Cut, Cut]:
    """Of the 63 bits of d and of the n bits of V + q: what makes the offline phase shortest."""

    def elements(pair: tuple[Cut, Cut]) -> int:
        first, second = pair
        return first.elements + thresholds * (second.elements + second.half)

    counts = [(n, m) for n, m in product(range(1, MOST + 1), range(1, SHORT + 1)) if m <= n]
    return min(((Cut(0, even(_BITS, n)), Cut(0, even(n, m))) for n, m in counts), key=elements)


def _derive(masks: list[torch.Tensor], first: Cut, second: Cut) -> list[torch.Tensor]:
    """Tables of the digits of r and of q; [W >= 0] xor r63 xor bit n of q for W + p = 0, ..., half - 1."""
    r, q, p = masks
    signs = (r >> _BITS)[..., None] ^ q >> second.end
    return [*tables(r, first), *tables(q, second), answers(signs, p, second)]
