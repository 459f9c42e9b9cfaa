"""Whether a secret is so large that what is opened of it no longer shows it, from an opening that is made anyway.

A protocol that opens delta = v - r sees v modulo something. Cut the line into turns of 2^low units. What remains of
delta within its turn says in which half (`cases` 2) or quarter (4) of a turn it is, so the dealer, who knows r, knows
for each the one number of turns that delta must have for v to be in turn 0: `missing`, `cases` elements. In `away` a
turn too many or too few is multiplied by a public number, as random as delta is. So a sum of any number of them is 0
where every v is in turn 0, and else a random element of the ring: it says that somebody is away, not how many.

No v of at most (1 - 1 / cases) / 2 turns is away, and none of more than (1 + 1 / cases) / 2 turns passes, up to the
whole of the word.
"""

from __future__ import annotations

import torch

from mpcfl.ring.blank import blank, indices
from mpcfl.ring.opened import turned
from mpcfl.world.session import Session

CASES = 4


def missing(mask: torch.Tensor, *, low: int, width: int = 64, cases: int = 2) -> torch.Tensor:
    """(cases, ...), at the dealer: the number of turns of delta that puts delta + mask (...) in turn 0, in each case.
    `width`: bits of the word that is opened, `low` of a turn."""
    part = (1 << low) // cases
    middles = indices(cases, mask).reshape(-1, *[1] * mask.dim()) * part + (part // 2 + (1 << (low - 1)))
    word = mask if width == 64 else mask & ((1 << width) - 1)
    return -((word + middles) >> low) & ((1 << (width - low)) - 1)


def away(
    session: Session, delta: torch.Tensor, shared: torch.Tensor, *, low: int, width: int = 64, cases: int = 2
) -> torch.Tensor:
    """(...), this party's share of 0 for each value in turn 0, of a random element for any other. delta (...), opened;
    `shared` (cases, ...): of what is `missing`."""
    if not session.holds_shares:
        return blank(tuple(delta.shape))
    return turned(delta, shared, low=low, width=width, cases=cases, public=session.rank == 0)
