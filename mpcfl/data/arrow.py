"""Arrow columns to float64: which types count as numbers, and the conversion of one batch."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from mpcfl.data.faults import DATE, TEXT, refused_column
from mpcfl.data.source import Array


def kind_of(type_: pa.DataType) -> str:
    """One of "float", "int" or "bool"; else what the column holds, in words for a message."""
    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_):
        return "int"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_) or pa.types.is_null(type_):
        return "float"
    return DATE if pa.types.is_temporal(type_) else TEXT


def number_kinds(table: str, columns: Sequence[str], types: Sequence[pa.DataType]) -> tuple[str, ...]:
    """Kinds of all columns; DataError for the first that holds no numbers."""
    kinds = tuple(map(kind_of, types))
    for name, kind in zip(columns, kinds, strict=True):
        if kind not in ("float", "int", "bool"):
            raise refused_column(table, name, kind)
    return kinds


def to_block(batch: pa.RecordBatch | pa.Table, columns: Sequence[str] | range) -> Array:
    """The chosen columns of a batch, by name or position, float64 (rows, columns), NaN for null."""
    block = np.empty((len(batch), len(columns)))
    for position, key in enumerate(columns):
        column = batch.column(key)
        if not pa.types.is_floating(column.type):
            # A number too long for float64 is rounded; those beyond 2^40 are refused later in any case.
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.uint8())
            column = column.cast(pa.float64(), safe=False)
        block[:, position] = column.to_numpy(zero_copy_only=False)
    return block
