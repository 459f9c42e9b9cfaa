"""The joint table row by row, for losses that need every row in every iteration.

z = (features, 1 if there is an intercept); horizontal owners bring rows, vertical ones columns, and the owner of the
target the ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import ROW_BOUND, WEIGHT_BOUND, Array, Code, OwnRows, Rows, own_rows
from mpcfl.data.source import Source
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share, concatenate
from mpcfl.world.session import Session

WEIGHT_SCALE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """How a value of each row is shared: at `scale`, times a public `factor`, at most `bound` in size."""

    scale: int
    bound: float
    factor: float = 1.0
    columns: int = 0  # 0: (n,), else (n, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is shared of every row, all public. `target`: for metrics. `code`: see `mpcfl.solvers.objective.Loss`."""

    scale: int
    fit_intercept: bool
    code: Code
    response: Vector | None = None
    offset: Vector | None = None
    signed: bool = False
    weighted: bool = False
    target: Vector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRows:
    """x (n, d'), and what else the layout asks for: weighted, the rows of x times their weights. In a vertical
    partition, where the owner of the target has not all columns, x is not yet multiplied by sign (n,), scale 0, and by
    weight (n,)."""

    x: Share
    weighted: Share | None = None
    response: Share | None = None
    offset: Share | None = None
    sign: Share | None = None
    weight: Share | None = None
    target: Share | None = None


def share_rows(
    session: Session, own: Source | None, facts: Facts, chosen: Sequence[Rows], layout: Layout
) -> SharedRows:
    """All rows, shared; `chosen`: rows of each batch. DataError as `own_rows`.

    Cost: 1 round where an owner does not compute, who then sends its part of n (d' + vectors) elements.
    """
    mine: OwnRows | None = None
    if own is not None:
        with session.phase("local"):
            mine = own_rows(session.rank, own, facts, chosen, fit_intercept=layout.fit_intercept, code=layout.code)
    inputs: list[Input] = []
    for rank in facts.owners:
        inputs += _inputs(facts, rank, layout, mine if rank == session.rank else None)
    names, mine = [item.name for item in inputs], None
    shares = share_inputs(session, inputs)
    inputs.clear()  # with what it holds of this owner: a table is large

    def of(name: str) -> Share | None:
        found = [share for other, share in zip(names, shares, strict=True) if other == name]
        return concatenate(found) if found else None

    tables = [share for name, share in zip(names, shares, strict=True) if name == "rows"]
    joint = in_order(facts, tables, layout.fit_intercept) if facts.holders else concatenate(tables)
    return SharedRows(
        x=joint,
        weighted=of("weighted rows"),
        response=of("response"),
        offset=of("offset"),
        sign=of("sign"),
        weight=of("weight"),
        target=of("target"),
    )


def _inputs(facts: Facts, rank: int, layout: Layout, mine: OwnRows | None) -> list[Input]:
    """What owner `rank` shares; `mine` at that owner only."""
    rows = facts.rows[rank]
    has_target = not facts.holders or facts.holders[-1] == rank
    width = (
        len(places_of(facts, rank, layout.fit_intercept))
        if facts.holders
        else len(facts.features) + layout.fit_intercept
    )
    ring = encode(mine.x, layout.scale, name="a row") if mine is not None else None
    inputs = [Input("rows", rank, (rows, width), layout.scale, ROW_BOUND, ring)]
    if not has_target:
        return inputs
    coded = mine.coded if mine is not None else None
    if layout.weighted and not facts.holders:
        ring = encode(mine.x * _weights(mine)[:, None], layout.scale, name="a row") if mine is not None else None
        bound = ROW_BOUND * WEIGHT_BOUND
        inputs.append(Input("weighted rows", rank, (rows, width), layout.scale, bound, ring))

    def vector(name: str, how: Vector | None, pick: Callable[[], Array | None]) -> None:
        if how is None:
            return
        values = pick() if coded is not None else None
        ring = None if values is None else encode(values * how.factor, how.scale, bound=how.bound, name=name)
        inputs.append(Input(name, rank, (rows, how.columns) if how.columns else (rows,), how.scale, how.bound, ring))

    vector("response", layout.response, lambda: coded.response if coded else None)
    vector("offset", layout.offset, lambda: coded.offset if coded else None)
    vector("target", layout.target, lambda: coded.target if coded else None)
    if layout.signed and facts.holders:
        vector("sign", Vector(scale=0, bound=1.0), lambda: coded.sign if coded else None)
    if layout.weighted and facts.holders:
        vector("weight", Vector(scale=WEIGHT_SCALE, bound=WEIGHT_BOUND), lambda: _weights(mine) if mine else None)
    return inputs


def _weights(mine: OwnRows) -> Array:
    weight = mine.coded.weight if mine.coded is not None else None
    return np.ones(len(mine.x)) if weight is None else weight


def in_order(facts: Facts, tables: list[Share], fit_intercept: bool) -> Share:
    """The owners' columns side by side, in the order of the weights."""
    places = [place for rank in facts.owners for place in places_of(facts, rank, fit_intercept)]
    x = concatenate(tables, 1)
    return x if places == sorted(places) else x[:, torch.argsort(torch.tensor(places))]


def places_of(facts: Facts, rank: int, fit_intercept: bool) -> list[int]:
    """Places in z of the columns of owner `rank` in a vertical partition."""
    d = len(facts.features)
    places = [j for j in facts.positions(rank) if j < d]
    return [*places, d] if fit_intercept and facts.holders[-1] == rank else places
