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
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session


@dataclass(frozen=True, slots=True)
class PinnedRows:
    """x (n, d'). response, offset: (n,) or (n, classes), None where the loss has none."""

    x: Pinned
    response: Share | None
    offset: Share | None

    def batch(self, rows: Rows) -> PinnedRows:
        """Some rows under the same mask: nothing is opened."""
        index = torch.from_numpy(rows)
        response, offset = (None if part is None else part[index] for part in (self.response, self.offset))
        return PinnedRows(self.x.rows(index), response, offset)


def pin_rows(
    session: Session, own: Source | None, facts: Facts, chosen: Sequence[Rows], layout: Layout
) -> list[PinnedRows]:
    """The batches, X shared and opened under its mask once. Cost: those of `share_rows`, and 1 round, n d' elements;
    where the rows have yet to be multiplied by a sign that another owner has, 2 rounds and n (d' + 1) elements more."""
    shared = share_rows(session, own, facts, chosen, layout)
    x = Pinned(shared.x)
    run(session, x.opening())
    if shared.sign is not None:
        x = Pinned(run(session, x.scaled_rows(shared.sign)).within(ROW_BOUND))
        run(session, x.opening())
    whole = PinnedRows(x, shared.response, shared.offset)
    return [whole] if len(chosen) == 1 else [whole.batch(rows) for rows in chosen]
