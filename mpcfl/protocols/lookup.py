"""Tables read at a secret place, one round each (one-time truth tables: Ishai et al., TCC 2013, section 3).

The index is opened under a mask r that is uniform modulo the size m of the table; the dealer shares the m unit vectors
of r. Rotating the table by the opened index makes the unit vector of r point at the right entry.
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.blank import indices
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share

_WIDEST = 8


def lookup(index: Share, table: torch.Tensor) -> Protocol:
    """table[index]: `index` integers in [0, m), scale 0; `table` (m,) public integers, m a power of two up to 256.

    Cost: 1 round, 1 byte each; offline m elements each.
    """
    (found,) = yield from lookups(index, table[None])
    return found


def lookups(index: Share, tables: torch.Tensor) -> Protocol:
    """[tables[0][index], tables[1][index], ...] of `tables` (k, m), all from one opening. Cost: as one `lookup`."""
    rotated, units = yield from _point(index, _table_size(tables.shape[1]))
    found = []
    for table in tables:
        entries = table.to(rotated.device)[rotated]
        found.append(Share(index.session, (entries * units).sum(-1), scale=0, bound=float(table.abs().max())))
    return found


def select(words: Share, index: Share) -> Protocol:
    """words[..., index] for *shared* words (..., m) and an index (...) in [0, m), scale 0.

    Cost: 1 round, m elements and 1 byte each; offline 2 m elements each.
    """
    session, size = words.session, _table_size(words.shape[-1])
    if words.shape[:-1] != index.shape:
        raise ValueError(f"an index of shape {index.shape} does not fit words of shape {words.shape}")
    recipe = Recipe(
        "select", [index.shape, words.shape], [words.shape, words.shape], lambda m: _derive_select(m[0], m[1], size)
    )
    (r, mask), (units, turned) = deal(session, recipe)
    c, e = yield [
        Masked(index._like(index._ring + r, index.bound), _WIDEST),
        Masked(words._like(words._ring - mask, words.bound)),
    ]
    c = c & (size - 1)
    rotated = _rotation(c, size)
    own = torch.gather(turned, -1, c[..., None]).squeeze(-1)
    ring = (torch.gather(e, -1, rotated) * units).sum(-1) + own
    return Share(session, ring, scale=words.scale, bound=words.bound)


def _point(index: Share, size: int) -> Protocol:
    """(rotation, units) such that sum_u units[u] * table[rotation[u]] is table[index]."""
    shape = (*index.shape, size)
    recipe = Recipe("lookup", [index.shape], [shape], lambda m: [unit_vectors(m[0], size)])
    (r,), (units,) = deal(index.session, recipe)
    (c,) = yield [Masked(index._like(index._ring + r, index.bound), _WIDEST, "lookup")]
    return _rotation(c & (size - 1), size), units


def unit_vectors(r: torch.Tensor, size: int) -> torch.Tensor:
    """(..., size): 1 where the last index equals r mod size, else 0."""
    return ((r & (size - 1))[..., None] == indices(size, r)).to(torch.int64)


def _derive_select(r: torch.Tensor, mask: torch.Tensor, size: int) -> list[torch.Tensor]:
    places = (indices(size, r) - (r & (size - 1))[..., None]) & (size - 1)
    return [unit_vectors(r, size), torch.gather(mask, -1, places)]


def _rotation(c: torch.Tensor, size: int) -> torch.Tensor:
    return (c[..., None] - indices(size, c)) & (size - 1)


def _table_size(size: int) -> int:
    if size < 1 or size & (size - 1) or size > 1 << _WIDEST:
        raise ValueError(f"a table needs a power of two of entries up to {1 << _WIDEST}, not {size}")
    return size
