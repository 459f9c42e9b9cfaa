"""`mpcfl predict MODEL TABLE`: a revealed model applied to a table, as CSV with one line a row.

One column, `prediction`: the value, or of two classes the probability of class 1 (a support vector machine's signed
distance from the margin). With more classes `prediction` is the likeliest, and in `probability_0`, `probability_1`, ...
are those of all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mpcfl.data.reading import open_table
from mpcfl.errors import JobError, OutputError
from mpcfl.models.links import mean_of
from mpcfl.report.model import Model, load_model, scores

ROWS = 65536


def predict_command(model_path: str | Path, table_path: str | Path, out_path: str | Path | None = None) -> int:
    """Write one line a row, in the order of the table, to `out_path` or standard output; 0.

    Nothing is written before all rows have been read; a file is replaced as a whole. JobError: no model;
    DataError: the table was refused; OutputError: the file cannot be written.
    """
    model = load_model(model_path)
    if out_path is not None:
        _check_out(Path(out_path), Path(table_path))
    found = scores(model, open_table(table_path, columns=model.features))
    if out_path is None:
        _to_stdout(model, found)
    else:
        _to_file(model, found, Path(out_path))
    return 0


def _lines(model: Model, found: npt.NDArray[np.float64]) -> Iterator[str]:
    """Text in pieces; `repr` gives the shortest digits that come back as the same float64."""
    yield ",".join(["prediction", *(f"probability_{k}" for k in range(model.classes or 0))]) + "\n"
    for start in range(0, len(found), ROWS):
        piece = found[start : start + ROWS]
        values = mean_of(model.kind, piece)
        if model.classes is None:
            yield "".join(f"{value!r}\n" for value in values.tolist())
        else:
            rows = zip(piece.argmax(axis=1).tolist(), values.tolist(), strict=True)
            yield "".join(f"{likeliest},{','.join(map(repr, row))}\n" for likeliest, row in rows)


def _check_out(out: Path, table: Path) -> None:
    if out.is_dir():
        raise JobError(f"--out {out}: is a folder", hint="name a file")
    if not out.parent.is_dir():
        raise JobError(f"--out {out}: there is no folder {out.parent}", hint="make it first, or name another")
    if out.exists() and table.exists() and out.samefile(table):
        raise JobError(f"--out {out}: is the table itself", hint="name another file")


def _to_stdout(model: Model, found: npt.NDArray[np.float64]) -> None:
    try:
        for piece in _lines(model, found):
            sys.stdout.write(piece)
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):  # what is still buffered would fail again when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `mpcfl predict ... | head`: the reader has had enough
            return
        raise OutputError(
            f"standard output: cannot be written: {error.strerror}", hint="write to a file with --out"
        ) from None


def _to_file(model: Model, found: npt.NDArray[np.float64], out: Path) -> None:
    special = out.exists() and not out.is_file()  # /dev/stdout, a pipe: nothing to replace
    out = out if special else Path(os.path.realpath(out))
    made = out if special else out.with_name(f".{out.name}-{secrets.token_hex(4)}.partial")
    try:
        with open(made, "w", encoding="utf-8", newline="") as file:
            for piece in _lines(model, found):
                file.write(piece)
            file.flush()
            if not special:
                os.fsync(file.fileno())
        if not special:
            os.replace(made, out)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror}", hint="name a file on a disk that is not full"
        ) from None
    finally:
        if not special:
            made.unlink(missing_ok=True)
