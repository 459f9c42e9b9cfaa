"""A bad cell of a CSV file is named by row, line and column, and never repeated."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from mpcfl.data.reading import open_table
from mpcfl.errors import DataError
from tests.data.files import SECRET, read, refused_file, write

CELLS = [
    (f"x{SECRET}", "text"), ("4711,8", "a number with"), ("4_711", "a number with"),
    ("0x10", "text"), ("2024-01-31", "a date"),
    ("", "an empty cell"), ("NA", "NaN"), ("NaN", "NaN"), ("null", "NaN"), ("   ", "a cell of blanks"),
    ("inf", "infinity"), ("-Infinity", "infinity"),
    ("1e300", "a number beyond 2^40"), ("-1e13", "a number beyond 2^40"), ("1e400", "infinity"),
]  # fmt: skip


@pytest.mark.parametrize("cell, found", CELLS)
@pytest.mark.parametrize("row", [1, 2, 3])
def test_a_bad_csv_cell_is_named_by_row_and_column(tmp_path: Path, cell: str, found: str, row: int) -> None:
    lines = [f"{SECRET},1,2"] * 3
    lines[row - 1] = f'{SECRET},"{cell}",2'
    message = refused_file(write(tmp_path, "id,age,y\n" + "\n".join(lines) + "\n"))
    assert f"north.csv: row {row} (line {row + 1}), column 'age': found {found}" in message or (
        # A number that float64 has no room for is infinite to one parser and large to the other.
        cell == "1e400" and f"row {row} (line {row + 1}), column 'age': found a number beyond 2^40" in message
    )
    assert cell.strip() in ("", "NaN", "inf") or cell not in message.split("hint:")[0]


def test_text_far_below_the_first_block_is_named_by_row(tmp_path: Path) -> None:
    lines = ["1,22222222222,3.25"] * 1_000_000  # 18 MB: the fault is in the third block
    lines[899_999] = f"1,x{SECRET},3"
    message = refused_file(write(tmp_path, "a,b,c\n" + "\n".join(lines) + "\n"))
    assert "row 900000 (line 900001), column 'b': found text" in message


def test_the_first_bad_row_is_named_where_there_are_several(tmp_path: Path) -> None:
    message = refused_file(write(tmp_path, "a,b\n1,2\n3,\nx,4\n"))
    assert "row 2 (line 3), column 'b': found an empty cell" in message


def test_a_line_number_counts_what_an_editor_counts(tmp_path: Path) -> None:
    path = write(tmp_path, 'note,a\n\n"two\nlines",1\nx,oops\n')
    assert "row 2 (line 5), column 'a'" in refused_file(path, columns=["a"])


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    message = refused_file(write(tmp_path, b"a,b\n1,2\n3,4\xff\n"))
    assert "row 2 (line 3), column 'b': found bytes that are not UTF-8" in message


def test_an_empty_line_in_a_file_of_one_column_is_a_missing_cell(tmp_path: Path) -> None:
    """Skipped, it would move all rows below it up by one: in a vertical partition that is another patient's row."""
    message = refused_file(write(tmp_path, "a\n1\n\n3\n"))
    assert "row 2 (line 3), column 'a': found an empty cell" in message and "an empty line of a file of one" in message


@pytest.mark.parametrize("line, cells", [("3", "1 cell"), (f"3,4,{SECRET}", "3 cells")])
@pytest.mark.parametrize("far", [False, True])
def test_a_ragged_row_is_named(tmp_path: Path, line: str, cells: str, far: bool) -> None:
    before = ["1,2.2222222222222"] * (600_000 if far else 1)
    message = refused_file(write(tmp_path, "\n".join(["a,b", *before, line, "5,6"])))
    row = len(before) + 1
    assert f"row {row} (line {row + 1}): has {cells}, the header has 2" in message


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    message = refused_file(write(tmp_path, 'a,b\n1,2\n3,"4\n' + f"{SECRET},6\n" * 200_000))
    assert "north.csv" in message and "row 2" in message


def test_a_column_of_dates_is_refused_with_what_to_do(tmp_path: Path) -> None:
    message = refused_file(write(tmp_path, "born,y\n2001-02-03,1\n2001-02-04,2\n"))
    assert "row 1 (line 2), column 'born': found a date" in message and "days since" in message


def test_true_and_false_among_numbers_are_refused(tmp_path: Path) -> None:
    assert "column 'a'" in refused_file(write(tmp_path, "a,y\ntrue,1\n0.5,2\n"))


def test_python_and_arrow_agree_on_what_a_number_is(tmp_path: Path) -> None:
    """The scan that explains a refusal must not blame a cell that the reader accepts, nor accept what it refuses."""
    forms = [
        "1",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1.",
        ".5",
        "1e5",
        "1E+5",
        "1_0",
        "0x1",
        "1d5",
        "1e",
        "--1",
        "1f",
        "1e 5",
        "-",
        "1e-400",
    ]
    assert forms_read(tmp_path, forms) == forms_not_blamed(tmp_path, forms)


def forms_read(folder: Path, forms: Iterable[str]) -> set[str]:
    accepted = set()
    for form in forms:
        try:
            read(open_table(write(folder, f'a,b\n"{form}",1\n')))
        except DataError:
            continue
        accepted.add(form)
    return accepted


def forms_not_blamed(folder: Path, forms: Iterable[str]) -> set[str]:
    """Each form stands above a row that is surely bad; whichever of the two is named was not understood."""
    passed = set()
    for form in forms:
        message = refused_file(write(folder, f'a,b\n"{form}",1\nx,1\n'))
        if "row 2" in message:
            passed.add(form)
    return passed


@pytest.mark.parametrize(
    "cell, found, todo",
    [
        ("1,234.5", "a number with other signs in it", "no separator of thousands"),
        ("1.234.567,8", "a number with other signs in it", "a decimal point"),
        ("1\u00a0234", "a number with other signs in it", "no separator of thousands"),
        ("€ 50", "a number with other signs in it", "no unit"),
        ("<5", "a number with other signs in it", "no unit"),
        ("31.01.2024", "a date or time", "days since"),
        ("1/31/2024 12:00", "a date or time", "days since"),
        ("-", "a sign that stands for no number", "leave the cell empty"),
        ("  ", "a cell of blanks", "leave the cell empty"),
        ("#DIV/0!", "a sign that stands for no number", "empty"),
        ("yes", "text", "one 0/1 column"),
        ("1024-1", "text", "one 0/1 column"),
        ("9007199254740993", "a number beyond 2^40", "an identifier is no feature"),
    ],
)
def test_a_cell_that_people_write_so_is_refused_with_how_to_write_it(
    tmp_path: Path, cell: str, found: str, todo: str
) -> None:
    message = refused_file(write(tmp_path, f'a,y\n"{cell}",1\n2,3\n'))
    what, hint = message.split("\n  hint: ")
    assert f"column 'a': found {found}" in what and todo in hint


def test_a_row_over_several_lines_is_blamed_on_its_quote(tmp_path: Path) -> None:
    assert "a quote that is not closed" in refused_file(write(tmp_path, 'a,b\n"1,2\n3,4\n5,6\n'))


def test_a_title_above_the_header_is_taken_for_it_and_the_hint_says_so(tmp_path: Path) -> None:
    assert "must be the header" in refused_file(write(tmp_path, "our patients\na,b\n1,2\n"))
