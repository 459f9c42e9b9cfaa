"""An owner's own rows, as the row-based solvers take them: checked, coded, in memory.

The public scales hold for values up to ROW_BOUND whose sizes in a batch add up to `size_bound` at most: standardised
columns. Each owner checks its own part of that before it shares any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Aside, Facts
from mpcfl.data.moments import Mask
from mpcfl.data.source import Source
from mpcfl.errors import DataError

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
ROW_BOUND = 32.0
WEIGHT_BOUND = 16.0
MEAN_BOUND = 2.0
_ROW_MEAN, _ROW_SPARE = 3.0, 160.0  # a row may be far out in some columns, not in many
_SPARE = 64.0  # for an owner with few rows in a batch, whose mean may be far from that of all
_STANDARDISE = "bring the columns to mean 0 and variance 1, by constants that all parties agree on: (age - 50) / 12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """What a loss makes of a target (n,). response (n,) or (n, classes): is subtracted from its derivative. offset
    (n,): is added to X w. sign (n,): -1 or 1, multiplies the row. weight (n,), 0 to WEIGHT_BOUND: of the row. target
    (n,) or (n, k): what predictions are compared with, where the row is not trained on."""

    response: Array | None = None
    offset: Array | None = None
    sign: Array | None = None
    weight: Array | None = None
    target: Array | None = None

    def __repr__(self) -> str:
        return "Coded()"


def size_bound(facts: Facts, rows: int) -> float:
    """sum |x_ij| over the rows of a batch of this size stays below, for every column j."""
    return MEAN_BOUND * rows + _SPARE * len(facts.owners)


def row_size(facts: Facts) -> float:
    """sum |x_ij| over the columns of a row and its intercept stays below, for every row i."""
    width = len(facts.features) + 1
    return min(ROW_BOUND * width, _ROW_MEAN * width + _ROW_SPARE)


Code = Callable[[Array, str, str], Coded]


@dataclass(frozen=True, slots=True)
class OwnRows:
    """x (rows, width), with the ones of the intercept where this owner brings them; coded where it has the target."""

    x: Array
    coded: Coded | None

    def __repr__(self) -> str:
        return f"OwnRows(shape={self.x.shape})"


def own_rows(
    rank: int, own: Source, facts: Facts, chosen: Sequence[Rows], *, fit_intercept: bool, code: Code
) -> OwnRows:
    """`chosen`: rows of each batch, numbered over the joint table. DataError names table, column and row."""
    names = [*facts.features, facts.target]
    held = [names[j] for j in facts.positions(rank)] if facts.holders else names
    table = np.concatenate([block[:, [own.columns.index(name) for name in held]] for block in own.chunks()])
    has_target = held[-1] == facts.target
    coded = code(table[:, -1], own.name, facts.target) if has_target else None
    if coded is not None and facts.test_fraction:
        coded = _told_nothing(coded, facts.held_out_of(rank))
    x = table[:, :-1] if has_target else table
    _check_sizes(rank, own.name, x, held, facts, chosen)
    if coded is not None and facts.aside.names:
        coded = with_aside(coded, _columns(own, facts.aside.names), facts.aside, own.name)
    if has_target and fit_intercept:
        x = np.c_[x, np.ones(len(x))]
    if coded is not None and coded.sign is not None and not facts.holders:
        x = x * coded.sign[:, None]
    return OwnRows(x, coded)


def with_aside(coded: Coded, columns: Mapping[str, Array], aside: Aside, name: str) -> Coded:
    """`coded` with the weights, offsets and exposures of its rows; DataError names the row of one that cannot be."""
    parts = [part for part in (coded.offset,) if part is not None]
    if aside.offset is not None:
        parts.append(columns[aside.offset])
    if aside.exposure is not None:
        exposure = columns[aside.exposure]
        _refuse(exposure <= 0, name, aside.exposure, "an exposure must be more than 0")
        parts.append(np.log(exposure))
    weight = coded.weight
    if aside.weight is not None:
        own = columns[aside.weight]
        _refuse((own < 0) | (own > WEIGHT_BOUND), name, aside.weight, f"a weight must be from 0 to {WEIGHT_BOUND:g}")
        weight = own if weight is None else own * weight
    return replace(coded, offset=np.sum(parts, axis=0) if parts else None, weight=weight)


def _told_nothing(coded: Coded, held_out: Mask) -> Coded:
    """`coded` without what the target says of rows that are held out: they are there to be predicted."""
    sign = None if coded.sign is None else np.where(held_out, 1.0, coded.sign)
    offset = None if coded.offset is None else np.where(held_out, 0.0, coded.offset)
    return replace(coded, sign=sign, offset=offset)


def _columns(own: Source, names: Sequence[str]) -> dict[str, Array]:
    places = [own.columns.index(name) for name in names]
    table = np.concatenate([block[:, places] for block in own.chunks()])
    return {name: table[:, i] for i, name in enumerate(names)}


def _refuse(bad: npt.NDArray[np.bool_], name: str, column: str, what: str) -> None:
    if bad.any():
        raise DataError(f"{name}: row {int(np.argmax(bad)) + 1}, column '{column}': {what}")


def _check_sizes(rank: int, name: str, x: Array, held: Sequence[str], facts: Facts, chosen: Sequence[Rows]) -> None:
    for column in map(int, np.flatnonzero(np.abs(x).max(axis=0, initial=0) > ROW_BOUND)):
        row = int(np.argmax(np.abs(x[:, column]) > ROW_BOUND)) + 1
        raise DataError(f"{name}: row {row}, column '{held[column]}': beyond {ROW_BOUND:g}", hint=_STANDARDISE)
    owners = len(facts.owners) if facts.holders else 1
    most = min(ROW_BOUND * x.shape[1], _ROW_MEAN * x.shape[1] + _ROW_SPARE / owners)
    far = np.abs(x).sum(axis=1) > most
    if far.any():
        raise DataError(
            f"{name}: row {int(np.argmax(far)) + 1}: its values add up to more than {most:g} in size",
            hint=_STANDARDISE,
        )
    first = 0 if facts.holders else sum(rows for other, rows in facts.rows.items() if other < rank)
    for rows in chosen:
        mine = rows[(rows >= first) & (rows < first + len(x))] - first
        sizes = np.abs(x[mine]).sum(axis=0)
        most = MEAN_BOUND * len(rows) * (len(x) / facts.total_rows) + _SPARE
        for column in map(int, np.flatnonzero(sizes > most)):
            raise DataError(
                f"{name}: column '{held[column]}' has a mean size beyond {MEAN_BOUND:g} in a batch",
                hint=f"{_STANDARDISE}, or use larger batches",
            )
