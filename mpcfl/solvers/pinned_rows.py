"""The rows of the joint table as an iteration uses them: X pinned, and what else a row brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import ROW_BOUND, Rows
from mpcfl.data.rows import Layout, share_rows
from mpcfl.data.source import Source
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session


@dataclass(frozen=True, slots=True)
class PinnedRows:
    """x (n, d'); weighted: its rows times their weights, x itself where they have none. response, offset: (n,) or
    (n, classes), None where the loss has none."""

    x: Pinned
    weighted: Pinned
    response: Share | None
    offset: Share | None

    def batch(self, rows: Rows) -> PinnedRows:
        """Some rows under the same mask: nothing is opened."""
        index = torch.from_numpy(rows)
        response, offset = (None if part is None else part[index] for part in (self.response, self.offset))
        x = self.x.rows(index)
        return PinnedRows(x, x if self.weighted is self.x else self.weighted.rows(index), response, offset)


def pin_rows(
    session: Session, own: Source | None, facts: Facts, chosen: Sequence[Rows], layout: Layout
) -> list[PinnedRows]:
    """The batches, X shared and opened under its mask once.

    Cost: that of `share_rows`, 1 round and n d' elements. Rows with weights: n d' elements more. Vertical: where rows
    have yet to be multiplied by signs or weights that another owner has, n (d' + 1) elements and 2 rounds more for
    each, and n d' and 1 for the truncation after weights.
    """
    shared = share_rows(session, own, facts, chosen, layout)
    x = _opened(session, shared.x)
    if shared.sign is not None:
        x = _opened(session, run(session, x.scaled_rows(shared.sign)).within(ROW_BOUND))
    weighted = x
    if shared.weighted is not None:
        weighted = _opened(session, shared.weighted)
    elif shared.weight is not None:
        rows = run(session, x.scaled_rows(shared.weight))
        weighted = _opened(session, run(session, truncation(rows, shared.weight.scale)))
    whole = PinnedRows(x, weighted, shared.response, shared.offset)
    return [whole] if len(chosen) == 1 else [whole.batch(rows) for rows in chosen]


def _opened(session: Session, x: Share) -> Pinned:
    pinned = Pinned(x)
    run(session, pinned.opening())
    return pinned
