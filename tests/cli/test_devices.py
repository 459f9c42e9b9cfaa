"""What a job and the command line say of devices, where there is no GPU; tests/world/test_device.py has the rest."""

import json
import re
from pathlib import Path

import pytest
import torch

from mpcfl.cli.main import main
from tests.cli.jobs import tables
from tests.cli.parties import train, write_job, write_tables
from tests.cli.simulating import forked_parties
from tests.cli.test_runs import check_model

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


@without_gpu
@pytest.mark.parametrize("how", ["--device", "job", "party"])
def test_a_gpu_that_is_not_there_ends_a_party_before_it_waits_for_anybody(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv(variable, "0")  # so that what is set is undone
        monkeypatch.delenv(variable)
    write_tables(tmp_path)
    changes = {"job": {"job__device": "cuda"}, "party": {"parties__south__device": "cuda"}}
    job = write_job(tmp_path, tables(**changes.get(how, {})))
    extra = ["--device", "cuda"] if how == "--device" else []
    assert main(["train", str(job), "--party", "south", *extra]) == 4
    said = capsys.readouterr().err
    assert said.startswith('mpcfl: device = "cuda": ') and "\n  hint: " in said and '"auto"' in said


def test_a_device_that_is_no_device_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(tmp_path)
    job = write_job(tmp_path, tables())
    for command in (["train", "--party", "north"], ["simulate"]):
        assert main([command[0], str(job), *command[1:], "--device", "gpu"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("mpcfl: --device gpu: no such device\n  hint: cpu, cuda, cuda:N or auto")


@without_gpu
def test_a_simulation_puts_all_parties_on_the_device_that_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    forked_parties(monkeypatch)
    write_tables(tmp_path)
    assert main(["simulate", str(write_job(tmp_path, tables())), "--device", "cuda"]) == 4
    said = capsys.readouterr().err
    assert 'mpcfl: device = "cuda": ' in said and "the simulation stopped: north failed (exit code 4)" in said


@without_gpu
def test_auto_works_on_the_cpu_where_there_is_no_gpu_beside_parties_that_say_otherwise(tmp_path: Path) -> None:
    """Three job files that differ in devices alone: one run."""
    write_tables(tmp_path)
    jobs = {
        "north": write_job(tmp_path, tables(job__device="auto"), "north.toml"),
        "south": write_job(tmp_path, tables(job__device="cuda:7", parties__south__device="cpu"), "south.toml"),
        "east": write_job(tmp_path, tables(job__device="cuda", parties__east__device="auto"), "east.toml"),
    }
    ended = train(jobs, out=tmp_path / "run")
    assert {name: party.code for name, party in ended.items()} == dict.fromkeys(jobs, 0), ended
    assert json.loads((tmp_path / "run" / "report.json").read_text())["machine"]["device"] == "cpu"


def test_a_run_over_real_connections_on_gpus_that_are_simulated(tmp_path: Path) -> None:
    """TLS, page-locked buffers and all; north and south have GPUs, east has none and deals."""
    write_tables(tmp_path)
    job = write_job(tmp_path, tables(job__device="auto"))
    ended = train(job, out=tmp_path / "run", simulated=["north", "south"])
    assert {name: party.code for name, party in ended.items()} == dict.fromkeys(ended, 0), ended
    check_model(tmp_path / "run")
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["machine"]["device"] == "cuda:0" and report["rounds_online"] == 50


def test_the_plan_says_what_memory_parties_on_gpus_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing of it for the others; `tests/models/test_memory.py` holds the figures to what was held."""
    write_tables(tmp_path)
    counts = ["--rows", "1000000", "--columns", "100"]
    assert main(["plan", str(write_job(tmp_path, tables(job__partition="vertical"))), *counts]) == 0
    assert "memory" not in capsys.readouterr().out
    job = write_job(tmp_path, tables(job__partition="vertical", job__device="auto", parties__south__device="cpu"))
    assert main(["plan", str(job), *counts]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "memory" in line)
    found = re.fullmatch(r"memory of a GPU, estimated: north ([\d.]+) GB, east ([\d.]+) GB", line)
    assert found and float(found[1]) > 3 * 0.8 and float(found[2]) > 0.8  # X, what it came as, E; the mask
