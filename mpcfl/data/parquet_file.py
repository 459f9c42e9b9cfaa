"""Parquet files, one batch of rows at a time; only the chosen columns are read from disk."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from mpcfl.data.arrow import number_kinds, to_block
from mpcfl.data.names import check_names, choose
from mpcfl.data.source import Array, Impute, Source
from mpcfl.errors import DataError

READ_BYTES = 1 << 20
"""Column pages are read in pieces of this size, so that one huge row group does not come into memory whole."""


class ParquetFile(Source):
    """A Parquet file of flat numeric columns (float, int, bool, decimal). Rows are known without a pass."""

    def __init__(self, path: Path, columns: Sequence[str] | None, impute: Impute, target: str | None) -> None:
        self._path = path
        with self._open() as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        check_names(str(path), schema.names)
        chosen = choose(str(path), schema.names, columns)
        kinds = number_kinds(str(path), chosen, [schema.field(name).type for name in chosen])
        super().__init__(str(path), chosen, kinds, impute, target)
        self._remember_rows(rows)

    def _open(self) -> "pyarrow.parquet.ParquetFile":
        try:
            return pyarrow.parquet.ParquetFile(self._path, buffer_size=READ_BYTES, pre_buffer=False)
        except (pa.ArrowException, OSError):
            pass
        raise self._broken()

    def _broken(self) -> DataError:
        return DataError(f"{self._path}: is not a readable Parquet file", hint="it may be cut short: make it again")

    def _blocks(self, rows: int) -> Iterator[Array]:
        try:
            with self._open() as file:
                for batch in file.iter_batches(rows, columns=list(self.columns)):
                    if len(batch):
                        yield to_block(batch, self.columns)
            return
        except (pa.ArrowException, OSError):
            pass
        raise self._broken()
