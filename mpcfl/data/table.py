"""Tables in memory: numpy, torch, pandas, pyarrow, or a dict of arrays, as one `Source`."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mpcfl.data.columns import Part, parts_of
from mpcfl.data.names import check_names, choose
from mpcfl.data.source import Array, Impute, Source
from mpcfl.errors import DataError


class Table(Source):
    """A table in memory. Make one with `Table.of`; `repr` shows names and shape, never a value.

    Arrays are used as they are and turned into float64 chunk by chunk: leave them alone while mpcfl runs.
    """

    def __init__(
        self, parts: Sequence[Part], *, name: str = "table", impute: Impute = None, target: str | None = None
    ) -> None:
        names = [column for part in parts for column in part.names]
        kinds = [kind for part in parts for kind in part.kinds]
        super().__init__(name, names, kinds, impute, target)
        self._parts = tuple(parts)
        lengths = sorted({len(part.array) for part in parts})
        if len(lengths) > 1:
            raise DataError(f"{name}: its columns differ in length: {lengths}")
        self._remember_rows(lengths[0])

    @classmethod
    def of(
        cls,
        data: Any,
        *,
        names: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        name: str = "table",
        impute: Impute = None,
        target: str | None = None,
    ) -> "Table":
        """A table from a numpy array (one or two axes, or with named fields), torch tensor, pandas DataFrame,
        pyarrow Table, or a mapping from names to arrays or tensors of equal length.

        `names` names the columns of an array or tensor; without it they are x0, x1, ... A mapping's array with more
        than one column, {"x": (rows, 3)}, becomes x0, x1, x2. `columns` chooses columns and their order (None: all);
        `impute` and `target` as in `open_table`. `name` stands for the table in messages.
        """
        parts = list(data._parts) if isinstance(data, Table) else parts_of(data, names, name)
        known = [column for part in parts for column in part.names]
        check_names(name, known)
        chosen = choose(name, known, columns)
        if chosen != tuple(known):
            single = {column: part.column(i) for part in parts for i, column in enumerate(part.names)}
            parts = [single[column] for column in chosen]
        return cls(parts, name=name, impute=impute, target=target)

    @property
    def values(self) -> Array:
        """The whole table, (rows, columns) float64, checked and imputed: a copy."""
        return np.concatenate(list(self.chunks()))

    def _blocks(self, rows: int) -> Iterator[Array]:
        for start in range(0, self.rows, rows):
            pieces = [part.array[start : start + rows] for part in self._parts]
            if len(pieces) == 1:
                yield np.ascontiguousarray(pieces[0], dtype=np.float64)
                continue
            block = np.empty((len(pieces[0]), len(self.columns)))
            end = 0
            for piece in pieces:
                end, begin = end + piece.shape[1], end
                block[:, begin:end] = piece
            yield block
