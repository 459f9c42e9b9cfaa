"""The launchers that can run here run; the others are at least well formed."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
LAUNCHERS = ROOT / "launchers"
JOB = """
[job]
name = "small"
model = "linear"
target = "y"
[solver]
steps = 1024
[parties.north]
data = "north.csv"
roles = ["data", "compute"]
[parties.south]
data = "south.csv"
roles = ["data", "compute"]
[parties.east]
roles = ["dealer"]
"""
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")},
    "PYTHON": sys.executable,
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for party in ("north", "south"):
        x = random.normal(size=(30, 2))
        table = np.c_[x, x @ [2.0, -1.0] + 0.5]
        np.savetxt(tmp_path / f"{party}.csv", table, delimiter=",", header="a,b,y", comments="")
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    return path


def start(*command: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def predictions(run: Path) -> np.ndarray:
    """Of (a, b) = (0, 0), (1, 0), (0, 1)."""
    from mpcfl.report.model import load_model

    model = load_model(run)
    return np.array([model.intercept, *(model.coef + model.intercept)])


@pytest.mark.slow
def test_local_starts_a_process_for_every_party(job: Path, tmp_path: Path) -> None:
    party = start("sh", LAUNCHERS / "local.sh", job, tmp_path / "run")
    said, _ = party.communicate(timeout=100)
    assert party.returncode == 0, said
    np.testing.assert_allclose(predictions(tmp_path / "run"), [0.5, 2.5, -0.5], atol=1e-4)
    assert json.loads((tmp_path / "run" / "report.json").read_text())["parties"] == ["north", "south", "east"]


@pytest.mark.slow
def test_each_organisation_starts_its_own_party(job: Path, tmp_path: Path) -> None:
    port, script = free_port(), LAUNCHERS / "several_hosts.sh"
    names = ("south", "east", "north")
    parties = [start("sh", script, job, name, "127.0.0.1", str(port), tmp_path / name) for name in names]
    said = [party.communicate(timeout=100)[0] for party in parties]
    assert [party.returncode for party in parties] == [0, 0, 0], said
    for receiver in ("north", "south"):
        np.testing.assert_allclose(predictions(tmp_path / receiver), [0.5, 2.5, -0.5], atol=1e-4)
    assert not (tmp_path / "east").exists(), "the dealer has no data and learns nothing"


@pytest.mark.slow
def test_the_ten_lines_of_python_print_the_weights() -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3"]
    party = start(*torchrun, LAUNCHERS / "library.py")
    said, _ = party.communicate(timeout=100)
    assert party.returncode == 0 and "coef [ 3. -2.] intercept 1.0" in said, said


@pytest.mark.parametrize("name", ["local.sh", "several_hosts.sh", "slurm.sbatch"])
def test_a_script_is_well_formed_and_says_how_to_call_it(name: str) -> None:
    shell = "bash" if name.endswith(".sbatch") else "sh"
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    assert subprocess.run([shell, "-n", LAUNCHERS / name]).returncode == 0
    called = subprocess.run([shell, LAUNCHERS / name], capture_output=True, text=True, env=ENVIRONMENT)
    assert called.returncode != 0 and "usage: " in called.stderr


def test_kubernetes_gets_a_job_for_one_party() -> None:
    settings = {
        "IMAGE": "image",
        "PARTY": "north",
        "MASTER_ADDR": "host",
        "MASTER_PORT": "29500",
        "HOST_NETWORK": "true",
    }
    text = (LAUNCHERS / "kubernetes.yaml").read_text()
    for name, value in {**settings, "HOST_NETWORK": "true"}.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text
    job, service = yaml.safe_load_all(text)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][-5:] == ["job.toml", "--party", "north", "--out", "run"]
    assert {e["name"]: e["value"] for e in container["env"]}["MASTER_PORT"] == "29500"
    assert service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()
