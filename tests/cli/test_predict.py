"""`mpcfl predict`: a model applied to a table, and nothing half-written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mpcfl.cli.predict import predict_command
from mpcfl.errors import DataError, JobError, OutputError
from mpcfl.report.output import write_run
from tests.report.example import COEF, FEATURES, example

X = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [-1.5, 0.0, 1e-3, 1e6, 0.1]])
Y = X @ COEF + 150.0000001


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("predict") / "run"
    write_run(folder, example())
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Other order, a column of text, and the target."""
    lines = [",".join(["name", "y", *reversed(FEATURES)])]
    lines += [",".join(["Ann", "0", *map(repr, reversed(row))]) for row in X.tolist()]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def read(text: str) -> np.ndarray:
    head, *values = text.splitlines()
    assert head == "prediction"
    return np.array([float(value) for value in values])


def test_one_prediction_a_row_on_standard_output(run: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict_command(run, table) == 0
    assert np.allclose(read(capsys.readouterr().out), Y, rtol=1e-15)


def test_a_file_is_replaced_as_a_whole(run: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")
    assert predict_command(run, table, out) == 0
    assert np.allclose(read(out.read_text()), Y, rtol=1e-15)
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "table.csv"]


def test_a_bad_row_leaves_the_old_file_and_prints_nothing(
    run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(table.read_text() + "Bob,0,1,2,oops,4,5\n")
    out = tmp_path / "out.csv"
    out.write_text("old")
    for path in (out, None):
        with pytest.raises(DataError, match="row 3 .*column 'height': found text"):
            predict_command(run, table, path)
    assert out.read_text() == "old" and capsys.readouterr().out == ""
    assert sorted(os.listdir(tmp_path)) == ["out.csv", "table.csv"]


def test_a_missing_column_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,dose,height,income\n1,2,3,4\n")
    with pytest.raises(DataError, match="'weight'"):
        predict_command(run, tmp_path / "t.csv")


def test_the_table_is_not_written_over(run: Path, table: Path) -> None:
    before = table.read_bytes()
    with pytest.raises(JobError, match="is the table itself"):
        predict_command(run, table, table.parent / ".." / table.parent.name / table.name)
    assert table.read_bytes() == before


@pytest.mark.parametrize("out, said", [(".", "is a folder"), ("gone/out.csv", "there is no folder")])
def test_an_impossible_place_is_refused(run: Path, table: Path, out: str, said: str) -> None:
    with pytest.raises(JobError, match=said):
        predict_command(run, table, table.parent / out)


PROGRAM = """
import sys
from mpcfl.cli.predict import predict_command
from mpcfl.errors import MpcflError
try:
    sys.exit(predict_command(*sys.argv[1:]))
except MpcflError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named(run: Path, table: Path) -> None:
    with pytest.raises(OutputError, match="/dev/full: cannot be written: No space left"):
        predict_command(run, table, "/dev/full")
    assert Path("/dev/full").is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_named_once(run: Path, table: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(run), str(table)]
    with open("/dev/full", "wb", buffering=0) as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == OutputError.exit_code
    assert done.stderr == (
        "standard output: cannot be written: No space left on device\n  hint: write to a file with --out\n"
    )


def test_a_reader_that_stops_early_is_no_error(run: Path, tmp_path: Path) -> None:
    rows = "\n".join(["1,2,3,4,5"] * 60_000)
    (tmp_path / "t.csv").write_text(",".join(FEATURES) + "\n" + rows + "\n")
    command = [sys.executable, "-c", PROGRAM, str(run), str(tmp_path / "t.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "prediction\n"
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (0, "")
