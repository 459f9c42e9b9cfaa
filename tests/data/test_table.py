"""Tables in memory, whatever they are made of."""

import collections

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from mpcfl.data.table import Table
from mpcfl.errors import DataError

VALUES = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])

SAME = [
    VALUES,
    np.asfortranarray(VALUES),
    VALUES.astype(np.float32),
    VALUES.astype(np.int16),
    VALUES[::-1][::-1],
    np.array([(1, 2.0, 3.0), (4, 5.0, 6.0)], dtype=[("x0", "i4"), ("x1", "f8"), ("x2", "f4")]),
    torch.tensor(VALUES),
    torch.tensor(VALUES, requires_grad=True),
    torch.tensor(VALUES, dtype=torch.bfloat16),
    pd.DataFrame(VALUES, columns=["x0", "x1", "x2"]),
    pd.DataFrame({"x0": [1, 4], "x1": [2.0, 5.0], "x2": pd.array([3, 6], dtype="Int64")}),
    pa.table({"x0": [1, 4], "x1": [2.0, 5.0], "x2": pa.chunked_array([[3], [6]])}),
    {"x0": [1, 4], "x1": torch.tensor([2.0, 5.0]), "x2": VALUES[:, 2]},
    {"x0": VALUES[:, :1], "x1": VALUES[:, 1], "x2": VALUES[:, 2:]},
    {"x": VALUES},
    VALUES.tolist(),
]


@pytest.mark.parametrize("data", SAME, ids=lambda data: type(data).__name__)
def test_every_container_gives_the_same_rows(data: object) -> None:
    table = Table.of(data)
    assert table.columns == ("x0", "x1", "x2")
    assert table.rows == 2
    assert table.values.dtype == np.float64 and np.array_equal(table.values, VALUES)
    assert [chunk.tolist() for chunk in table.chunks(1)] == [[[1, 2, 3]], [[4, 5, 6]]]


def test_features_and_target_in_two_arrays_make_one_table() -> None:
    table = Table.of({"x": torch.tensor(VALUES), "y": np.array([[True], [False]])})
    assert table.columns == ("x0", "x1", "x2", "y")
    assert table.kinds == ("float", "float", "float", "bool")
    assert table.values[:, 3].tolist() == [1, 0]


def test_names_name_the_columns_of_an_array_and_columns_choose() -> None:
    table = Table.of(VALUES, names=["age", "weight", "y"], columns=["y", "age"])
    assert table.columns == ("y", "age") and table.values.tolist() == [[3, 1], [6, 4]]
    assert Table.of(table, columns=["age"]).values.tolist() == [[1], [4]]


def test_float64_rows_are_read_in_place() -> None:
    [chunk] = Table.of(VALUES).chunks()
    assert np.shares_memory(chunk, VALUES)
    assert not chunk.flags.writeable


def test_missing_cells_of_pandas_and_arrow_are_imputed_if_asked() -> None:
    frame = pd.DataFrame(
        {"a": pd.array([1, None, 3], dtype="Int64"), "b": pd.array([True, None, True], dtype="boolean")}
    )
    assert Table.of(frame, impute="mean").values.tolist() == [[1, 1], [2, 1], [3, 1]]
    arrow = pa.table({"a": [1, None, 3], "b": [True, None, True]})
    assert Table.of(arrow, impute="zero").values.tolist() == [[1, 1], [0, 0], [3, 1]]
    with pytest.raises(DataError, match="survey: row 2, column 'a': found NaN"):
        list(Table.of(frame, name="survey").chunks())


def test_repr_has_names_and_shape_and_no_value() -> None:
    table = Table.of(VALUES + 4711, names=["age", "weight", "y"])
    assert repr(table) == "Table('table', columns=['age', 'weight', 'y'], shape=(2, 3))"
    assert "4711" not in repr(table._parts)


@pytest.mark.parametrize(
    "data, found",
    [
        (np.array([["4711", "x"]]), "holds text"),
        (np.array([[4711, None]], dtype=object), "holds text"),
        (np.array([[1 + 4711j]]), "holds text"),
        (np.array([["2001-01-01"]], dtype="datetime64[D]"), "holds a date"),
        (pd.DataFrame({"x0": ["4711"]}), "'x0' holds text"),
        (pd.DataFrame({"x0": pd.Categorical(["4711"])}), "'x0' holds text"),
        (pd.DataFrame({"x0": pd.to_datetime(["2001-01-01"])}), "'x0' holds a date"),
        (pa.table({"x0": ["4711"]}), "'x0' holds text"),
        (torch.tensor([[4711 + 0j]]), "no table"),
        (torch.eye(3).to_sparse(), "no table"),
        (np.zeros((2, 2, 2)), "3 axes"),
        ([[4711], [4711, 1]], "cannot be read"),
        ({"a": [4711], "b": [4711, 1]}, "differ in length: [1, 2]"),
        (np.zeros((0, 2)), "no data row"),
        (np.zeros((2, 0)), "no column"),
        ({}, "no column"),
        (pd.DataFrame([[4711, 1]], columns=["x0", "x0"]), "'x0' stands there twice"),
        (np.array([[0.0, np.nan]]), "row 1, column 'x1': found NaN"),
        (np.array([[0.0], [-np.inf]]), "row 2, column 'x0': found infinity"),
        (np.array([[0], [4711 * 10**12]]), "row 2, column 'x0': found a number beyond 2^40"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_numbers_is_refused_without_its_values(data: object, found: str) -> None:
    with pytest.raises(DataError) as caught:
        list(Table.of(data).chunks())
    assert found in str(caught.value)
    assert "4711" not in str(caught.value)


def test_a_cell_at_the_limit_is_accepted_and_the_next_is_not() -> None:
    assert Table.of([[2.0**40, -(2.0**40)]]).values.tolist() == [[2.0**40, -(2.0**40)]]
    with pytest.raises(DataError, match="beyond 2\\^40"):
        list(Table.of([[np.nextafter(2.0**40, np.inf)]]).chunks())


@pytest.mark.parametrize("row, column", [(0, 0), (999, 2), (1023, 1), (1024, 0), (4999, 2)])
def test_a_fault_is_found_wherever_it_stands(row: int, column: int) -> None:
    values = np.ones((5000, 3))
    values[row, column] = np.nan
    with pytest.raises(DataError, match=f"row {row + 1}, column 'x{column}'"):
        list(Table.of(values).chunks(1024))


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c", "d"]])
def test_a_wrong_number_of_names_is_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match=f"{len(names)} names were given for 3 columns"):
        Table.of(VALUES, names=names)


def test_a_container_with_names_of_its_own_takes_no_others() -> None:
    with pytest.raises(DataError, match="names of its own"):
        Table.of(collections.OrderedDict(a=[1.0]), names=["b"])


def test_wide_tables_come_in_chunks_of_bounded_size() -> None:
    wide = np.broadcast_to(np.float64(1), (20_000, 1 << 16))  # 10 GB if it were held
    assert next(iter(Table.of(wide).chunks())).shape == (128, 1 << 16)
