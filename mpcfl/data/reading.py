"""The door for files: the ending of the path decides the format."""

from collections.abc import Sequence
from pathlib import Path

from mpcfl.data.faults import refused_os_error
from mpcfl.data.names import did_you_mean
from mpcfl.data.source import Impute, Source
from mpcfl.errors import DataError

ENDINGS = (".csv", ".parquet", ".pq", ".npy", ".npz")


def open_table(
    path: str | Path, *, columns: Sequence[str] | None = None, impute: Impute = None, target: str | None = None
) -> Source:
    """A `Source` for the file at `path`; nothing but its header or its first block is read yet.

    `columns` chooses columns and their order (None: all, in file order); other columns may hold anything.
    `impute` fills missing cells, save those of the column `target`, where a missing cell is always refused; "mean"
    is the mean of this file's own column and costs one more pass.
    DataError: the path cannot be read, the format is not known, the header is missing or ambiguous, there is no row,
    or a chosen column holds no numbers. A bad cell is found by `chunks`, at its row.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: is a directory", hint=f"name a file in it ({', '.join(ENDINGS)})")
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise refused_os_error(path, error) from None
    if not path.is_file():
        raise DataError(f"{path}: is not a regular file", hint="tables are read more than once: save it as a file")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        near = did_you_mean(ending, ENDINGS)
        raise DataError(f"{path}: tables are read from {', '.join(ENDINGS)}", hint=near or "save it as CSV or Parquet")
    if empty:
        raise DataError(f"{path}: is empty", hint="a table needs a header line and rows below it")
    # Each format's library is loaded only when a file asks for it: pyarrow takes a third of a second.
    if ending == ".csv":
        from mpcfl.data.csv_file import CsvFile

        return CsvFile(path, columns, impute, target)
    if ending in (".parquet", ".pq"):
        from mpcfl.data.parquet_file import ParquetFile

        return ParquetFile(path, columns, impute, target)
    from mpcfl.data.numpy_file import open_numpy

    return open_numpy(path, columns, impute, target)
