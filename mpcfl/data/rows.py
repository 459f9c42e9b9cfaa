"""The joint table row by row, for losses that need every row in every iteration.

z = (features, 1 if there is an intercept); horizontal owners bring rows, vertical ones columns, and the owner of the
target the ones. The public scales hold for values up to ROW_BOUND whose mean size in a batch is at most MEAN_BOUND:
standardised columns. Each owner checks its own before it shares any.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.errors import DataError
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share, concatenate
from mpcfl.world.session import Session

_STANDARDISE = "bring the columns to mean 0 and variance 1, by constants that all parties agree on"
Array = npt.NDArray[np.float64]
ROW_BOUND = 32.0
MEAN_BOUND = 2.0


def share_rows(
    session: Session,
    own: Source | None,
    facts: Facts,
    chosen: Sequence[npt.NDArray[np.int64]],
    *,
    fit_intercept: bool,
    scale: int,
    label_scale: int,
    factor: float,
) -> tuple[Share, Share]:
    """(z, labels): (n, d') at `scale`, and factor * target (n,) at `label_scale`; `chosen`: rows of each batch.

    DataError, which names column and row: a value beyond ROW_BOUND, a batch beyond MEAN_BOUND, a label that is not
    0 or 1. Cost: 1 round where an owner does not compute, who then sends its part of n (d' + 1) elements.
    """
    x = y = None
    if own is not None:
        with session.phase("local"):
            x, y = _own_rows(session, own, facts, chosen, fit_intercept)
    inputs, d = [], len(facts.features)
    for rank in facts.owners:
        mine = rank == session.rank and x is not None
        rows = facts.rows[rank]
        width = len(facts.positions(rank)) if facts.holders else facts.columns
        has_target = not facts.holders or facts.holders[-1] == rank
        width += (fit_intercept if has_target else 0) - has_target
        ring = encode(x, scale, name="a row") if mine and x is not None else None
        inputs.append(Input("rows", rank, (rows, width), scale, ROW_BOUND, ring))
        if has_target:
            labels = encode(y * factor, label_scale, name="a label") if mine and y is not None else None
            inputs.append(Input("labels", rank, (rows,), label_scale, factor, labels))
    shares = share_inputs(session, inputs)
    tables = [share for item, share in zip(inputs, shares, strict=True) if item.name == "rows"]
    labels_by_owner = [share for item, share in zip(inputs, shares, strict=True) if item.name == "labels"]
    if not facts.holders:
        return concatenate(tables), concatenate(labels_by_owner)
    places = [place for rank in facts.owners for place in _places(facts, rank, fit_intercept, d)]
    return concatenate(tables, 1)[:, torch.argsort(torch.tensor(places))], labels_by_owner[0]


def _places(facts: Facts, rank: int, fit_intercept: bool, d: int) -> list[int]:
    places = [j for j in facts.positions(rank) if j < d]
    return [*places, d] if fit_intercept and facts.holders[-1] == rank else places


def _own_rows(
    session: Session, own: Source, facts: Facts, chosen: Sequence[npt.NDArray[np.int64]], fit_intercept: bool
) -> tuple[Array, Array | None]:
    names = [*facts.features, facts.target]
    held = [names[j] for j in facts.positions(session.rank)] if facts.holders else names
    table = np.concatenate([block[:, [own.columns.index(name) for name in held]] for block in own.chunks()])
    y = _labels(own, table[:, -1], facts.target) if held[-1] == facts.target else None
    x = table if y is None else table[:, :-1]
    for column in np.flatnonzero(np.abs(x).max(axis=0) > ROW_BOUND):
        raise DataError(f"{own.name}: column '{held[column]}' has values beyond {ROW_BOUND:g}", hint=_STANDARDISE)
    first = 0 if facts.holders else sum(rows for rank, rows in facts.rows.items() if rank < session.rank)
    for rows in chosen:
        mine = rows[(rows >= first) & (rows < first + len(x))] - first
        sizes = np.abs(x[mine]).sum(axis=0)
        for column in np.flatnonzero(sizes > MEAN_BOUND * len(rows) * (len(x) / facts.total_rows)):
            raise DataError(
                f"{own.name}: column '{held[column]}' has a mean size beyond {MEAN_BOUND:g} in a batch",
                hint=f"{_STANDARDISE}, or use larger batches",
            )
    return (np.c_[x, np.ones(len(x))] if y is not None and fit_intercept else x), y


def _labels(own: Source, y: Array, target: str) -> Array:
    other = (y != 0) & (y != 1)
    if other.any():
        raise DataError(
            f"{own.name}: row {int(np.argmax(other)) + 1}, column '{target}': a label must be 0 or 1",
            hint="code the two classes as 0 and 1",
        )
    return y
