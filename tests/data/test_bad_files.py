"""A file that is no table is refused by name, with what to do."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mpcfl.data.reading import open_table
from tests.data.files import SECRET, parquet, read, refusal, refused_file, write


@pytest.mark.parametrize("text", ["", "\n\n", "  \n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    assert "north.csv: is empty" in refused_file(write(tmp_path, text))


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a\n"])
def test_a_header_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    assert "north.csv: has no data row" in refused_file(write(tmp_path, text))


@pytest.mark.parametrize("text", [f"{SECRET},2\n3,4\n", f"M,{SECRET}\nF,4\n", "nan,1\n2,3\n", f"{SECRET}\n1\n"])
def test_a_file_without_a_header_is_refused_before_its_first_row_becomes_names(tmp_path: Path, text: str) -> None:
    assert "north.csv: has no header" in refused_file(write(tmp_path, text))


@pytest.mark.parametrize(
    "text, words",
    [
        ("a,b,a\n1,2,3\n", "column 'a' stands there twice"),
        (",a\n0,1\n", "use to_csv(..., index=False)"),
        ("Unnamed: 0,a\n0,1\n", "use to_csv(..., index=False)"),
        ("a,b,\n0,1,\n", "where lines end with a comma"),
        ("a;b\n1;2\n", "not separated by commas"),
        ("a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_bad_header_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert words in refused_file(write(tmp_path, text))


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    message = refused_file(write(tmp_path, "weight,y\n1,2\n"), columns=["wieght"])
    assert "has no column 'wieght'" in message and "did you mean 'weight'?" in message


def test_a_column_like_no_other_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    assert "it has weight, y" in refused_file(write(tmp_path, "weight,y\n1,2\n"), columns=["bmi"])


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = refused_file(tmp_path / "nothing.csv")
    assert "nothing.csv" in message and "No such file" in message


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refused_file(tmp_path)


def test_a_pipe_is_refused_because_it_cannot_be_read_twice(tmp_path: Path) -> None:
    end, other = os.pipe()
    os.write(other, b"a\n1\n")
    os.close(other)
    try:
        assert "not a regular file" in refused_file(Path(f"/dev/fd/{end}"))
    finally:
        os.close(end)


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*args: object, **options: object) -> None:  # root may read everything: so the refusal is acted
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    message = refusal(lambda: open_table(tmp_path / "north.csv"))
    assert "north.csv" in message and "Permission denied" in message


def test_an_unknown_ending_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    assert ".parquet" in refused_file(write(tmp_path, "x", "table.xlsx"))


def test_a_file_that_grows_between_two_passes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n")
    source = open_table(path)
    assert source.rows == 1
    write(tmp_path, "a,b\n1,2\n3,4\n")
    assert "had 1 rows at first and 2 now" in refusal(lambda: read(source))


@pytest.mark.parametrize(
    "values, found",
    [
        ([1.0, None], "NaN"),
        ([1.0, float("nan")], "NaN"),
        ([1.0, float("-inf")], "infinity"),
        ([1, 2**41], "beyond 2^40"),
    ],
)
def test_a_bad_parquet_cell_is_named_by_row_and_column(tmp_path: Path, values: list, found: str) -> None:
    message = refused_file(parquet(tmp_path, {"a": [1, 2], "b": values}))
    assert "t.parquet: row 2, column 'b': found" in message and found in message
    assert "2199023255552" not in message


@pytest.mark.parametrize(
    "values, found",
    [
        (pa.array(["x" + SECRET]), "text"),
        (pa.array([SECRET]).dictionary_encode(), "text"),
        (pa.array([[1.0]]), "text"),
        (pa.array([0], pa.date32()), "a date or time"),
        (pa.array([0], pa.timestamp("ms")), "a date or time"),
    ],
)
def test_a_parquet_column_that_holds_no_numbers_is_refused(tmp_path: Path, values: pa.Array, found: str) -> None:
    assert f"column 'a' holds {found}" in refused_file(parquet(tmp_path, {"a": values}))


@pytest.mark.parametrize("cut", [0, 100, -1, -200])
def test_a_broken_parquet_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = parquet(tmp_path, {"a": np.arange(1000.0)})
    path.write_bytes(path.read_bytes()[:cut])
    assert "t.parquet: is" in refused_file(path)


def test_a_parquet_file_with_broken_pages_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"a": np.random.default_rng(0).standard_normal(1000)})
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    assert "not a readable Parquet file" in refused_file(path)


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    assert "has no data row" in refused_file(parquet(tmp_path, {"a": pa.array([], pa.float64())}))


@pytest.mark.parametrize("content", [b"junk", b"\x93NUMPY junk", b"PK\x03\x04junk"])
@pytest.mark.parametrize("name", ["t.npy", "t.npz"])
def test_a_broken_numpy_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    assert "not a readable numpy file" in refused_file(write(tmp_path, content, name))


def test_a_numpy_file_of_objects_is_refused_unread(tmp_path: Path) -> None:
    objects = np.array([[1, "x"]], dtype=object)
    np.save(tmp_path / "t.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "t.npz", x=objects, allow_pickle=True)
    for name in ("t.npy", "t.npz"):
        assert "not a readable numpy file" in refused_file(tmp_path / name)


def test_the_index_of_pandas_is_no_matter_where_other_columns_were_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "Unnamed: 0,a\n0,7\n")
    assert read(open_table(path, columns=["a"])).tolist() == [[7.0]]
