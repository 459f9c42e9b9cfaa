"""A job that chooses a penalty: what it says, what it plans to the byte, and what its run leaves behind."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from mpcfl.cli.assembly import local_facts, roster_of, settings_of
from mpcfl.cli.job import Job
from mpcfl.cli.main import main
from mpcfl.cli.plan import facts_from_counts, plan_of
from mpcfl.cli.simulate import _add_twin
from tests.cli.jobs import GRADIENT, refusal, tables
from tests.cli.parties import FEATURES, OWNERS, train, write_csv, write_job

RNG = np.random.default_rng(3)
X = RNG.normal(size=(150, 10))
Y = (X @ np.linspace(-2, 2, 10) + RNG.normal(size=150) > 0).astype(float)
SOLVER = GRADIENT | {"learning_rate": 0.5, "iterations": 8}


def changes(**select: Any) -> dict[str, Any]:
    return {"job__model": "logistic", "solver": SOLVER, "select": {"values": [0.02, 0.1, 1.0], "folds": 3} | select}


def test_what_is_left_out_is_filled_in_by_the_model() -> None:
    selection = settings_of(Job.from_dict(tables(**changes()))).selection
    assert selection is not None
    assert (selection.parameter, selection.metric, selection.folds, selection.reveal) == ("C", "log_loss", 3, "winner")
    assert [objective.penalty.l2 for objective in selection.objectives] == pytest.approx([50.0, 10.0, 1.0])
    huber = settings_of(Job.from_dict(tables(**changes(values=[1, 2]) | {"job__model": "huber"}))).selection
    assert huber is not None and (huber.parameter, huber.metric, huber.values) == ("alpha", "mse", (1.0, 2.0))


def test_it_is_written_out_read_back_and_part_of_the_digest() -> None:
    job = Job.from_dict(tables(**changes(reveal="scores", metric="auc", parameter="C")))
    assert Job.from_dict(job.to_dict()) == job
    others = [changes(), changes(folds=4), changes(values=[0.1, 1.0]), changes(metric="auc")]
    assert len({Job.from_dict(tables(**other)).digest("1") for other in others}) == len(others)
    assert Job.from_dict(tables()).to_dict()["select"] == {} and settings_of(Job.from_dict(tables())).selection is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"select": {"folds": 3}}, "[select] lacks values"),
        ({"select": {"values": ["a"]}}, "[select] values must be a number, not a text"),
        ({"select": {"value": [1.0]}}, "[select] lacks values"),
        (changes(fold=3), "did you mean 'folds'?"),
        (changes(values=[0.1]), "[select] values must be 2 to 16 different numbers"),
        (changes(folds=21), "[select] folds must be 2 to 20"),
        (changes(metric="mse"), "[select] metric: 'mse' is not for model 'logistic'"),
        (changes(reveal="all"), "[select] reveal must be one of winner, scores"),
        (changes(parameter="alpha"), "[select] parameter: 'alpha' cannot be selected"),
        (changes() | {"job__model": "ridge"}, 'needs [solver] name = "doubling" for ridge'),
        (changes() | {"solver": {"name": "newton"}}, '[select] needs [solver] name = "gradient"'),
        (changes() | {"job__model": "linear", "solver": {}}, "for models with a penalty, not for 'linear'"),
        (
            changes() | {"job__model": "lasso", "solver": {"name": "admm"}, "checkpoint__every": 5},
            "keeps no checkpoints",
        ),
        (changes(metric="log_loss") | {"model__classes": 3}, "[select] metric: 'log_loss' is not for 3 classes"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    assert said in refusal(**change)


def test_the_plan_counts_one_training_for_all_candidates_and_one_for_the_winner() -> None:
    costs = {}
    for folds, iterations in ((3, 8), (3, 9), (5, 8), (5, 9)):
        job = Job.from_dict(tables(**changes(folds=folds) | {"solver": SOLVER | {"iterations": iterations}}))
        plan = plan_of(roster_of(job), facts_from_counts(job, 300, 10), settings_of(job))
        costs[folds, iterations] = plan.meters["north"].total("online")
    for folds in (3, 5):
        assert costs[folds, 9].rounds - costs[folds, 8].rounds == 8
        assert costs[folds, 9].bytes - costs[folds, 8].bytes == (12 * 300 + 16 * 11) * (3 * folds + 1)
    assert costs[3, 8].rounds == costs[5, 8].rounds


def test_ridge_is_planned_for_any_rows_at_the_bytes_of_the_run_and_compared_with_its_twin(tmp_path: Path) -> None:
    y = X @ np.linspace(-2, 2, 10)
    for party, part in zip(OWNERS, np.array_split(np.c_[X, y], 3), strict=True):
        write_csv(tmp_path / f"{party}.csv", part, (*FEATURES, "y"))
    select = {"values": [0.5, 50.0], "folds": 3, "reveal": "scores"}
    path = write_job(tmp_path, tables(job__model="ridge", select=select))
    ended = train(path, out=tmp_path / "run")
    assert all(party.code == 0 for party in ended.values()), {name: party.err for name, party in ended.items()}
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["selection"]["winner"] == 0.5 and len(report["selection"]["scores"]) == 2
    job, weights = Job.load(path), load_file(tmp_path / "run" / "model.safetensors")
    plan = plan_of(roster_of(job), facts_from_counts(job, len(X), 10), settings_of(job))
    assert plan.meters["north"].total("online").bytes == report["bytes_online"]["north"]
    fields = {"coef": weights["coef"], "intercept": float(weights["intercept"][0]), "report": report}
    _add_twin(fields, job, local_facts(job))
    assert report["error"]["relative"] < 1e-5


def test_a_run_leaves_the_winner_the_scores_and_weights_that_the_twin_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for party, part in zip(OWNERS, np.array_split(np.c_[X, Y], 3), strict=True):
        write_csv(tmp_path / f"{party}.csv", part, (*FEATURES, "y"))
    path = write_job(tmp_path, tables(**changes(reveal="scores")))
    ended = train(path, out=tmp_path / "run")
    assert all(party.code == 0 for party in ended.values()), {name: party.err for name, party in ended.items()}
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    found = report["selection"]
    assert found["winner"] == found["values"][int(np.argmin(found["scores"]))]
    told = f"C = {found['winner']:g} was chosen of 0.02, 0.1 and 1 by log loss in 3-fold cross-validation"
    assert told in ended["north"].out.replace("\n  ", " ")
    assert told in (tmp_path / "run" / "report.html").read_text()
    assert json.loads((tmp_path / "run" / "card.json").read_text())["selection"] == found
    assert main(["plan", str(path)]) == 0
    printed = capsys.readouterr().out
    assert f"{report['bytes_online']['north']:,}" in printed and f"rounds {report['rounds_online']};" in printed
    job, weights = Job.load(path), load_file(tmp_path / "run" / "model.safetensors")
    fields = {"coef": weights["coef"], "intercept": float(weights["intercept"][0]), "report": report}
    _add_twin(fields, job, local_facts(job))
    assert report["error"]["relative"] < 1e-3  # a twin by another value would be far off
