"""Runs that are killed and started again, every party a process of `mpcfl train`: what is lost, what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import Lasso

from tests.cli.jobs import tables
from tests.cli.parties import Ended, Fault, train, write_csv, write_job
from tests.models.test_resume import LOGISTIC, tolerance

CANCER = load_breast_cancer()
ROWS = np.c_[(CANCER.data - CANCER.data.mean(axis=0)) / CANCER.data.std(axis=0), CANCER.target]
PARTIES = ("north", "south", "east", "west")  # two compute, east deals, west brings data only
NAMES = [*(f"x{i}" for i in range(30)), "y"]
# the job of tests/models/test_resume.py, where the distance that two runs may have is derived
JOB = {
    "job__model": "logistic",
    "job__timeout": 20.0,
    "solver": {"name": "gradient", "learning_rate": 0.5, "iterations": 12},
    "checkpoint": {"every": 4},
    "parties__west": {"data": "west.csv", "roles": ["data"]},
}


def prepare(folder: Path, **changes: Any) -> Path:
    for name, rows in zip(PARTIES, np.array_split(ROWS, 4), strict=True):
        write_csv(folder / f"{name}.csv", rows, NAMES)
    return write_job(folder, tables(**JOB | changes))


def weights(folder: Path) -> np.ndarray:
    model = load_file(folder / "model.safetensors")
    return np.append(model["coef"], model["intercept"])


def report(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report.json").read_text()))


def kill(job: Path, party: str, moment: str) -> dict[str, Ended]:
    """A run in which `party` gets SIGKILL at `moment`; the others end with an error and nothing is written."""
    out = job.parent / "run"
    ended = train(job, names=PARTIES, out=out, fault=Fault(party, moment, signal.SIGKILL, job.parent / "noted"))
    assert all(ended[name].code == 5 for name in PARTIES if name != party), ended
    assert not out.exists()
    return ended


def finish(job: Path) -> dict[str, Ended]:
    ended = train(job, names=PARTIES, out=job.parent / "run")
    assert [party.code for party in ended.values()] == [0, 0, 0, 0], ended
    return ended


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbs, and that keeps no checkpoints."""
    job = prepare(tmp_path_factory.mktemp("undisturbed"), checkpoint={})
    finish(job)
    assert not (job.parent / "checkpoints").exists() and not (job.parent / "keys").exists()
    return job.parent / "run"


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job of a run in which north was killed in iteration 7, with its checkpoints; tests use a copy."""
    job = prepare(tmp_path_factory.mktemp("cut-off"))
    kill(job, "north", "iteration 7")
    return job


def copy(job: Path, folder: Path, **changes: Any) -> Path:
    subprocess.run(["cp", "-rp", f"{job.parent}/.", folder], check=True)
    kept = {key: value for key, value in (JOB | changes).items() if value is not None}
    return write_job(folder, tables(**kept))


def test_each_compute_party_keeps_its_own_shares_for_itself(cut_off: Path) -> None:
    folder = cut_off.parent
    keys = {path.name: path.read_bytes() for path in (folder / "keys").iterdir()}
    assert sorted(keys) == ["east.key", "north.key", "south.key", "west.key"] and len({*keys.values()}) == 4
    assert sorted(os.listdir(folder / "checkpoints")) == ["north", "south"]
    for name in ("north", "south"):
        (path,) = (folder / "checkpoints" / name).iterdir()
        assert path.name == "000001-000000004.checkpoint" and path.stat().st_mode & 0o077 == 0
        assert f'"party":"{name}"'.encode() in path.read_bytes()


def test_killed_twice_and_started_again_a_run_ends_where_an_undisturbed_one_does(
    undisturbed: Path, cut_off: Path, tmp_path: Path
) -> None:
    """North is killed in iteration 7; then south, as it writes its first checkpoint of the second run. The tolerance
    is derived in tests/models/test_resume.py."""
    job = copy(cut_off, tmp_path)
    second = kill(job, "south", "a checkpoint is written")
    ended = finish(job)
    said = "mpcfl: resuming after iteration 4, from the checkpoints of an earlier run"
    assert said in second["north"].err and all(party.err.strip() == said for party in ended.values())
    assert "Resumed after iteration 4 of 12; the cost is that of the rest." in ended["north"].out
    apart = np.linalg.norm(weights(tmp_path / "run") - weights(undisturbed))
    assert 0 < apart < tolerance(LOGISTIC)
    assert report(tmp_path / "run")["resumed_after"] == 4
    assert report(undisturbed)["rounds_online"] - report(tmp_path / "run")["rounds_online"] == 4 * 4
    assert os.listdir(tmp_path / "checkpoints") == []  # all have the result
    assert len(os.listdir(tmp_path / "keys")) == 4


@pytest.mark.slow
@pytest.mark.parametrize("party", ["east", "west"])
def test_the_dealer_and_a_data_owner_may_be_killed_too(party: str, undisturbed: Path, tmp_path: Path) -> None:
    """They run ahead of the compute parties, which may not have got as far."""
    job = prepare(tmp_path)
    kill(job, party, "iteration 7")
    finish(job)
    assert np.linalg.norm(weights(tmp_path / "run") - weights(undisturbed)) < tolerance(LOGISTIC)


@pytest.mark.slow
def test_a_range_that_is_found_on_the_way(undisturbed: Path, tmp_path: Path) -> None:
    """A state is kept once it has been looked at: that of iteration 6 is the first behind 4. The rows stay within 16,
    so that the weights are those of a range of 32, to the errors of both series."""
    solver, sigmoid = JOB["solver"] | {"check_every": 3}, {"range": "auto", "error": 1e-5}
    job = prepare(tmp_path, solver=solver, model={"sigmoid": sigmoid})
    kill(job, "south", "iteration 7")
    finish(job)
    assert report(tmp_path / "run")["resumed_after"] == 6
    assert np.linalg.norm(weights(tmp_path / "run") - weights(undisturbed)) < 2 * tolerance(LOGISTIC)


@pytest.mark.slow
def test_a_lasso(tmp_path: Path) -> None:
    """Killed in iteration 15, it goes on after 12, to the minimum: there is only one."""
    solver = {"name": "admm", "iterations": 16, "refits": 3}
    job = prepare(tmp_path, job__model="lasso", model={"alpha": 0.03}, solver=solver)
    kill(job, "north", "iteration 15")
    ended = finish(job)
    assert "Resumed after iteration 12 of 16" in ended["north"].out
    wanted = Lasso(alpha=0.03, tol=1e-10, max_iter=100_000).fit(ROWS[:, :-1], ROWS[:, -1])
    found = weights(tmp_path / "run")
    assert np.array_equal(found[:-1] == 0, wanted.coef_ == 0)
    assert np.linalg.norm(found - np.append(wanted.coef_, wanted.intercept_)) < 1e-5


@pytest.mark.slow
def test_a_penalty_by_cross_validation(tmp_path: Path) -> None:
    """Killed in iteration 7 of cross-validation, it goes on after 4, chooses, and trains with what was chosen."""
    job = prepare(tmp_path, select={"values": [0.01, 1.0], "folds": 2})
    kill(job, "south", "iteration 7")
    finish(job)
    found = report(tmp_path / "run")
    assert found["resumed_after"] == 4 and found["selection"]["winner"] == 1.0
    alone = prepare(tmp_path, model={"C": 1.0}, checkpoint={})
    ended = train(alone, names=PARTIES, out=tmp_path / "plain")
    assert all(party.code == 0 for party in ended.values()), ended
    assert np.linalg.norm(weights(tmp_path / "run") - weights(tmp_path / "plain")) < 2 * tolerance(LOGISTIC)


def test_what_a_killed_run_revealed_after_its_last_checkpoint_is_in_the_ledger(tmp_path: Path) -> None:
    """The loss after each iteration; north is killed in iteration 7, the checkpoint is that of 4."""
    job = prepare(tmp_path, solver=JOB["solver"] | {"loss_every": 1})
    kill(job, "north", "iteration 7")
    for name in ("north", "south"):
        (path,) = (tmp_path / "checkpoints" / name).glob("ledger-*.jsonl")
        assert len(path.read_text().splitlines()) >= 6
    finish(job)
    ledger = json.loads((tmp_path / "run" / "ledger.json").read_text())
    before = [entry["what"] for entry in ledger if entry.get("earlier_run")]
    after = [entry["what"] for entry in ledger if not entry.get("earlier_run")]
    assert len(before) in (6, 7) and before[4:6] == after[:2], "iterations 5 and 6 were done twice"
    assert os.listdir(tmp_path / "checkpoints") == []


def refuse(job: Path, code: int, *said: str, names: tuple[str, ...] = PARTIES) -> None:
    """A party says what is wrong and ends with `code`, the others too or because it stopped; no checkpoint is lost."""
    before = sorted(path.name for path in (job.parent / "checkpoints").rglob("*"))
    ended = train(job, names=names, out=job.parent / "run")
    own = [party for party in ended.values() if party.code == code]
    assert own and all(party.code in (code, 5) for party in ended.values()), ended
    assert any(all(word in party.err for word in said) for party in own), ended
    assert "Traceback" not in "".join(party.err for party in ended.values())
    assert sorted(path.name for path in (job.parent / "checkpoints").rglob("*")) == before
    assert not (job.parent / "run").exists()


def test_checkpoints_of_another_job(cut_off: Path, tmp_path: Path) -> None:
    job = copy(cut_off, tmp_path, solver=JOB["solver"] | {"learning_rate": 0.25})
    refuse(job, 10, "000004.checkpoint is of another job", "name another [checkpoint] folder")


def test_fewer_parties_on_resume(cut_off: Path, tmp_path: Path) -> None:
    job = copy(cut_off, tmp_path, parties__west=None)
    said = "000004.checkpoint is of a run with other parties than north, south, east, and only all of those can go on"
    refuse(job, 10, said, names=PARTIES[:3])


@pytest.mark.slow
def test_a_damaged_checkpoint(cut_off: Path, tmp_path: Path) -> None:
    job = copy(cut_off, tmp_path)
    path = tmp_path / "checkpoints" / "south" / "000001-000000004.checkpoint"
    path.write_bytes(path.read_bytes()[:-40])
    refuse(job, 10, f"{path} is damaged", "or remove it")


@pytest.mark.slow
def test_a_key_that_others_can_read(cut_off: Path, tmp_path: Path) -> None:
    job = copy(cut_off, tmp_path)
    (tmp_path / "keys" / "west.key").chmod(0o644)
    refuse(job, 4, "west.key can be read by others (mode 0644)", "chmod 600")


@pytest.mark.slow
def test_a_table_that_changed(cut_off: Path, tmp_path: Path) -> None:
    """West neither computes nor keeps anything but its key."""
    job = copy(cut_off, tmp_path)
    table = tmp_path / "west.csv"
    table.write_text(table.read_text()[:-2] + ("0\n" if ROWS[-1, -1] else "1\n"))  # the label of the last row
    refuse(job, 10, "made with another table of west")


@pytest.mark.slow
def test_what_is_no_part_of_the_task_may_change_before_the_run_is_started_again(cut_off: Path, tmp_path: Path) -> None:
    changes = {"job__timeout": 30.0, "network__encrypt": False, "checkpoint": {"every": 3, "resume": "require"}}
    finish(copy(cut_off, tmp_path, **changes))
    assert report(tmp_path / "run")["resumed_after"] == 4


@pytest.mark.slow
def test_a_simulation_resumes_too(cut_off: Path, tmp_path: Path) -> None:
    job = copy(cut_off, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mpcfl", "simulate", str(job), "--out", str(tmp_path / "run")],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert report(tmp_path / "run")["resumed_after"] == 4
    assert report(tmp_path / "run")["error"]["relative"] < 2e-4
    assert os.listdir(tmp_path / "checkpoints") == []
