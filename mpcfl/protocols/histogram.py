"""How many rows fall into each of 1024 bins, when nobody may learn where any row falls.

A row's place is opened under a mask r modulo 1024 and the dealer shares the unit vector of r (one-time truth tables:
Ishai et al., TCC 2013, section 3); rotated by what was opened, it points at the row's bin, and the sum over the rows is
the histogram. Counts are small, so unit vectors are shared modulo 2^16, four values an element, and only the sums are
brought to the ring (`mpcfl.protocols.extension`).
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.extension import extension
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.blank import blank, indices
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share

BINS = 1024
_LANE = 16  # bits of a count, and of an opened place
_ROWS = 1 << 14  # of one opening: what is dealt for them takes 32 MB, and their counts fit an extension


def histogram(places: Share) -> Protocol:
    """(1024,) counts, scale 0, of ring values modulo 1024: places (n,), scale 0.

    Cost: 1 round for each 16384 rows and 2 bytes a row, and to bring the counts to the ring 1 round and 2 KiB for each
    16384 rows; offline 256 elements a row and 2048 for each 16384 rows.
    """
    n = places.shape[0]
    if len(places.shape) != 1 or n == 0 or places.scale:
        raise ValueError(f"a histogram needs places (n,) at scale 0, not {places.shape} at {places.scale}")
    counts = []
    for first in range(0, n, _ROWS):
        counts.append((yield from _counted(places[first : first + _ROWS])))
    words = Share(places.session, torch.stack(counts), scale=0, bound=_ROWS)
    whole = yield from extension(words, _LANE)
    return whole.sum(0).within(n)


def _counted(x: Share) -> Protocol:
    """(1024,): this party's shares, modulo 2^16, of the counts of a few rows."""
    session, (n,) = x.session, x.shape
    table = (n, BINS * _LANE // 64)
    (r,), (units,) = deal(session, Recipe("histogram", [(n,)], [table], lambda m: [_units(m[0])], lanes=(_LANE,)))
    (c,) = yield [Masked(x._like(x._ring + r, x.bound), _LANE, "histogram")]
    if not session.holds_shares:
        return blank((BINS,))
    # rows with the same opened place are rotated alike: add them up first
    sums = torch.zeros(BINS, BINS, dtype=torch.int16, device=c.device)
    sums.index_add_(0, c & (BINS - 1), units.reshape(-1).view(torch.int16).reshape(n, BINS))
    every = indices(BINS, c)
    return sums.gather(1, (every[:, None] - every) & (BINS - 1)).to(torch.int64).sum(0)


def _units(r: torch.Tensor) -> torch.Tensor:
    """(n, 256): the unit vector of r modulo 1024, four values an element."""
    units = torch.zeros(r.shape[0], BINS, dtype=torch.int16, device=r.device)
    units[indices(r.shape[0], r), r & (BINS - 1)] = 1
    return units.view(torch.int64)
