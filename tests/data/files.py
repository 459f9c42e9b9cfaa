"""Files for the tests of reading, and their refusals, which never hold a cell."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mpcfl.data.reading import open_table
from mpcfl.data.source import Source
from mpcfl.errors import DataError

SECRET = "4711.8"  # stands for a value that no message may repeat


def write(folder: Path, text: str | bytes, name: str = "north.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(source: Source, rows: int = 65536) -> np.ndarray:
    return np.concatenate(list(source.chunks(rows)))


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(DataError) as caught:
        action()
    error: BaseException | None = caught.value
    seen = []
    while error is not None:  # what a traceback or a log could print: the chain of causes too
        seen.append(f"{error}")
        error = error.__cause__ or error.__context__
    assert SECRET not in "\n".join(seen)
    return str(caught.value)


def refused_file(path: Path, **options: object) -> str:
    return refusal(lambda: read(open_table(path, **options)))  # type: ignore[arg-type]


def parquet(folder: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), folder / "t.parquet")
    return folder / "t.parquet"
