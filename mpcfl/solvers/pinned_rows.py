"""The rows of the joint table as an iteration uses them: X pinned, and what else a row brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import ROW_BOUND, Rows
from mpcfl.data.rows import Layout, share_rows
from mpcfl.data.source import Source
from mpcfl.protocols.ahead import Ahead
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share
from mpcfl.solvers.held_out import HeldOut
from mpcfl.world.session import Session

PACE_BITS = 4


@dataclass(frozen=True, slots=True)
class PinnedRows:
    """x (n, d'); weighted: its rows times their weights, x itself where they have none. response, offset: (n,) or
    (n, classes), None where the loss has none. held_out: the rows that stay out of training, if there are any. target:
    what predictions are compared with, None where nobody asks. mask (n, columns), public integers at PACE_BITS: how
    much the error of each row counts in each column of weights, None where all count once."""

    x: Pinned
    weighted: Pinned
    response: Share | None
    offset: Share | None
    held_out: HeldOut | None = None
    target: Share | None = None
    mask: torch.Tensor | None = None

    def expect(self, uses: int) -> None:
        """So many products by x and its transpose are still to come: they are prepared several at a time."""
        self.x.ahead.left = self.weighted.ahead.left = uses

    def batch(self, rows: Rows) -> PinnedRows:
        """Some rows under the same mask: nothing is opened."""
        index = torch.from_numpy(rows)
        x = self.x.rows(index)
        weighted = x if self.weighted is self.x else self.weighted.rows(index)
        parts = (self.response, self.offset, self.target)
        response, offset, target = (None if part is None else part[index] for part in parts)
        mask = None if self.mask is None else self.mask[index]
        return PinnedRows(x, weighted, response, offset, self.held_out, target, mask)

    def apart(self, rows: Rows) -> HeldOut | None:
        """Some rows, to be predicted; None where there are none, or no target to compare with."""
        if self.target is None or not len(rows):
            return None
        index = torch.from_numpy(rows)
        return HeldOut(self.x.rows(index), None if self.offset is None else self.offset[index], self.target[index])


@dataclass(frozen=True, slots=True)
class Batches:
    """All rows, and which of them each batch takes. One of several is made when it is asked for: together they would be
    as large as the table. What is prepared for it is kept."""

    whole: PinnedRows
    chosen: Sequence[Rows]
    _made: dict[int, PinnedRows] = field(default_factory=dict)
    _ahead: dict[int, tuple[Ahead, Ahead]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.chosen)

    def __iter__(self) -> Iterator[PinnedRows]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> PinnedRows:
        rows, total = self.chosen[i], self.whole.x.x.shape[0]
        if len(rows) == total:
            return self.whole
        if i in self._made:
            return self._made[i]
        batch = self.whole.batch(rows)
        batch.x.ahead, batch.weighted.ahead = self._ahead.setdefault(i, _both(batch, total))
        if len(self.chosen) == 1:
            self._made[i] = batch
        return batch

    def at_step(self, k: int, steps: int) -> PinnedRows:
        """The batch of step k = 0, 1, ..., which comes round in every len(self) of so many steps."""
        batch = self[k % len(self)]
        batch.expect(len(range(k, steps, len(self))))
        return batch


def _both(batch: PinnedRows, rows: int) -> tuple[Ahead, Ahead]:
    first = Ahead(rows=rows)
    return first, first if batch.weighted is batch.x else Ahead(rows=rows)


Watch = Callable[[Keeper, PinnedRows], Keeper]
"""From the keeper of a loop, and all rows that train, to one beside which states are looked at."""


def pin_rows(session: Session, own: Source | None, facts: Facts, chosen: Sequence[Rows], layout: Layout) -> Batches:
    """The batches, X shared and opened under its mask once.

    Cost: that of `share_rows` and of `Pinned.opened`, 1 round and n d' elements. Rows with weights: n d' elements more.
    Vertical: where rows have yet to be multiplied by signs or weights that another owner has, n (d' + 1) elements and 2
    rounds more for each, and n d' and 1 for the truncation after weights.
    """
    shared = share_rows(session, own, facts, chosen, layout)
    x = Pinned.opened(shared.x)
    if shared.sign is not None:
        x = Pinned.opened(run(session, x.scaled_rows(shared.sign)).within(ROW_BOUND))
    weighted = x
    if shared.weighted is not None:
        weighted = Pinned.opened(shared.weighted)
    elif shared.weight is not None:
        rows = run(session, x.scaled_rows(shared.weight))
        weighted = Pinned.opened(run(session, truncation(rows, shared.weight.scale)))
    whole = PinnedRows(x, weighted, shared.response, shared.offset, target=shared.target)
    return Batches(replace(whole, held_out=whole.apart(np.flatnonzero(facts.held_out_rows))), chosen)
