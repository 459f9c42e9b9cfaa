"""scripts/bench_peers.py: what it takes for the cost of an iteration, what it compares, and that parties run."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`peers("tasks")`: the module measuring.peers.tasks, as the script sees it."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: importlib.import_module(f"measuring.peers.{name}")


def task(peers: Any, name: str) -> Any:
    return next(one for one in peers("tasks").tasks() if one.name == name)


def test_every_row_has_a_name_of_its_own(peers: Any) -> None:
    names = [one.name for one in peers("tasks").tasks()]
    assert len(set(names)) == len(names) == 2 * 4 * 7


def test_who_opens_x_once_is_measured_from_the_second_epoch_on(peers: Any) -> None:
    for one in peers("tasks").tasks():
        if one.system.name == "mpcfl" or one.system.spec.get("once"):
            epoch = -(-(one.rows or one.problem.rows) // one.problem.size)
            assert one.few >= epoch and (one.many - one.few) % epoch == 0


def test_the_reference_is_gradient_descent(peers: Any) -> None:
    x, y = np.array([[1.0], [-2.0], [0.5]]), np.array([1.0, 0.0, 1.0])
    first = 0.5 / 2 * np.array([1.0 * 0.5 + 2.0 * 0.5, 0.5 - 0.5])  # from zero the sigmoid is 1/2
    assert np.allclose(peers("problems").descent(x, y, 0.5, 2, 1), first)
    rest = 1 / (1 + np.exp(-(0.5 * first[0] + first[1]))) - 1  # the second batch is the last row alone
    second = first - 0.5 / 2 * rest * np.array([0.5, 1.0])
    assert np.allclose(peers("problems").descent(x, y, 0.5, 2, 2), second)


def test_an_iteration_costs_the_difference_of_two_fits(peers: Any) -> None:
    one = task(peers, "synthetic-full/loopback/crypten-tfp")
    fits = [
        {"iterations": k, "seconds": 10 + 2.0 * k, "cpu_seconds": 5.0 + k, "rounds": 7 + 25 * k, "bytes": 100 * k}
        for k in one.fits
    ]
    fits[0]["seconds"] = 1000.0  # the warm-up does not count
    outcome = peers("launch").Outcome(fits=[[fit | {"wire_bytes": []} for fit in fits], fits], versions={})
    figures = peers("measure").figures(outcome, one)
    assert figures["per_iteration"] == {"rounds": 25, "bytes": 100, "seconds": 2.0, "cpu_seconds": 1.0}
    assert [fit["seconds"] for fit in figures["raw"]] == [fit["seconds"] for fit in fits]


def row(system: str, run: str, seconds: float) -> dict[str, Any]:
    return {
        "network": "loopback", "problem": "p", "system": system, "remark": system, "dealer": "rank 0", "run": run,
        "rows": 10, "columns": 2, "batch": 10, "error": 1e-3,
        "per_iteration": {"rounds": 4, "bytes": 1000, "seconds": seconds, "cpu_seconds": seconds},
    }  # fmt: skip


def test_seconds_are_compared_within_one_run_only(peers: Any) -> None:
    page = peers("report").page([row("mpcfl", "a", 2.0), row("one", "a", 7.0), row("two", "b", 7.0)])
    assert "| one | rank 0 | 4 | 1,000 |  | 3.5 | 3.5 | 1.0e-03 |" in page
    assert "| two | rank 0 | 4 | 1,000 |  | \\* | \\* | 1.0e-03 |" in page


def test_what_is_not_there_is_said_to_be_not_measured(peers: Any, tmp_path: Path) -> None:
    one = task(peers, "breast-cancer/loopback/spu-taylor")
    found = peers("measure").measured(one, 0, "")
    assert found["not_measured"] == "spu is not installed" and "per_iteration" not in found
    assert "not measured: spu is not installed" in peers("report").page([found])


def test_mpcfl_runs_as_the_plan_says(peers: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, d, few, many = 40, 3, 1, 6
    table = tmp_path / "table.npz"
    peers("problems").save(table, rng.standard_normal((n, d)), (rng.random(n) < 0.5).astype(float))
    spec = {"table": str(table), "rate": 0.1, "batch": 0, "fits": [few, many], "links": "TLS", "waits_for": 3}
    places = peers("launch").Places()
    outcome = peers("launch").run("mpcfl_party", 3, spec, places, python=sys.executable, limit=100)
    first, last = outcome.fits[0]
    assert last["rounds"] - first["rounds"] == 4 * (many - few)
    assert last["bytes"] - first["bytes"] == 8 * (1.5 * n + 2 * (d + 1)) * (many - few)
    assert outcome.fits[2][1]["bytes_offline"] > outcome.fits[2][0]["bytes_offline"] > 0  # the helper's


def test_a_party_that_fails_is_shown(peers: Any) -> None:
    spec = {"table": "nowhere.npz", "waits_for": 3}
    places = peers("launch").Places()
    with pytest.raises(RuntimeError, match="(?s)party 0 of mpcfl_party stopped with 1.*nowhere.npz"):
        peers("launch").run("mpcfl_party", 3, spec, places, python=sys.executable, limit=100)


def test_a_wide_area_delays_and_counts_what_passes(peers: Any) -> None:
    wan = peers("wan")
    if reason := wan.missing():
        pytest.skip(reason)
    one_way, size = 0.005, 30_000
    before = subprocess.run(["ip", "netns", "list"], capture_output=True).stdout
    with wan.wide_area(2, one_way=one_way) as places:
        listens = f"import socket; s = socket.create_server(('{places.addresses[0]}', 5000)); print(flush=True)\n"
        listens += f"c, _ = s.accept(); c.recv({size}, socket.MSG_WAITALL); c.send(b'x')"
        asks = "import socket, time; c = socket.create_connection(('10.78.0.1', 5000)); t = time.monotonic()\n"
        asks += f"c.sendall(bytes({size})); c.recv(1); print(time.monotonic() - t)"
        command = [*places.inside[0], sys.executable, "-c", listens]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as server:
            assert server.stdout is not None and server.stdout.readline()
            command = [*places.inside[1], sys.executable, "-c", asks]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
        assert float(answer) >= 2 * one_way
        assert places.sent[1] > size > places.sent[0] > 0
    assert subprocess.run(["ip", "netns", "list"], capture_output=True).stdout == before
