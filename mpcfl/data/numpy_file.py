"""Files of numpy: .npy stays on disk and is read slice by slice, .npz is a dict of arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mpcfl.data.faults import refused_os_error
from mpcfl.data.source import Impute, Source
from mpcfl.data.table import Table
from mpcfl.errors import DataError


def open_numpy(path: Path, columns: Sequence[str] | None, impute: Impute, target: str | None) -> Source:
    """The file as a `Table`: .npy memory-mapped, .npz loaded. Names of columns as in `Table.of`."""
    loaded: Any
    try:
        if path.suffix.lower() == ".npy":
            loaded = np.lib.format.open_memmap(path, mode="r")
        else:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                loaded = {name: arrays[name] for name in arrays.files}
    except OSError as error:
        raise refused_os_error(path, error) from None
    except Exception:  # numpy raises ValueError, BadZipFile, EOFError and others, as the bytes will have it
        raise DataError(
            f"{path}: is not a readable numpy file of numbers",
            hint="save plain arrays (no objects) with numpy.save or numpy.savez",
        ) from None
    return Table.of(loaded, name=str(path), impute=impute, target=target, columns=columns)
