"""`mpcfl train` with openings over NCCL: whole runs on GPUs that are simulated, with Gloo in its place."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.jobs import tables
from tests.cli.parties import Fault, train, write_job, write_tables
from tests.cli.test_runs import check_model

COMPUTE = ("north", "south")
NCCL = {"job__device": "auto", "network__openings": "nccl"}


def test_a_run_gives_the_model_at_the_cost_of_its_plan(tmp_path: Path) -> None:
    """That plan and meter agree to the byte is checked by every run itself. East has no GPU, and deals."""
    write_tables(tmp_path)
    ended = train(write_job(tmp_path, tables(**NCCL)), out=tmp_path / "run", simulated=COMPUTE, gloo=True)
    assert {name: (party.code, party.err) for name, party in ended.items()} == dict.fromkeys(ended, (0, "")), ended
    check_model(tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["machine"]["device"] == "cuda:0" and report["rounds_online"] == 50
    assert "over NCCL, in the clear" in (tmp_path / "run" / "report.html").read_text()


def test_a_party_that_deals_and_computes_sends_what_it_has_posted_before_it_opens(tmp_path: Path) -> None:
    write_tables(tmp_path)
    changes = {"job__insecure_simulation": True, "parties__east__roles": ["data"]}
    ended = train(write_job(tmp_path, tables(**NCCL, **changes)), out=tmp_path / "run", simulated=COMPUTE, gloo=True)
    assert {name: party.code for name, party in ended.items()} == dict.fromkeys(ended, 0), ended
    check_model(tmp_path / "run")


def test_two_parties_on_one_gpu_are_named_and_the_others_told(tmp_path: Path) -> None:
    write_tables(tmp_path)
    job = write_job(tmp_path, tables(**NCCL | {"job__device": "cuda:1", "parties__east__device": "cpu"}))
    ended = train(job, simulated=COMPUTE, gloo=True)
    for name in COMPUTE:
        assert ended[name].code == 4
        assert "north and south are on one GPU, and NCCL needs one for each\n  hint: give them" in ended[name].err
    assert ended["east"].code == 5 and "stopped: SetupError" in ended["east"].err


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_a_party_that_is_lost_is_named_and_nobody_hangs_at_the_end(number: signal.Signals, tmp_path: Path) -> None:
    write_tables(tmp_path)
    job = write_job(tmp_path, tables(**NCCL, job__timeout=3.0))
    fault = Fault("south", "online", number, tmp_path / "noted")
    ended = train(job, fault=fault, simulated=COMPUTE, gloo=True)
    for name in ("north", "east"):
        assert ended[name].code == 5 and "south" in ended[name].err.splitlines()[0], ended[name]
        assert ended[name].at - float(fault.noted.read_text()) < 15
