"""The held-out rows of a training that knows the others by their Gram matrices only: shared as they are.

z = (features, 1 if there is an intercept), and the target, which the bound of the weights holds for too: an intercept
is about as large as the targets are.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import ROW_BOUND
from mpcfl.data.rows import in_order, places_of
from mpcfl.data.source import Source
from mpcfl.errors import DataError
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share, concatenate
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
_FINEST = 20  # bits of a value
_ROWS, _TARGETS = "held-out rows", "held-out targets"
_BITS = 59  # of a row times the weights, both rounded


def share_held_out(
    session: Session, own: Source | None, facts: Facts, fit_intercept: bool, weight_bound: float
) -> tuple[Share, Share]:
    """x (m, d') and target (m,) of the m held-out rows; values up to 32, targets up to `weight_bound`, at 20 bits, or x
    at half of what a product with weights of that bound leaves.

    DataError names table, row and column of what is larger. Cost: 1 round where an owner does not compute, who then
    sends its part of m (d' + 1) elements.
    """
    table: Array | None = None
    if own is not None:
        with session.phase("local"):
            table = _own_rows(session.rank, own, facts, weight_bound)
    width = len(facts.features) + fit_intercept
    scale = max(1, min(_FINEST, (_BITS - math.ceil(math.log2(width * ROW_BOUND * weight_bound))) // 2))
    inputs: list[Input] = []
    for rank in facts.owners:
        mine = table if rank == session.rank else None
        inputs += _inputs(facts, rank, mine, fit_intercept, scale, weight_bound)
    shares = share_inputs(session, inputs)
    rows, targets = ([s for s, i in zip(shares, inputs, strict=True) if i.name == name] for name in (_ROWS, _TARGETS))
    x = in_order(facts, rows, fit_intercept) if facts.holders else concatenate(rows)
    return x, concatenate(targets)


def _inputs(
    facts: Facts, rank: int, table: Array | None, fit_intercept: bool, scale: int, weight_bound: float
) -> list[Input]:
    """What owner `rank` shares; `table` (rows, its columns), the target last, at that owner only."""
    rows, has_target = facts.held_out[rank], not facts.holders or facts.holders[-1] == rank
    x = target = None
    if table is not None:
        x = table[:, :-1] if has_target else table
        if has_target and fit_intercept:
            x = np.c_[x, np.ones(rows)]
        target = encode(table[:, -1], _FINEST, name=_TARGETS) if has_target else None
    width = len(places_of(facts, rank, fit_intercept)) if facts.holders else len(facts.features) + fit_intercept
    ring = None if x is None else encode(x, scale, name=_ROWS)
    inputs = [Input(_ROWS, rank, (rows, width), scale, ROW_BOUND, ring)]
    if has_target:
        inputs.append(Input(_TARGETS, rank, (rows,), _FINEST, weight_bound, target))
    return inputs


def _own_rows(rank: int, own: Source, facts: Facts, weight_bound: float) -> Array:
    """(rows, own columns), checked: features in the order of the weights, then the target where it is held."""
    names = [*facts.features, facts.target]
    held = [names[j] for j in facts.positions(rank)] if facts.holders else names
    order, mask = [own.columns.index(name) for name in held], facts.held_out_of(rank)
    blocks, first = [np.empty((0, len(order)))], 0
    for block in own.chunks():
        blocks.append(block[mask[first : first + len(block)]][:, order])
        first += len(block)
    table = np.concatenate(blocks)
    for k, name in enumerate(held):
        is_target = name == facts.target
        beyond = np.flatnonzero(np.abs(table[:, k]) > (weight_bound if is_target else ROW_BOUND))
        if not len(beyond):
            continue
        where = f"{own.name}: row {int(np.flatnonzero(mask)[beyond[0]]) + 1}, column '{name}'"
        if is_target:
            raise DataError(
                f"{where}: held out, and beyond weight_bound = {weight_bound:g}, which metrics need of a target",
                hint="raise [solver] weight_bound (it costs precision), or bring the target to mean 0 and variance 1",
            )
        raise DataError(
            f"{where}: held out, and beyond {ROW_BOUND:g}, which metrics need of a feature",
            hint="bring the columns to mean 0 and variance 1, by constants that all parties agree on",
        )
    return table
