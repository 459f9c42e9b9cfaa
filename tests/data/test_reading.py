"""Files of every format give the same rows, in chunks, in bounded memory; missing cells are imputed if asked."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mpcfl.data.reading import open_table
from tests.data.files import SECRET, read, refused_file, write


def test_a_csv_file_gives_float64_rows_in_order(tmp_path: Path) -> None:
    source = open_table(write(tmp_path, "age,weight,smokes\n30, 1.5e1 ,true\n-41,.5,false\n"))
    assert (source.name, source.columns, source.kinds) == (
        str(tmp_path / "north.csv"), ("age", "weight", "smokes"), ("int", "float", "bool"),
    )  # fmt: skip
    assert read(source).tolist() == [[30, 15, 1], [-41, 0.5, 0]]
    assert source.schema.rows == 2 and source.schema.names == source.columns


@pytest.mark.parametrize(
    "text", ["\ufeffa,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\n1,2", '"a","b"\n"1","2"\n', "a,b\n\n1,2\n\n"]
)
def test_csv_files_of_all_editors_are_read(tmp_path: Path, text: str) -> None:
    source = open_table(write(tmp_path, text))
    assert source.columns == ("a", "b")
    assert read(source).tolist() == [[1, 2]]


def test_columns_are_chosen_in_the_order_asked_and_others_may_hold_anything(tmp_path: Path) -> None:
    path = write(tmp_path, 'id,a,note,b\nx1,1,"two\nlines",2\nx2,3,"a, comma",4\n')
    assert read(open_table(path, columns=["b", "a"])).tolist() == [[2, 1], [4, 3]]


def test_a_huge_text_in_a_column_that_is_not_chosen_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, f"a,note\n1,{'x' * 200_000}\n2,y\n")
    assert read(open_table(path, columns=["a"])).tolist() == [[1], [2]]


def test_a_column_that_turns_from_whole_numbers_to_fractions_late_is_read(tmp_path: Path) -> None:
    rows = 200_000
    lines = [f"{i},1" for i in range(rows)] + ["0.25,0.5"]
    source = open_table(write(tmp_path, "a,b\n" + "\n".join(lines)))
    values = read(source)
    assert values.shape == (rows + 1, 2) and source.rows == rows + 1
    assert np.array_equal(values[:rows, 0], np.arange(rows)) and values[-1].tolist() == [0.25, 0.5]


@pytest.mark.parametrize("ending", ["csv", "parquet", "npy", "npz"])
@pytest.mark.parametrize("rows", [1, 7, 1000, 5000])
def test_chunks_have_the_rows_asked_for_whatever_the_format(tmp_path: Path, ending: str, rows: int) -> None:
    table = np.round(np.random.default_rng(1).standard_normal((1000, 3)), 6)
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        write(tmp_path, "x0,x1,x2\n" + "\n".join(",".join(map(repr, row)) for row in table.tolist()), "t.csv")
    elif ending == "parquet":
        pq.write_table(pa.table({f"x{i}": table[:, i] for i in range(3)}), path, row_group_size=300)
    elif ending == "npy":
        np.save(path, table)
    else:
        np.savez(path, x=table)
    source = open_table(path)
    chunks = list(source.chunks(rows))
    assert source.columns == ("x0", "x1", "x2") and source.rows == 1000
    assert {len(chunk) for chunk in chunks[:-1]} <= {rows} and len(chunks) == -(-1000 // rows)
    assert all(chunk.dtype == np.float64 and chunk.flags.c_contiguous and not chunk.flags.writeable for chunk in chunks)
    assert np.array_equal(np.concatenate(chunks), table)
    assert np.array_equal(read(source), table), "a source can be read again"


def test_parquet_numbers_of_every_type_are_read(tmp_path: Path) -> None:
    columns = {
        "bool": pa.array([True, False]), "int8": pa.array([1, -2], pa.int8()), "uint64": pa.array([1, 2], pa.uint64()),
        "half": pa.array(np.array([1.5, 2.5], np.float16)), "single": pa.array([1.5, 2.5], pa.float32()),
        "a.dot": pa.array([1.0, 2.0]), "decimal": pa.array([1, 2], pa.decimal128(9, 2)),
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    source = open_table(tmp_path / "t.parquet")
    assert source.kinds == ("bool", "int", "int", "float", "float", "float", "float")
    assert read(source).tolist() == [[1, 1, 1, 1.5, 1.5, 1, 1], [0, -2, 2, 2.5, 2.5, 2, 2]]


def test_a_parquet_file_of_one_huge_row_group_is_not_held_in_memory(tmp_path: Path) -> None:
    rows, columns = 400_000, 20  # 64 MB in float64
    rng = np.random.default_rng(0)
    table = pa.table({f"x{i}": rng.standard_normal(rows) for i in range(columns)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=rows, compression="none", use_dictionary=False)
    del table
    before, peak, seen = pa.total_allocated_bytes(), 0, 0
    for chunk in open_table(tmp_path / "t.parquet").chunks(10_000):
        peak = max(peak, pa.total_allocated_bytes() - before)
        seen += len(chunk)
    assert seen == rows
    assert peak < rows * columns * 8 / 2


def test_a_csv_file_is_not_held_in_memory(tmp_path: Path) -> None:
    line = ",".join(["1.25"] * 20) + "\n"
    rows = 800_000  # 80 MB of text, 128 MB in float64
    with open(tmp_path / "t.csv", "w") as file:
        file.write(",".join(f"x{i}" for i in range(20)) + "\n")
        file.writelines(line for _ in range(rows))
    before, peak, total = pa.total_allocated_bytes(), 0, 0.0
    for chunk in open_table(tmp_path / "t.csv").chunks(10_000):
        peak = max(peak, pa.total_allocated_bytes() - before)
        total += float(chunk.sum())
    assert total == rows * 20 * 1.25
    assert peak < 128e6


def test_repr_has_no_value_of_the_table(tmp_path: Path) -> None:
    source = open_table(write(tmp_path, f"a,b\n{SECRET},2\n"))
    read(source)
    assert repr(source) == f"CsvFile({str(tmp_path / 'north.csv')!r}, columns=['a', 'b'], shape=(1, 2))"


def test_missing_cells_become_the_mean_of_the_column_in_this_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,y\n1,,5\n,8,6\n3,NA,7\nnan,4,8\n")
    assert read(open_table(path, impute="mean")).tolist() == [[1, 6, 5], [2, 8, 6], [3, 6, 7], [2, 4, 8]]
    assert read(open_table(path, impute="mean"), rows=1).tolist() == [[1, 6, 5], [2, 8, 6], [3, 6, 7], [2, 4, 8]]


def test_missing_cells_become_zero_or_the_number_of_their_column(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,\n,8\n")
    assert read(open_table(path, impute="zero")).tolist() == [[1, 0], [0, 8]]
    assert read(open_table(path, impute={"a": -1, "b": 9})).tolist() == [[1, 9], [-1, 8]]
    message = refused_file(path, impute={"a": -1})
    assert "row 1 (line 2), column 'b': found an empty cell" in message


def test_an_imputed_mean_keeps_its_digits_at_a_large_offset(tmp_path: Path) -> None:
    values = 1e9 + np.arange(1000) / 64
    pq.write_table(pa.table({"a": pa.array([*values, None])}), tmp_path / "t.parquet")
    filled = read(open_table(tmp_path / "t.parquet", impute="mean"), rows=100)[-1, 0]
    assert filled == pytest.approx(1e9 + 999 / 128, rel=0, abs=2.4e-7)  # two units in the last place


def test_a_missing_target_is_refused_whatever_is_imputed(tmp_path: Path) -> None:
    path = write(tmp_path, "a,y\n1,2\n,4\n5,\n")
    message = refused_file(path, impute="mean", target="y")
    assert "row 3 (line 4), column 'y': found an empty cell" in message and "a target is never imputed" in message


@pytest.mark.parametrize("impute", ["mean", "zero", {"a": 1.0, "b": 1.0}])
@pytest.mark.parametrize(
    "cell, found", [("inf", "infinity"), ("1e300", "beyond 2^40"), ("x4711.8", "text"), ("  ", "blanks")]
)
def test_imputation_forgives_missing_cells_only(tmp_path: Path, impute: object, cell: str, found: str) -> None:
    message = refused_file(write(tmp_path, f"a,b\n1,2\n,3\n4,{cell}\n"), impute=impute)
    assert "row 3 (line 4), column 'b'" in message and found in message


def test_a_column_without_any_value_has_no_mean(tmp_path: Path) -> None:
    assert "column 'b' has no value at all" in refused_file(write(tmp_path, "a,b\n1,\n2,\n"), impute="mean")


@pytest.mark.parametrize("impute, name", [("median", "median"), ({"age": float("nan")}, "age")])
def test_an_imputation_that_is_not_known_is_refused(tmp_path: Path, impute: object, name: str) -> None:
    assert name in refused_file(write(tmp_path, "age\n1\n"), impute=impute)
