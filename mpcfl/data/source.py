"""What every table offers, whatever it comes from: names, kinds, and chunks of rows that hold finite numbers only.

The promise of `chunks` is what the floors above build on: float64, C order, every |x| at most 2^40 (`faults.LIMIT`),
none missing. A cell that breaks it stops the run with a `DataError` that names its row and column.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from mpcfl.data.faults import CANNOT_IMPUTE, LIMIT, TARGET_HINT, column_range, first_fault, refused_cell
from mpcfl.data.schema import Column, Schema
from mpcfl.errors import DataError

Array = npt.NDArray[np.float64]
Impute = str | Mapping[str, float] | None
"""None: refuse missing cells. "mean", "zero", or a number for each column by name (columns not named: refuse)."""

CHUNK_VALUES = 1 << 23
"""Values in one chunk at most (64 MiB), however many rows were asked for."""


class Source(ABC):
    """A table that can be read in chunks, more than once. Subclasses give `_blocks`.

    `name` is the path, or a word for a table in memory. `columns` and `kinds` ("float", "int", "bool"; what the
    first rows look like) run in step. `repr` has no value of the table in it.
    """

    def __init__(
        self, name: str, columns: Iterable[str], kinds: Iterable[str], impute: Impute, target: str | None
    ) -> None:
        self.name = name
        self.columns = tuple(columns)
        self.kinds = tuple(kinds)
        self._impute = check_impute(impute)
        self._target = target
        self._fill: Array | None = None
        self._rows: int | None = None

    def __repr__(self) -> str:
        rows = "?" if self._rows is None else self._rows
        return (
            f"{type(self).__name__}({self.name!r}, columns={list(self.columns)}, shape=({rows}, {len(self.columns)}))"
        )

    @abstractmethod
    def _blocks(self, rows: int) -> Iterator[Array]:
        """Blocks of any height (about `rows`), float64, columns in order, NaN where a cell is missing."""

    def _refuse(self, row: int, column: str, found: str) -> DataError:
        """The error for the cell of 1-based data row `row`; subclasses that know more say more."""
        return self._refused_at(f"row {row}", column, found)

    def _refused_at(self, where: str, column: str, found: str) -> DataError:
        hint = TARGET_HINT if column == self._target and found in CANNOT_IMPUTE else None
        return refused_cell(self.name, where, column, found, hint)

    @property
    def rows(self) -> int:
        """Number of data rows; costs a pass over the table where it is not known yet."""
        return sum(len(block) for block in self.chunks()) if self._rows is None else self._rows

    @property
    def schema(self) -> Schema:
        """Names, kinds and rows (a pass over the table where the rows are not known yet); target None."""
        return Schema(tuple(map(Column, self.columns, self.kinds)), None, self.rows)

    def chunks(self, rows: int = 65536) -> Iterator[Array]:
        """Yields read-only float64 arrays (r, columns), r = `rows` (fewer where that passes 64 MiB) but in the last.

        Memory stays bounded by a few chunks. Raises DataError at the first cell that is no finite number of size at
        most 2^40, and where there is no row at all.
        """
        return (block for block, _, _ in self.ranged_chunks(rows))

    def ranged_chunks(self, rows: int) -> Iterator[tuple[Array, Array, Array]]:
        """`chunks` with the smallest and largest value of each column, which the check finds on its way."""
        rows = max(1, min(rows, CHUNK_VALUES // len(self.columns)))
        fill = self._fill_values(rows)
        done = 0
        for block in _rebatch(self._blocks(rows), rows):
            if fill is not None:
                block = _filled(block, fill)
            low, high = column_range(block)
            if not (high.max() <= LIMIT and low.min() >= -LIMIT):  # NaN compares false
                self._check(block, done, missing_allowed=False)
            done += len(block)
            block = block.view()
            block.flags.writeable = False
            yield block, low, high
        self._remember_rows(done)

    def _remember_rows(self, rows: int) -> None:
        if rows == 0:
            raise DataError(f"{self.name}: has no data row", hint="a table needs at least one row below its header")
        if self._rows not in (None, rows):
            raise DataError(
                f"{self.name}: had {self._rows} rows at first and {rows} now",
                hint="leave the file alone while mpcfl runs",
            )
        self._rows = rows

    def _check(self, block: Array, rows_before: int, *, missing_allowed: bool) -> None:
        fault = first_fault(block, missing_allowed=missing_allowed)
        if fault is not None:
            row, column, found = fault
            raise self._refuse(rows_before + row + 1, self.columns[column], found)

    def _fill_values(self, rows: int) -> Array | None:
        """What a missing cell becomes, (columns,), NaN where it is refused. The target is never imputed."""
        if self._impute is None or self._fill is not None:
            return self._fill
        if self._impute == "mean":
            fill = self._means(rows)
        elif isinstance(self._impute, Mapping):
            fill = np.array([self._impute.get(name, np.nan) for name in self.columns])
        else:
            fill = np.zeros(len(self.columns))
        if self._target in self.columns:
            fill[self.columns.index(self._target)] = np.nan
        self._fill = fill
        return fill

    def _means(self, rows: int) -> Array:
        """Mean of the cells that are there, a column: one pass. In a horizontal partition it is this party's OWN
        mean, of the rows it holds: nothing is exchanged for it, so it may differ between parties."""
        mean, count, done = np.zeros(len(self.columns)), np.zeros(len(self.columns)), 0
        for block in self._blocks(rows):
            self._check(block, done, missing_allowed=True)
            there = ~np.isnan(block)
            count += there.sum(axis=0)
            # Running mean: each addend is a difference, so a large offset costs no digits.
            mean += np.where(there, block - mean, 0.0).sum(axis=0) / np.maximum(count, 1)
            done += len(block)
        for name, seen in zip(self.columns, count, strict=True):
            if done and not seen and name != self._target:
                raise DataError(
                    f"{self.name}: column {name!r} has no value at all, so it has no mean to impute",
                    hint='take the column out, or impute "zero" or a number',
                )
        return mean


def check_impute(impute: Impute) -> Impute:
    """`impute` itself; DataError for a word that is not known or a number that is not finite."""
    if isinstance(impute, str) and impute not in ("mean", "zero"):
        raise DataError(f"impute = {impute!r} is not known", hint='use "mean", "zero", or a number for each column')
    if isinstance(impute, Mapping):
        for name, number in impute.items():
            if not abs(number) <= LIMIT:
                raise DataError(f"impute: the number for column {name!r} is not finite or beyond 2^40")
    return impute


def _filled(block: Array, fill: Array) -> Array:
    missing = np.isnan(block)
    return np.where(missing, fill, block) if missing.any() else block


def _rebatch(blocks: Iterator[Array], rows: int) -> Iterator[Array]:
    """The same rows in blocks of exactly `rows` (the last may be shorter), copying only where pieces must be joined."""
    parts: list[Array] = []
    held = 0
    for block in blocks:
        while len(block):
            part, block = block[: rows - held], block[rows - held :]
            parts.append(part)
            held += len(part)
            if held == rows:
                yield parts[0] if len(parts) == 1 else np.concatenate(parts)
                parts, held = [], 0
    if parts:
        yield parts[0] if len(parts) == 1 else np.concatenate(parts)
