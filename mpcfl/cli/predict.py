"""`mpcfl predict MODEL TABLE`: a revealed model applied to a table, as CSV with one column, `prediction`."""

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
from mpcfl.report.model import load_model, predict

ROWS = 65536


def predict_command(model_path: str | Path, table_path: str | Path, out_path: str | Path | None = None) -> int:
    """Write one prediction a row, in the order of the table, to `out_path` or standard output; 0.

    Nothing is written before all rows have been read; a file is replaced as a whole. JobError: no model;
    DataError: the table was refused; OutputError: the file cannot be written.
    """
    model = load_model(model_path)
    if out_path is not None:
        _check_out(Path(out_path), Path(table_path))
    values = predict(model, open_table(table_path, columns=model.features))
    if out_path is None:
        _to_stdout(values)
    else:
        _to_file(values, Path(out_path))
    return 0


def _lines(values: npt.NDArray[np.float64]) -> Iterator[str]:
    """Text in pieces; `repr` gives the shortest digits that come back as the same float64."""
    yield "prediction\n"
    for start in range(0, len(values), ROWS):
        yield "".join(f"{value!r}\n" for value in values[start : start + ROWS].tolist())


def _check_out(out: Path, table: Path) -> None:
    if out.is_dir():
        raise JobError(f"--out {out}: is a folder", hint="name a file")
    if not out.parent.is_dir():
        raise JobError(f"--out {out}: there is no folder {out.parent}", hint="make it first, or name another")
    if out.exists() and table.exists() and out.samefile(table):
        raise JobError(f"--out {out}: is the table itself", hint="name another file")


def _to_stdout(values: npt.NDArray[np.float64]) -> None:
    try:
        for piece in _lines(values):
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


def _to_file(values: npt.NDArray[np.float64], out: Path) -> None:
    special = out.exists() and not out.is_file()  # /dev/stdout, a pipe: nothing to replace
    out = out if special else Path(os.path.realpath(out))
    made = out if special else out.with_name(f".{out.name}-{secrets.token_hex(4)}.partial")
    try:
        with open(made, "w", encoding="utf-8", newline="") as file:
            for piece in _lines(values):
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
