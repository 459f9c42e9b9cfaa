"""A job for lasso or elastic net: what it takes when nothing is said, what it plans, and what its run leaves behind."""

import json
from pathlib import Path

import numpy as np
import pytest
import sklearn.linear_model as sk
from safetensors.numpy import load_file

from mpcfl.cli.assembly import roster_of, settings_of
from mpcfl.cli.job import Job
from mpcfl.cli.main import main
from mpcfl.cli.plan import facts_from_counts, plan_of
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.penalty import Penalty
from tests.cli.jobs import tables
from tests.cli.parties import TABLE, train, write_job, write_tables


def test_admm_is_the_solver_unless_the_job_says_otherwise() -> None:
    for model in ("lasso", "elastic_net"):
        settings = settings_of(Job.from_dict(tables(job__model=model)))
        assert settings.solver == Admm() and settings.model == model
    job = Job.from_dict(tables(job__model="lasso", solver={"iterations": 200, "refits": 3, "steps": 1024}))
    assert settings_of(job).solver == Admm(iterations=200, refits=3, steps=1024)
    assert Job.from_dict(job.to_dict()) == job


def test_parameters_are_those_of_scikit_learn() -> None:
    lasso = Job.from_dict(tables(job__model="lasso", model__alpha=3.0))
    assert settings_of(lasso).penalty == Penalty(l1=3.0, per_row=True)
    net = Job.from_dict(tables(job__model="elastic_net", model={"alpha": 3.0, "l1_ratio": 0.25}))
    assert settings_of(net).penalty == Penalty(l1=0.75, l2=2.25, per_row=True)
    assert settings_of(Job.from_dict(tables(job__model="elastic_net"))).penalty == Penalty(l1=0.5, l2=0.5, per_row=True)


@pytest.mark.parametrize("rows", [100, 1_000_000])
def test_the_plan_does_not_depend_on_the_rows(rows: int) -> None:
    job = Job.from_dict(tables(job__model="lasso"))
    plan = plan_of(roster_of(job), facts_from_counts(job, rows, 10), settings_of(job))
    costs = [plan.meters[name].total("online") for name in ("north", "south")]
    assert costs[0].rounds == costs[1].rounds == 9 + 22 + 1 + 3 * 64 + 2 * 42 + 2 + 9 + 1
    assert costs[0].bytes == 152_530


def test_a_run_leaves_weights_that_are_zero_and_says_what_was_revealed(tmp_path: Path) -> None:
    write_tables(tmp_path)
    changes = {"model": {"alpha": 2.0}, "solver": {"iterations": 16, "steps": 1 << 17}}
    ended = train(write_job(tmp_path, tables(job__model="lasso", **changes)), out=tmp_path / "run")
    assert all(party.code == 0 for party in ended.values()), {name: party.err for name, party in ended.items()}
    folder = tmp_path / "run"
    found = load_file(folder / "model.safetensors")["coef"]
    best = sk.Lasso(alpha=2.0, tol=1e-12, max_iter=100_000).fit(TABLE[:, :-1], TABLE[:, -1]).coef_
    assert np.array_equal(found == 0, best == 0) and (found == 0).sum() == 2
    assert np.linalg.norm((found - best) * TABLE[:, :-1].std(axis=0)) < 1e-3
    report = json.loads((folder / "report.json").read_text())
    assert report["rounds_per_iteration"] == 3 and report["iterations"] == 16
    assert "guard: the solution is the minimum" in report["revealed"]
    assert main(["predict", str(folder), str(tmp_path / "east.csv"), "--out", str(tmp_path / "out.csv")]) == 0
