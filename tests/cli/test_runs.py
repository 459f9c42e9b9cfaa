"""Whole runs by the commands of the README, each once, and what they leave behind."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import mpcfl
from mpcfl.cli.main import main
from mpcfl.errors import DataError
from tests.cli.jobs import tables
from tests.cli.parties import FEATURES, OWNERS, TABLE, train, write_csv, write_job, write_tables

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}  # as torchrun would set it, with a remark
FILES = ["card.json", "ledger.json", "model.safetensors", "report.html", "report.json"]
WANTED = LinearRegression().fit(TABLE[:, :-1], TABLE[:, -1])
KEYS = """model partition rows columns parties compute_parties rounds_online rounds_per_iteration bytes_online
bytes_offline seconds error revealed""".split()


def command(*words: object, cwd: Path) -> str:
    """Standard output of a command that succeeds and has nothing to complain about."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *map(str, words)],
        cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def check_model(folder: Path, *, relative: float = 1e-5) -> None:
    assert sorted(os.listdir(folder)) == FILES
    model = load_file(folder / "model.safetensors")
    assert model["coef"].dtype == np.float64 and model["intercept"].dtype == np.float64
    assert np.linalg.norm(model["coef"] - WANTED.coef_) < relative * np.linalg.norm(WANTED.coef_)
    assert abs(float(model["intercept"][0]) - WANTED.intercept_) < 1e-4 * abs(WANTED.intercept_)


def read(folder: Path, name: str = "report.json") -> Any:
    return json.loads((folder / name).read_text())


# ---- mpcfl demo ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of `mpcfl demo` and what it printed."""
    place = tmp_path_factory.mktemp("demo")
    said = command("mpcfl", "demo", cwd=place)
    return place / "mpcfl-demo", said


TRANSCRIPT = r"""442 patients split over north, south and east: mpcfl-demo/\*.csv, mpcfl-demo/job.toml

diabetes: linear regression of progression on 10 columns and 442 rows

column +secure +plaintext +difference
(?:[a-z0-9]+ +-?[\d.]+ +-?[\d.]+ +-?[\d.e-]+\n){10}\(intercept\) +-334.56\d +-334.567 +-?[\d.e-]+

The weights are within [\d.]+e-0[5-8] \(relative\) of plaintext training on the pooled
  tables; the largest difference is [\d.e-]+.
Cost: 50 rounds, 131 kB online, \d+ kB offline, [\d.]+ s, plaintext [\d.]+ m?s.
Revealed: weights, guard: the solution was reached and guard: each column
  varies, to north, south and east.
written\s+to\s+\S+/mpcfl-demo/run-1:
  model.safetensors, card.json, ledger.json, report.json and report.html
"""


def test_the_demo_reads_as_the_manual_says(demo: tuple[Path, str]) -> None:
    assert re.fullmatch(TRANSCRIPT, demo[1]), demo[1]


def test_the_demo_leaves_data_job_and_run(demo: tuple[Path, str]) -> None:
    assert sorted(os.listdir(demo[0])) == ["east.csv", "job.toml", "north.csv", "run-1", "south.csv"]
    check_model(demo[0] / "run-1")


def test_the_report_has_what_it_must_have(demo: tuple[Path, str]) -> None:
    report = read(demo[0] / "run-1")
    assert set(KEYS) <= set(report)
    assert (report["model"], report["partition"], report["rows"], report["columns"]) == (
        "linear",
        "horizontal",
        442,
        10,
    )
    assert report["parties"] == list(OWNERS) and report["compute_parties"] == ["north", "south"]
    assert report["rounds_online"] == 50 and report["rounds_per_iteration"] == 2
    assert set(report["bytes_online"]) == set(report["bytes_offline"]) == set(OWNERS)
    assert all(isinstance(size, int) for size in report["bytes_online"].values())
    assert {"offline", "online", "local", "plaintext"} <= set(report["seconds"])
    assert report["error"]["relative"] < 1e-5 and report["error"]["max_abs"] < 1e-3
    assert report["revealed"] == ["weights", "guard: the solution was reached", "guard: each column varies"]
    assert [entry["what"] for entry in read(demo[0] / "run-1", "ledger.json")] == report["revealed"]


def test_the_demo_split_is_the_whole_table(demo: tuple[Path, str]) -> None:
    rows = [np.loadtxt(demo[0] / f"{name}.csv", delimiter=",", skiprows=1) for name in OWNERS]
    assert np.allclose(np.concatenate(rows), TABLE, rtol=1e-9)


def test_the_plan_is_what_the_run_cost(demo: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(demo[0] / "job.toml")]) == 0
    same_as_run(capsys.readouterr().out, read(demo[0] / "run-1"))


def same_as_run(plan: str, report: dict[str, Any]) -> None:
    """Rounds, bytes and messages of each party, and the bytes of each protocol of the first."""
    assert f"online rounds {report['rounds_online']};" in plan
    assert f"{report['headroom_bits']:.1f} bits to spare" in plan
    assert plan.rstrip().endswith(f"must have alike: {report['digest'][:16]}")
    parties = re.findall(r"^ +\d+  (\w+) .* ([\d,]+) +(\d+) +([\d,]+)$", plan, re.MULTILINE)
    number = [(name, *(int(word.replace(",", "")) for word in words)) for name, *words in parties]
    assert number == [
        (name, report["bytes_online"][name], report["messages_online"][name], report["bytes_offline"][name])
        for name in report["parties"]
    ]
    table = plan.split("\nprotocol ")[1].split("\n\n")[0].splitlines()[1:]
    rows = [re.fullmatch(r"(.+?) +(\d+) +([\d,]+)", line) for line in table]
    first = report["costs"][report["parties"][0]]["online"]
    assert {row[1]: (int(row[2]), int(row[3].replace(",", ""))) for row in rows if row} == {
        name: (cost["rounds"], cost["bytes"]) for name, cost in first.items()
    }


def test_a_plan_where_others_have_the_tables_says_how_it_is_made(
    demo: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("job.toml", "north.csv"):
        (tmp_path / name).write_bytes((demo[0] / name).read_bytes())
    assert main(["plan", str(tmp_path / "job.toml")]) == DataError.exit_code
    message = capsys.readouterr().err
    assert "south.csv: the table of south is not here" in message and "--rows ROWS --columns FEATURES" in message


def test_a_plan_without_data_needs_counts_only(demo: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes do not depend on the rows, so the plan for others is the same."""
    plans = []
    for rows in ("442", "1000000"):
        assert main(["plan", str(demo[0] / "job.toml"), "--rows", rows, "--columns", "10"]) == 0
        plans.append(capsys.readouterr().out.splitlines()[2:])
    assert plans[0] == plans[1]
    same_as_run("\n".join(plans[0]), read(demo[0] / "run-1"))


# ---- mpcfl predict ---------------------------------------------------------------------------------------------------


def test_predictions_are_those_of_the_pooled_model(demo: tuple[Path, str], tmp_path: Path) -> None:
    out = tmp_path / "predictions.csv"
    assert main(["predict", str(demo[0] / "run-1"), str(demo[0] / "east.csv"), "--out", str(out)]) == 0
    head, *lines = out.read_text().splitlines()
    rows = np.array_split(load_diabetes(scaled=False).data, 3)[2]
    assert head == "prediction"
    assert np.allclose(np.array(lines, dtype=float), WANTED.predict(rows), rtol=0, atol=0.01)


# ---- torchrun --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torchrun(demo: tuple[Path, str]) -> tuple[Path, str]:
    """The run folder of the README's line and what was printed; other seeds than the demo's run, same data."""
    said = command(
        "torch.distributed.run", "--standalone", "--nproc-per-node", "3", "-m", "mpcfl",
        "train", "job.toml", "--out", "run", cwd=demo[0],
    )  # fmt: skip
    return demo[0] / "run", said


def test_three_processes_under_torchrun_write_one_run(torchrun: tuple[Path, str]) -> None:
    check_model(torchrun[0])
    assert torchrun[1].count("Cost: 50 rounds, 131 kB online") == 1
    assert torchrun[1].count("written to") == 1


def test_where_the_data_are_not_local_there_is_no_plaintext(torchrun: tuple[Path, str]) -> None:
    """No process of a real run has all tables, so there is nothing to compare with."""
    report = read(torchrun[0])
    assert "error" not in report and "plaintext" not in report and "plaintext" not in report["seconds"]
    assert set(KEYS) - {"error"} <= set(report)


def test_torchrun_costs_what_the_simulation_cost(torchrun: tuple[Path, str], demo: tuple[Path, str]) -> None:
    assert read(torchrun[0])["costs"].keys() == read(demo[0] / "run-1")["costs"].keys()
    for name, phases in read(torchrun[0])["costs"].items():
        for phase in ("online", "offline"):
            assert phases.get(phase) == read(demo[0] / "run-1")["costs"][name].get(phase)


def test_no_run_has_the_rows_in_it(torchrun: tuple[Path, str]) -> None:
    """Cells of the tables, as text: none of the longer ones may be found in what leaves a run."""
    cells = {f"{value:.10g}" for value in TABLE[:, [2, 4, 8]].ravel()}
    cells = {cell for cell in cells if len(cell) >= 6}
    assert len(cells) > 50
    for name in ("card.json", "ledger.json", "report.json", "report.html"):
        content = (torchrun[0] / name).read_text()
        found = {cell for cell in cells if re.search(rf"(?<![\d.]){re.escape(cell)}(?![\d])", content)}
        assert not found


# ---- other ways to start, other jobs ---------------------------------------------------------------------------------


def test_each_party_by_its_name(tmp_path: Path) -> None:
    """Without torchrun: MASTER_ADDR, MASTER_PORT and --party. Only `north` asks for a folder here."""
    write_tables(tmp_path)
    ended = train(write_job(tmp_path, tables(reveal__to=["north"])), by_name=True, out=tmp_path / "run")
    assert [party.code for party in ended.values()] == [0, 0, 0], ended
    assert "written to" in ended["north"].out
    assert ended["south"].out == ended["east"].out == ""
    assert ended["south"].err == ended["east"].err == "mpcfl: done: the result is for north\n"
    check_model(tmp_path / "run")
    assert all(entry["to"] == ["north"] for entry in read(tmp_path / "run", "ledger.json"))


def test_a_name_that_is_no_party(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    assert main(["train", str(write_job(tmp_path, tables())), "--party", "nroth"]) == 2
    assert "no such party in the job" in capsys.readouterr().err


JOBS: dict[str, dict[str, Any]] = {
    "vertical, held-out rows, standard errors": {
        "job__partition": "vertical",
        "evaluate__test_fraction": 0.2,
        "evaluate__metrics": ["r2", "mse"],
        "model__standard_errors": True,
    },
    "gradient": {
        "solver__name": "gradient",
        "solver__learning_rate": 0.01,
        "solver__iterations": 10,
        "solver__init": "random",
        "model__fit_intercept": False,
        "evaluate__test_fraction": 0.2,
        "evaluate__metrics": ["r2", "mse"],
    },
    "plaintext wires, an owner who neither computes nor deals": {
        "network__encrypt": False,
        "parties__east__roles": ["dealer"],
        "parties__east__data": None,
        "parties__west__data": "east.csv",
        "parties__west__roles": ["data"],
    },
}


@pytest.mark.parametrize("name", JOBS)
def test_other_jobs_cost_what_their_plans_say(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = JOBS[name]
    rows = (TABLE - TABLE.mean(axis=0)) / TABLE.std(axis=0)
    if changes.get("job__partition") == "vertical":
        names = (*FEATURES, "y")
        for party, part in zip(OWNERS, np.array_split(np.arange(11), 3), strict=True):
            write_csv(tmp_path / f"{party}.csv", rows[:, part], [names[j] for j in part])
    else:
        for party, part in zip(OWNERS, np.array_split(rows, 3), strict=True):
            write_csv(tmp_path / f"{party}.csv", part)
    names = (*OWNERS, "west") if "parties__west__data" in changes else OWNERS
    job = write_job(tmp_path, tables(**changes))
    ended = train(job, names=names, out=tmp_path / "run")
    assert [party.code for party in ended.values()] == [0] * len(names), ended
    report = read(tmp_path / "run")
    assert main(["plan", str(job)]) == 0
    same_as_run(capsys.readouterr().out, report)
    if name == "gradient":
        assert report["revealed"] == ["weights", "r2", "mse"] and report["metrics"]["mse"] > 0
    if name.startswith("vertical"):
        assert 0.3 < report["metrics"]["r2"] < 0.6 and len(report["inference"]["standard_errors"]) == 10


# ---- the end of a run ------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 16 KiB, where the start of a run finds nothing to object to."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_at_the_end_costs_no_model(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is kept where the message says, `mpcfl predict` takes it from there, and nothing else is left."""
    folder = tmp_path / "data"
    write_tables(folder)
    monkeypatch.chdir(folder)
    ended = train(write_job(folder, tables(reveal__to=["south"])), out=small_disk / "run")
    assert (ended["north"].code, ended["south"].code, ended["east"].code) == (0, 9, 0)
    assert "No space left on device" in ended["south"].err
    kept = re.search(r"The model is kept: (\S+)$", ended["south"].err, re.MULTILINE)
    assert kept
    try:
        model = mpcfl.load_model(kept[1])
        assert np.linalg.norm(model.coef - WANTED.coef_) < 1e-5 * np.linalg.norm(WANTED.coef_)
        assert main(["predict", kept[1], str(folder / "east.csv"), "--out", str(folder / "out.csv")]) == 0
    finally:
        Path(kept[1]).unlink()
    assert list(small_disk.iterdir()) == []


def test_every_name_of_the_package_loads() -> None:
    for name in mpcfl.__all__:
        assert getattr(mpcfl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'decrypt'"):
        mpcfl.decrypt  # noqa: B018 - the access is the test
