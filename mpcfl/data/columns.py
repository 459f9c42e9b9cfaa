"""What users hold in memory, taken apart into arrays of numbers with names and kinds; text and dates are refused."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.data.faults import DATE, TEXT, refused_column
from mpcfl.errors import DataError

_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "M": DATE, "m": DATE}


@dataclass(frozen=True)
class Part:
    """Neighbouring columns that live in one array (rows, len(names)) of a number type; NaN is a missing cell."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    array: npt.NDArray[Any]

    def __repr__(self) -> str:
        return f"Part(names={list(self.names)}, shape={self.array.shape})"

    def column(self, position: int) -> "Part":
        """One column, as a view."""
        at = slice(position, position + 1)
        return Part(self.names[at], self.kinds[at], self.array[:, at])


def parts_of(data: Any, names: Sequence[str] | None, table: str) -> list[Part]:
    """`data` in parts, without a copy wherever its memory can be read by numpy. DataError if it is no table.

    `names` is for arrays and tensors, which have no names of their own.
    """
    pandas, pyarrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        parts = _from_pandas(data, table)
    elif pyarrow is not None and isinstance(data, (pyarrow.Table, pyarrow.RecordBatch)):
        parts = _from_arrow(data, table)
    elif isinstance(data, Mapping):
        parts = [_from_array(value, str(name), table) for name, value in data.items()]
    elif isinstance(data, np.ndarray) and data.dtype.names:
        parts = [_from_array(data[name], name, table) for name in data.dtype.names]
    else:
        part = _from_array(data, None, table)
        if names is None:
            return [part]
        if len(names) != len(part.names):
            raise DataError(f"{table}: {len(names)} names were given for {len(part.names)} columns")
        return [Part(tuple(map(str, names)), part.kinds, part.array)]
    if names is not None:
        raise DataError(f"{table}: has column names of its own", hint="leave `names` out, or choose with `columns`")
    return parts


def _from_array(data: Any, name: str | None, table: str) -> Part:
    """An array, tensor or list of one or two axes; its columns are called `name`, or name0, name1, ..."""
    array = _as_numpy(data, table)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise DataError(f"{table}: an array of {array.ndim} axes is no table", hint="give rows and columns")
    width = array.shape[1]
    names = [name] if name is not None and width == 1 else [f"{name or 'x'}{i}" for i in range(width)]
    kind = _KINDS.get(array.dtype.kind, TEXT)
    if kind not in ("float", "int", "bool"):
        raise refused_column(table, names[0] if names else "", kind)
    return Part(tuple(names), (kind,) * width, array)


def _as_numpy(data: Any, table: str) -> npt.NDArray[Any]:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(data, torch.Tensor):
        if data.layout != torch.strided or data.is_complex():
            raise DataError(
                f"{table}: a {data.layout} tensor of {data.dtype} is no table", hint="give a dense real one"
            )
        data = data.detach().cpu()
        return (data.double() if data.dtype == torch.bfloat16 else data).numpy()
    try:
        return np.asarray(data)
    except (ValueError, TypeError):
        pass
    raise DataError(f"{table}: {type(data).__name__} cannot be read as an array of rows and columns")


def _from_pandas(frame: Any, table: str) -> list[Part]:
    from pandas.api import types

    names = [str(column) for column in frame.columns]
    kinds = [_pandas_kind(types, dtype) for dtype in frame.dtypes]
    for name, kind in zip(names, kinds, strict=True):
        if kind not in ("float", "int", "bool"):
            raise refused_column(table, name, kind)
    if len(set(frame.dtypes)) == 1 and isinstance(frame.dtypes.iloc[0], np.dtype):
        return [Part(tuple(names), tuple(kinds), frame.to_numpy())]  # one block of memory: no copy
    parts = []
    for position, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        column = frame.iloc[:, position]
        plain = isinstance(column.dtype, np.dtype)
        array = column.to_numpy() if plain else column.to_numpy(dtype=np.float64, na_value=np.nan)
        parts.append(Part((name,), (kind,), array[:, None]))
    return parts


def _pandas_kind(types: Any, dtype: Any) -> str:
    for kind, is_kind in (
        ("bool", types.is_bool_dtype),
        ("int", types.is_integer_dtype),
        ("float", types.is_float_dtype),
    ):
        if is_kind(dtype):
            return kind
    return DATE if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype) else TEXT


def _from_arrow(data: Any, table: str) -> list[Part]:
    from mpcfl.data.arrow import number_kinds, to_block

    kinds = number_kinds(table, data.schema.names, data.schema.types)
    return [Part(tuple(data.schema.names), kinds, to_block(data, range(data.num_columns)))]
