"""A job with several classes through the commands: plan, simulate with its plaintext twin, predict, and a bad label."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from mpcfl.cli.main import main
from tests.cli.jobs import tables
from tests.cli.parties import OWNERS, train, write_csv, write_job
from tests.cli.simulating import forked_parties
from tests.cli.test_runs import same_as_run

IRIS = load_iris()
X = (IRIS.data - IRIS.data.mean(axis=0)) / IRIS.data.std(axis=0)
TABLE = np.c_[X, IRIS.target][np.random.default_rng(0).permutation(150)]
NAMES = ("a", "b", "c", "d", "y")
JOB = tables(
    job__model="logistic",
    model={"classes": 3},
    solver={"name": "gradient", "learning_rate": 0.5, "iterations": 20},
    evaluate={"test_fraction": 0.2, "metrics": ["accuracy"]},
)


def write(folder: Path, table: np.ndarray = TABLE) -> Path:
    for name, rows in zip(OWNERS, np.array_split(table, 3), strict=True):
        write_csv(folder / f"{name}.csv", rows, NAMES)
    return write_job(folder, JOB)


def test_plan_simulate_predict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forked_parties(monkeypatch)
    job, run = write(tmp_path), tmp_path / "run"
    assert main(["simulate", str(job), "--out", str(run)]) == 0
    said = capsys.readouterr().out
    assert "logistic regression of y in 3 classes" in said and "all 12 weights" in said

    report = json.loads((run / "report.json").read_text())
    assert report["error"]["relative"] < 1e-4 and report["error"]["intercept"] < 1e-4
    assert np.shape(report["plaintext"]["coef"]) == (3, 4) and len(report["plaintext"]["intercept"]) == 3
    assert report["rounds_per_iteration"] == 4
    assert report["metrics"].keys() == {"accuracy"} and 0.7 < report["metrics"]["accuracy"] <= 1
    assert "On held-out rows: accuracy 0." in " ".join(said.split())

    assert main(["plan", str(job)]) == 0
    plan = capsys.readouterr().out
    assert "logistic of 3 classes" in plan
    same_as_run(plan, report)

    assert main(["predict", str(run), str(tmp_path / "east.csv"), "--out", str(tmp_path / "out.csv")]) == 0
    found = np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1)
    assert found.shape == (50, 4) and (found[:, 0] == TABLE[100:, -1]).mean() > 0.7


def test_a_label_beyond_the_classes_is_named_by_file_row_and_column(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[54, -1] = 3.0
    ended = train(write(tmp_path, table))
    assert ended["south"].code == 3
    assert "south.csv: row 5, column 'y': a label must be a whole number from 0 to 2" in ended["south"].err
    assert all("row 5" not in ended[name].err for name in ("north", "east"))
