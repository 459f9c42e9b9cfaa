"""Targets and settings that a model over rows cannot take: who says so, in which words, and with what advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.jobs import tables
from tests.cli.parties import OWNERS, train, write_csv, write_job

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 2))
LABELS = (X[:, 0] + RNG.normal(size=150) > 0).astype(float)
GRADIENT = {"name": "gradient", "learning_rate": 0.5, "iterations": 2}
FAST = {"name": "gradient", "learning_rate": 4.0, "iterations": 60, "momentum": 0.9}
UNPENALISED = {"C": 1e9, "sigmoid": {"range": 16, "error": 1e-3}}


def with_one(value: float) -> np.ndarray:
    """South's third row of another value than the others."""
    y = LABELS.copy()
    y[52] = value
    return y


CASES: dict[str, tuple[np.ndarray, dict[str, Any], int, tuple[str, ...]]] = {
    "a third label": (
        with_one(2.0),
        {"job__model": "logistic"},
        3,
        ("south.csv: row 3, column 'y': a label must be 0 or 1", "set [model] classes if there are more than two"),
    ),
    "one class only": (
        np.ones(150),
        {"job__model": "logistic"},
        8,
        ("all rows of all parties are of one class of 'y'", "bring rows of the other class"),
    ),
    "separable classes without a penalty": (
        (X[:, 0] > 0).astype(float),
        {"job__model": "logistic", "model": UNPENALISED, "solver": FAST},
        8,
        ("a row left the range in which the loss is right", "separable classes need a penalty"),
    ),
    "separable classes, to the optimum": (
        (X[:, 0] > 0).astype(float),
        {"job__model": "logistic", "model": {"C": 1e9}, "solver": {"name": "fixed_hessian", "iterations": 4}},
        8,
        ("the optimum was not reached", "a smaller C", "separable classes need one"),
    ),
    "a negative count": (
        with_one(-1.0),
        {"job__model": "poisson"},
        3,
        ("south.csv: row 3, column 'y': a count must not be negative", "leave the row out"),
    ),
    "a batch of more rows than there are": (
        LABELS,
        {"job__model": "logistic", "solver": GRADIENT | {"batch": 151}},
        2,
        ("[solver] batch = 151 is more than the 150 rows", "0 for all rows"),
    ),
}


QUICK = ("a third label", "one class only", "separable classes without a penalty")
"""The others' messages have tests below the command line too."""


@pytest.mark.parametrize("name", [pytest.param(k, marks=() if k in QUICK else pytest.mark.slow) for k in CASES])
def test_it_is_named_with_advice(name: str, tmp_path: Path) -> None:
    y, changes, code, words = CASES[name]
    for owner, rows in zip(OWNERS, np.array_split(np.c_[X, y], 3), strict=True):
        write_csv(tmp_path / f"{owner}.csv", rows, ("a", "b", "y"))
    ended = train(write_job(tmp_path, tables(**{"solver": GRADIENT} | changes)), out=tmp_path / "run")
    saying = [party for party in ended.values() if party.code == code]
    assert saying and all(party.code in (code, 5) for party in ended.values()), ended
    assert all(all(word in party.err for word in words) for party in saying), saying
    assert "Traceback" not in "".join(party.err for party in ended.values())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("model", "value"), [("logistic", 0.0), ("svm", -1.0)])
def test_a_penalty_that_cannot_be(model: str, value: float, tmp_path: Path) -> None:
    """Found before anybody is asked to join: the job file is named."""
    job = write_job(tmp_path, tables(job__model=model, model={"C": value}, solver=GRADIENT))
    ended = train(job)
    assert [party.code for party in ended.values()] == [2, 2, 2]
    assert all("job.toml: [model] C must be more than 0" in party.err for party in ended.values())
