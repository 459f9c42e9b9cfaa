"""Sufficient statistics of one party's own rows (P5): all that least squares needs, in one pass, in float64.

Sums of squares are taken about the mean, never about zero: a year column (2015 +- 5) beside a turnover keeps all its
digits. Chunks are centred near their mean, multiplied by BLAS, and merged by the pairwise update of
Chan, Golub and LeVeque 1983 ("Algorithms for computing the sample variance", eq. 2.1).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpcfl.data.faults import column_range
from mpcfl.data.names import choose
from mpcfl.data.source import Array, Source
from mpcfl.errors import JobError

Mask = npt.NDArray[np.bool_]
OnChunk = Callable[[int], None]
"""Called with the number of rows done so far."""

PASS_VALUES = 1 << 20
"""Values in one chunk of a pass (8 MiB): large enough for BLAS, small enough to stay in a cache between its uses."""

PASS_ROWS = 1024
"""Rows in one chunk of a pass at least, however wide the table: D^2 work a chunk must stay small beside D^2 a row."""


@dataclass(frozen=True, repr=False, eq=False)
class Moments:
    """`count` rows; `mean` (D,); `scatter` (D, D) = sum of (x - mean)(x - mean)^T; `max_abs` (D,), of x itself.

    `names` (D,) are the columns, the target last. As private as the rows: no value is in `repr`.
    """

    names: tuple[str, ...]
    count: int
    mean: Array
    scatter: Array
    max_abs: Array

    def __repr__(self) -> str:
        return f"Moments(names={list(self.names)})"

    @property
    def constant_columns(self) -> tuple[str, ...]:
        """Names of the columns that have one value only, in these rows."""
        return tuple(n for n, s in zip(self.names, self.scatter.diagonal(), strict=True) if s == 0)

    @staticmethod
    def merge(a: "Moments", b: "Moments") -> "Moments":
        """The moments of the rows of both. JobError if their columns differ.

        Each mean was rounded to float64: a column of mean m and spread s keeps log10(s / |m|) + 16 digits here, where
        one pass over all rows keeps all.
        """
        if a.names != b.names:
            raise JobError("moments of different columns cannot be merged")
        if a.count == 0 or b.count == 0:
            return b if a.count == 0 else a
        count = a.count + b.count
        delta = b.mean - a.mean
        mean = a.mean + delta * (b.count / count)
        scatter = a.scatter + b.scatter + np.outer(delta, delta) * (a.count * b.count / count)
        return Moments(a.names, count, mean, scatter, np.maximum(a.max_abs, b.max_abs))


def local_moments(source: Source, *, target: str | None = None, on_chunk: OnChunk | None = None) -> Moments:
    """The moments of all rows of `source`: one pass, 2 D^2 operations a row, memory of a chunk and D^2.

    The columns come in the order of the table, `target` moved to the end. DataError at a bad cell, or no such target.
    """
    running = _Running(len(source.columns))
    for _, block, low, high in _pass(source, on_chunk):
        running.add(block, low, high)
    return running.finish(source, target)


def split_moments(
    source: Source, test_rows: Mask, *, target: str | None = None, on_chunk: OnChunk | None = None
) -> tuple[Moments, Moments]:
    """(training, test) moments in one pass; `test_rows` (rows,) is true where a row is held out (`split_rows`)."""
    if len(test_rows) != source.rows:
        raise JobError(f"{source.name}: the split is for {len(test_rows)} rows, the table has {source.rows}")
    train, test = _Running(len(source.columns)), _Running(len(source.columns))
    for start, block, _, _ in _pass(source, on_chunk):
        held_out = test_rows[start : start + len(block)]
        for running, part in ((train, block[~held_out]), (test, block[held_out])):
            if len(part):
                running.add(part, *column_range(part))
    return train.finish(source, target), test.finish(source, target)


def grouped_moments(
    source: Source, groups: npt.NDArray[np.integer], count: int, *, target: str | None = None
) -> list[Moments]:
    """Moments of the rows of each of `count` groups in one pass; `groups` (rows,): 0 to count - 1, or -1 for none."""
    running = [_Running(len(source.columns)) for _ in range(count)]
    for start, block, _, _ in _pass(source, None):
        here = groups[start : start + len(block)]
        for group in range(count):
            part = block[here == group]
            if len(part):
                running[group].add(part, *column_range(part))
    return [one.finish(source, target) for one in running]


def split_rows(rows: int, test_fraction: float, seed: int) -> Mask:
    """(rows,) true where a row is held out: ceil(rows * test_fraction) of them, but never the last training row.

    Public and deterministic (PCG64 of the job's public seed), so that all parties of a vertical partition draw the
    same rows. It hides nothing and must mask nothing.
    """
    if not 0 <= test_fraction < 1:
        raise JobError("[evaluate] test_fraction must be at least 0 and less than 1")
    mask = np.zeros(rows, dtype=np.bool_)
    # Rounding before ceil: 0.1 * 70 is 7.000000000000001 in float64.
    held_out = min(int(np.ceil(round(rows * test_fraction, 6))), max(rows - 1, 0))
    mask[np.random.Generator(np.random.PCG64(seed)).permutation(rows)[:held_out]] = True
    return mask


def batch_moments(
    source: Source, batches: Sequence[npt.NDArray[np.integer]], *, target: str | None = None, intercept: bool = True
) -> Array:
    """Raw sums of z z^T for each batch, (batches, D', D'): z = (features, 1 if `intercept`, target).

    Not centred: mini-batch gradient descent on the data as given needs sum x x^T and sum x y of the rows of each
    batch. `batches` are public arrays of 0-based rows; a row that stands in one twice counts twice. One pass.
    """
    order = _order(source, target)
    width = len(order) + intercept
    counts = [len(batch) for batch in batches]
    rows = np.concatenate([np.asarray(batch, dtype=np.int64) for batch in batches]) if counts else np.zeros(0, np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    sort = np.argsort(rows, kind="stable")
    rows, owner = rows[sort], owner[sort]
    if len(rows) and not (rows[0] >= 0 and rows[-1] < source.rows):
        raise JobError(f"{source.name}: a batch asks for a row beyond the {source.rows} rows of the table")
    result = np.zeros((len(counts), width, width))
    one = [len(order) - (target is not None)] if intercept else []
    for start, block, _, _ in _pass(source, None):
        first, last = np.searchsorted(rows, (start, start + len(block)))
        here, whose = rows[first:last] - start, owner[first:last]
        by_batch = np.argsort(whose, kind="stable")
        here, whose = here[by_batch], whose[by_batch]
        present, begins, sizes = np.unique(whose, return_index=True, return_counts=True)
        for batch, begin, size in zip(present, begins, sizes, strict=True):
            z = np.insert(block[here[begin : begin + size]][:, order], one, 1.0, axis=1)
            result[batch] += z.T @ z
    return result


class _Running:
    """Moments of the rows so far, about a fixed shift (the mean of the first block), so that the mean of what is
    summed stays small and keeps its digits."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.shift = np.zeros(width)
        self.mean = np.zeros(width)  # less the shift
        self.scatter = np.zeros((width, width))
        self.max_abs = np.zeros(width)
        self._work = np.empty((0, width))

    def add(self, block: Array, low: Array, high: Array) -> None:
        """`low` and `high` are the `column_range` of `block`, which has one row at least."""
        rows = len(block)
        if self.count == 0:
            self.shift = np.clip(block.mean(axis=0), low, high)  # of equal numbers the mean is the number, exactly
        if len(self._work) < rows:
            self._work = np.empty_like(block)
        centred = np.subtract(block, self.shift, out=self._work[:rows])
        mean = np.ones(rows) @ centred / rows  # BLAS again: twice as fast as a sum over the rows
        scatter = centred.T @ centred  # numpy calls syrk: half the operations, and symmetric to the last bit
        scatter -= np.outer(mean, mean) * rows
        total = self.count + rows
        delta = mean - self.mean
        self.scatter += scatter
        if self.count:
            self.scatter += np.outer(delta, delta) * (self.count * rows / total)
        self.mean += delta * (rows / total)
        self.count = total
        np.maximum(self.max_abs, np.maximum(high, -low), out=self.max_abs)

    def finish(self, source: Source, target: str | None) -> Moments:
        order = _order(source, target)
        names = tuple(source.columns[i] for i in order)
        scatter = self.scatter[np.ix_(order, order)]
        return Moments(names, self.count, (self.shift + self.mean)[order], scatter, self.max_abs[order])


def _order(source: Source, target: str | None) -> list[int]:
    """Positions of the table's columns, the target's last."""
    positions = list(range(len(source.columns)))
    if target is not None:
        choose(source.name, source.columns, [target])
        positions.remove(at := source.columns.index(target))
        positions.append(at)
    return positions


def _pass(source: Source, on_chunk: OnChunk | None) -> Iterator[tuple[int, Array, Array, Array]]:
    """(first row, block, smallest, largest of each column) of chunks in a cache-friendly size."""
    done = 0
    for block, low, high in source.ranged_chunks(max(PASS_ROWS, PASS_VALUES // len(source.columns))):
        yield done, block, low, high
        done += len(block)
        if on_chunk is not None:
            on_chunk(done)
