"""Cells that are refused: what may be found in one, what to do about it, and the errors that say so.

A cell is named by row and column and its content by kind. The content itself is never shown: messages travel to logs
and to other parties.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mpcfl.errors import DataError

LIMIT = 2.0**40
"""Largest |x| of a cell. Squares and sums of more could not be told apart in float64 nor fit the ring."""

MISSING, NAN, INFINITY, LARGE = "an empty cell", "NaN", "infinity", "a number beyond 2^40"
TEXT, BLANKS, DATE, BYTES = "text", "a cell of blanks", "a date or time", "bytes that are not UTF-8"
MARKED = "a number with other signs in it"
"""A comma, a blank or an apostrophe between digits, a currency, a percent sign, "<"."""
NO_VALUE = "a sign that stands for no number"
"""A dash, a question mark, "#DIV/0!"."""

_IMPUTE_HINT = 'fill the cell, drop the row, or (to train) have it imputed: `impute = "mean"` under [data] in the job'
_EMPTY_HINT = f"leave the cell empty if it is missing, and then {_IMPUTE_HINT.removeprefix('fill the cell, ')}"
_TEXT_HINT = "give a category one 0/1 column for each value, a date as days since a fixed day, or take the column out"
HINTS = {
    MISSING: _IMPUTE_HINT,
    NAN: _IMPUTE_HINT,
    INFINITY: "look for a division by zero where the file was made",
    LARGE: "give the column in larger units (thousands, millions), |x| may be at most 2^40, about 1.1e12; or take it "
    "out, as an identifier is no feature",
    MARKED: "write 1234.5: a decimal point, no separator of thousands, no unit",
    NO_VALUE: _EMPTY_HINT,
    TEXT: _TEXT_HINT,
    DATE: _TEXT_HINT,
    BLANKS: _EMPTY_HINT,
    BYTES: "save the file again as UTF-8",
}

NO_SPREAD_HINT = "leave it out, or subtract a common constant from it"
NO_TARGET_HINT = "see whether `target` names the right column"
"""For a column, for the target, that is constant or spreads too little for its size."""

CANNOT_IMPUTE = (MISSING, NAN, BLANKS, NO_VALUE)
"""What a target is not forgiven, whatever is imputed."""
TARGET_HINT = "fill the cell or drop the row: a target is never imputed"
EMPTY_LINE_HINT = "an empty line of a file of one column is a missing cell: fill it, or take it away below the last row"

FOLD_VALUES = 2048


def refused_cell(name: str, where: str, column: str, found: str, hint: str | None = None) -> DataError:
    """`hint`: in place of the one that goes with what was found."""
    needed = "" if found in (LARGE, MARKED) else " where a number is needed"
    return DataError(f"{name}: {where}, column {column!r}: found {found}{needed}", hint=hint or HINTS.get(found))


def refused_column(name: str, column: str, found: str) -> DataError:
    return DataError(f"{name}: column {column!r} holds {found} where numbers are needed", hint=HINTS.get(found))


def refused_os_error(path: Path | str, error: OSError) -> DataError:
    """The error for a path that cannot be read, in the words of the operating system and no more."""
    return DataError(
        f"{path}: cannot be read: {error.strerror or type(error).__name__}",
        hint="check the path (in a job it is relative to the job file) and its permissions",
    )


def column_range(block: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(smallest, largest) of each column, NaN where it holds one; `block` is (rows, columns), rows > 0."""
    # Several short rows are taken for one long one: numpy's cost a row of 100 is half overhead.
    fold = max(1, FOLD_VALUES // block.shape[1])
    if len(block) < 2 * fold or not block.flags.c_contiguous:
        return block.min(axis=0), block.max(axis=0)
    whole = len(block) // fold * fold
    long = block[:whole].reshape(-1, fold * block.shape[1])
    low = long.min(axis=0).reshape(fold, -1)
    high = long.max(axis=0).reshape(fold, -1)
    rest = block[whole:]
    return np.concatenate([low, rest]).min(axis=0), np.concatenate([high, rest]).max(axis=0)


def first_fault(block: npt.NDArray[np.float64], *, missing_allowed: bool) -> tuple[int, int, str] | None:
    """(row, column, what was found) of the first cell, row by row, that breaks the promise of `chunks`."""
    bad = ~(np.abs(block) <= LIMIT)  # NaN compares false
    if missing_allowed:
        bad &= ~np.isnan(block)
    if not bad.any():
        return None
    row, column = divmod(int(bad.argmax()), block.shape[1])
    cell = block[row, column]
    return row, column, NAN if np.isnan(cell) else INFINITY if np.isinf(cell) else LARGE
