"""Bad input, each through the command: the exit code of `mpcfl.errors`, a message that names what is wrong, no output.

What one process can see before any other starts is tried with `mpcfl simulate`, what the parties must find out together
with `mpcfl train`, a process for each.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpcfl.cli.main import main
from mpcfl.errors import AgreementError, DataError, GuardError, JobError, MpcflError, PartyError
from tests.cli.jobs import tables
from tests.cli.parties import FEATURES, OWNERS, TABLE, train, write_csv, write_job, write_tables
from tests.cli.simulating import forked_parties

NAMES = (*FEATURES, "y")
SOUTH = TABLE[147:294]
Change = Callable[[Path], object]


def changed(column: str, row: int, text: str) -> Change:
    """One cell of south's table, in the data row counted from 1."""

    def change(folder: Path) -> None:
        path = folder / "south.csv"
        lines = path.read_text().splitlines()
        cells = lines[row].split(",")
        cells[NAMES.index(column)] = text
        lines[row] = ",".join(cells)
        path.write_text("\n".join(lines) + "\n")

    return change


def south(rows: np.ndarray, names: tuple[str, ...] = NAMES) -> Change:
    return lambda folder: write_csv(folder / "south.csv", rows, names)


def text(content: str) -> Change:
    return lambda folder: (folder / "south.csv").write_text(content)


ONE_ROW_EACH = {name: TABLE[k : k + 1] for k, name in enumerate(OWNERS)}
FOUR_ROWS_EACH = {name: TABLE[3 * k : 3 * k + 3] for k, name in enumerate(OWNERS)}


def all_of(rows: dict[str, np.ndarray]) -> Change:
    return lambda folder: [write_csv(folder / f"{name}.csv", part) for name, part in rows.items()]


BAD_TABLES: dict[str, tuple[Change, type[MpcflError], list[str]]] = {
    "empty file": (text(""), DataError, ["south.csv", "empty"]),
    "only a header": (text(",".join(NAMES) + "\n"), DataError, ["south.csv", "has no data row"]),
    "no header": (
        lambda folder: (folder / "south.csv").write_text(
            "\n".join((folder / "south.csv").read_text().splitlines()[1:]) + "\n"
        ),
        DataError,
        ["south.csv", "header"],
    ),
    "a column that others lack": (
        south(np.c_[SOUTH, SOUTH[:, 0]], (*NAMES, "smoker")),
        AgreementError,
        ["south", "smoker", "north"],
    ),
    "a column too few": (south(SOUTH[:, 1:], NAMES[1:]), AgreementError, ["south", "age"]),
    "other order": (south(SOUTH[:, ::-1], NAMES[::-1]), AgreementError, ["south", "order", "y"]),
    "text in a numeric column": (changed("bmi", 5, "high"), DataError, ["south.csv", "line 6", "'bmi'", "text"]),
    "a missing cell": (changed("s3", 7, ""), DataError, ["south.csv", "line 8", "'s3'", "empty cell"]),
    "NaN": (changed("bp", 2, "nan"), DataError, ["south.csv", "'bp'", "NaN"]),
    "infinity": (changed("bp", 147, "inf"), DataError, ["south.csv", "'bp'", "infinity"]),
    "1e300": (changed("s6", 3, "1e300"), DataError, ["south.csv", "'s6'", "2^40"]),
    "target missing": (south(SOUTH[:, :-1], NAMES[:-1]), AgreementError, ["south lacks column 'y'"]),
    "one row each": (all_of(ONE_ROW_EACH), DataError, ["10 columns", "at least 11 rows", "there are 3"]),
    "more columns than rows": (all_of(FOUR_ROWS_EACH), DataError, ["at least 11 rows", "there are 9"]),
    "unreadable path": (lambda folder: (folder / "south.csv").unlink(), DataError, ["south.csv", "No such file"]),
    "a folder": (
        lambda folder: [(folder / "south.csv").unlink(), (folder / "south.csv").mkdir()],
        DataError,
        ["south.csv", "s a"],
    ),
}

BAD_JOBS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": ({"job__targte": "y"}, ["[job]", "'targte'", "did you mean 'target'?"]),
    "unknown section": ({"sovler__steps": 4}, ["'sovler'", "did you mean 'solver'?"]),
    "dealer that computes": (
        {"parties__south__roles": ["data", "compute", "dealer"], "parties__east__roles": ["data"]},
        ["[parties.south]", "the dealer must not compute"],
    ),
    "no dealer": ({"parties__east__roles": ["data"]}, ["no party deals"]),
    "one compute party": ({"parties__south__roles": ["data"]}, ["1 party computes, two are needed"]),
    "steps": ({"solver__steps": 1000}, ["[solver] steps", "power of two"]),
}


def simulate(job: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """(exit code, message) of `mpcfl simulate JOB --out run`; nothing must be left behind."""
    before = sorted(os.listdir(job.parent))
    code = main(["simulate", str(job), "--out", str(job.parent / "run")])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sorted(os.listdir(job.parent)) == before
    return code, captured.err


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forked_parties(monkeypatch)
    change, error, words = BAD_TABLES[name]
    write_tables(tmp_path)
    change(tmp_path)
    job = write_job(tmp_path, tables())
    code, message = simulate(job, capsys)
    assert code == error.exit_code, message
    assert message.startswith("mpcfl: ") and all(word in message for word in words), message
    assert "Traceback" not in message


@pytest.mark.parametrize("name", BAD_JOBS)
def test_a_bad_job(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, words = BAD_JOBS[name]
    write_tables(tmp_path)
    code, message = simulate(write_job(tmp_path, tables(**change)), capsys)
    assert code == JobError.exit_code
    assert all(word in message for word in ["job.toml", *words]), message


@pytest.mark.parametrize("solver", [{}, {"name": "admm"}])
def test_a_solver_that_the_model_has_not(
    solver: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("mpcfl.cli.simulate.subprocess")  # no party is started for it
    write_tables(tmp_path)
    code, message = simulate(write_job(tmp_path, tables(job__model="logistic", solver=solver)), capsys)
    assert code == JobError.exit_code
    assert '[solver] name = "gradient", "fixed_hessian" or "newton"' in message


def test_a_column_that_is_to_be_imputed_and_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    code, message = simulate(write_job(tmp_path, tables(data__impute={"agee": 40.0})), capsys)
    assert code == DataError.exit_code
    assert "[data] impute: " in message and "north.csv has no column 'agee'" in message and "'age'?" in message


def test_a_target_that_nobody_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    code, message = simulate(write_job(tmp_path, tables(job__target="Y")), capsys)
    assert code in (DataError.exit_code, AgreementError.exit_code)
    assert "'Y'" in message and "column" in message


def test_a_party_named_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """TOML itself allows a table once only; the line is named."""
    job = write_job(tmp_path, tables())
    job.write_text(job.read_text() + '[parties.north]\ndata = "more.csv"\nroles = ["data"]\n')
    code, message = simulate(job, capsys)
    assert code == JobError.exit_code and "'north' appears twice" in message


def test_a_job_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = simulate(tmp_path / "none.toml", capsys)
    assert code == JobError.exit_code and "none.toml: cannot be read" in message


def test_a_run_never_writes_over_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    job = write_job(tmp_path, tables())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_text("precious")
    code, message = simulate(job, capsys)
    assert code == JobError.exit_code and "is not empty" in message
    assert (tmp_path / "run" / "model.safetensors").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    (tmp_path / "south.csv").chmod(0)
    code, message = simulate(write_job(tmp_path, tables()), capsys)
    assert code == DataError.exit_code and "south.csv" in message and "Permission denied" in message


# ---- what the parties find out together ------------------------------------------------------------------------------


def test_the_failing_party_says_what_is_wrong_and_the_others_that_it_stopped(tmp_path: Path) -> None:
    write_tables(tmp_path)
    changed("bmi", 5, "nan")(tmp_path)
    ended = train(write_job(tmp_path, tables(job__timeout=10.0)), out=tmp_path / "run")
    assert ended["south"].code == DataError.exit_code
    assert "south.csv" in ended["south"].err and "'bmi'" in ended["south"].err
    for name in ("north", "east"):
        assert ended[name].code == PartyError.exit_code
        assert "south stopped" in ended[name].err and "see south's own output" in ended[name].err
        # what is in south's table is no business of the others
        assert "bmi" not in ended[name].err and "nan" not in ended[name].err.lower()
    assert not (tmp_path / "run").exists()


def test_schemas_that_differ_are_named_at_every_party(tmp_path: Path) -> None:
    write_tables(tmp_path)
    south(SOUTH[:, ::-1], NAMES[::-1])(tmp_path)
    ended = train(write_job(tmp_path, tables(job__timeout=10.0)), out=tmp_path / "run")
    for party in ended.values():
        assert party.code == AgreementError.exit_code
        assert "south" in party.err and "order" in party.err
    assert not (tmp_path / "run").exists()


def test_a_constant_column_of_a_horizontal_table_is_named_at_every_party(tmp_path: Path) -> None:
    """Each owner's may be constant; that all together are is learnt from the guard."""
    rows = TABLE.copy()
    rows[:, 3] = 7.0
    for name, part in zip(OWNERS, np.array_split(rows, 3), strict=True):
        write_csv(tmp_path / f"{name}.csv", part)
    ended = train(write_job(tmp_path, tables(job__timeout=10.0)), out=tmp_path / "run")
    for party in ended.values():
        assert party.code == GuardError.exit_code
        assert "column 'bp' is constant" in party.err
        assert not re.search(r"\b7(\.0)?\b", party.err)
    assert not (tmp_path / "run").exists()


def test_a_constant_column_of_a_vertical_table_is_named_by_its_owner_alone(tmp_path: Path) -> None:
    rows = TABLE.copy()
    rows[:, 3] = 7.0
    for name, columns in {"north": slice(0, 4), "south": slice(4, 8), "east": slice(8, 11)}.items():
        write_csv(tmp_path / f"{name}.csv", rows[:, columns], NAMES[columns])
    ended = train(write_job(tmp_path, tables(job__timeout=10.0, job__partition="vertical")), out=tmp_path / "run")
    assert ended["north"].code == DataError.exit_code and "column 'bp' is constant" in ended["north"].err
    for name in ("south", "east"):
        assert ended[name].code == PartyError.exit_code and "north stopped" in ended[name].err
    assert not (tmp_path / "run").exists()


def test_two_parties_with_different_jobs(tmp_path: Path) -> None:
    write_tables(tmp_path)
    one = write_job(tmp_path, tables(job__timeout=10.0))
    other = write_job(tmp_path, tables(job__timeout=10.0, solver__steps=1024), "other.toml")
    ended = train({"north": one, "south": other, "east": one}, out=tmp_path / "run")
    codes = {name: party.code for name, party in ended.items()}
    assert AgreementError.exit_code in codes.values()
    assert set(codes.values()) <= {AgreementError.exit_code, PartyError.exit_code}
    assert "do not run the same job" in ended["south"].err
    assert all("south" in party.err for party in ended.values())
    assert not (tmp_path / "run").exists()


def test_local_paths_may_differ(tmp_path: Path) -> None:
    write_tables(tmp_path)
    one = write_job(tmp_path, tables(job__timeout=10.0))
    (tmp_path / "elsewhere.csv").write_text((tmp_path / "south.csv").read_text())
    other = write_job(tmp_path, tables(job__timeout=10.0, parties__south__data="elsewhere.csv"), "other.toml")
    ended = train({"north": one, "south": other, "east": one})
    assert [party.code for party in ended.values()] == [0, 0, 0], ended


def test_the_wrong_number_of_processes(tmp_path: Path) -> None:
    write_tables(tmp_path)
    ended = train(write_job(tmp_path, tables(job__timeout=10.0)), world_size=4, out=tmp_path / "run")
    for party in ended.values():
        assert party.code == JobError.exit_code
        assert "4 processes were started for a job of 3 parties (north, south, east)" in party.err
    assert not (tmp_path / "run").exists()


def test_a_guard_that_trips_writes_nothing(tmp_path: Path) -> None:
    write_tables(tmp_path)
    ended = train(write_job(tmp_path, tables(job__timeout=10.0, solver__steps=16)), out=tmp_path / "run")
    for party in ended.values():
        assert party.code == GuardError.exit_code and "[solver] steps = 1048576" in party.err
    assert not (tmp_path / "run").exists()
