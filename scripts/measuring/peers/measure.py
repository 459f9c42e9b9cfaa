"""One row of the comparison: run the parties, take differences, compare the weights with float64."""

from __future__ import annotations

import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from measuring.peers.launch import Outcome, Places, run
from measuring.peers.problems import Array, descent, save
from measuring.peers.systems import NETWORKS, python_of, why_not
from measuring.peers.tasks import Task
from measuring.peers.wan import RATE, ROUND_TRIP, wide_area
from mpcfl.errors import MpcflError

LIMIT = 240.0  # seconds of one row
_JOB = """\
[job]
name = "peers"
model = "logistic"
target = "y"
[model]
penalty = "none"
[solver]
name = "gradient"
learning_rate = {rate}
iterations = {iterations}
batch = {batch}
[parties.north]
data = "0.npz"
roles = ["data", "compute"]
[parties.south]
data = "1.npz"
roles = ["data", "compute"]
[parties.helper]
roles = ["dealer"]
"""


def rows(task: Task, seed: int, spu: str) -> list[dict[str, Any]]:
    """The row of a task, as `measuring.provenance` wants it."""
    return [measured(task, seed, spu)]


def measured(task: Task, seed: int, spu: str) -> dict[str, Any]:
    """The row of a task; with `not_measured` in the place of figures where it cannot be measured or fails."""
    problem, system = task.problem, task.system
    row: dict[str, Any] = {
        "figure": "peers",
        "case": task.name,
        "name": task.name,
        "problem": problem.name,
        "network": task.network,
        "system": system.name,
        "remark": system.remark,
        "dealer": system.dealer,
        "links": "TLS" if system.spec.get("links") == "TLS" else "plaintext",
        "rows": task.rows or problem.rows,
        "columns": problem.columns + 1,
        "batch": problem.size,
        "rate": problem.rate,
        "fits": task.fits,
    }
    if task.network != NETWORKS[0]:
        row |= {"round_trip_seconds": ROUND_TRIP, "bits_per_second": RATE}
    if reason := why_not(system, task.network, spu):
        return {**row, "not_measured": reason}
    x, y = problem.table(seed, task.rows)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder, ExitStack() as stack:
        table = Path(folder) / "table.npz"
        save(table, x, y)
        spec = {"table": str(table), "rate": problem.rate, "batch": problem.batch, "fits": task.fits, **system.spec}
        spec["waits_for"] = system.size - system.servers
        slow = task.network != NETWORKS[0]
        places = stack.enter_context(wide_area(system.size)) if slow else Places()
        try:
            outcome = run(system.program, system.size, spec, places, python=python_of(system, spu), limit=LIMIT)
            return {**row, **figures(outcome, task), **_error(outcome, task, x, y, Path(folder))}
        except (RuntimeError, MpcflError) as error:
            return {**row, "not_measured": _reason(str(error))}


def _reason(text: str) -> str:
    """The line of a log that says most."""
    lines = text.strip().splitlines()
    return next((line for line in reversed(lines) if "rror" in line), lines[-1])


def figures(outcome: Outcome, task: Task) -> dict[str, Any]:
    """`per_iteration`: rounds and bytes as rank 1 counts them (at CrypTen's rank 0 the dealer's messages are among
    them), seconds of rank 0, CPU seconds of all processes; `whole`: the last fit."""
    counts = {"rounds": 1, "bytes": 1, "bytes_offline": -1, "seconds": 0, "cpu_seconds": 0}
    per_iteration: dict[str, Any] = {}
    whole: dict[str, Any] = {"iterations": task.fits[-1]}
    for name, rank in counts.items():
        values = [fit[name] for fit in outcome.fits[rank][task.pairs] if name in fit]
        if not values:
            continue
        whole[name] = outcome.fits[rank][-1][name]
        pairs = zip(values[::2], values[1::2], strict=True)
        per_iteration[name] = statistics.median((many - few) / (task.many - task.few) for few, many in pairs)
    if any(fit["wire_bytes"] for fit in outcome.fits[0]):
        few, many = (np.array(fit["wire_bytes"]) for fit in outcome.fits[0][task.pairs][-2:])
        per_iteration["wire_bytes"] = ((many - few) / (task.many - task.few)).tolist()
    kept = ("iterations", "seconds", "cpu_seconds", "rounds", "bytes", "wire_bytes")
    raw = [{key: fit[key] for key in kept if key in fit} for fit in outcome.fits[0]]
    return {"per_iteration": per_iteration, "whole": whole, "raw": raw, "peer_versions": outcome.versions}


def _error(outcome: Outcome, task: Task, x: Array, y: Array, folder: Path) -> dict[str, Any]:
    """Relative error of the weights of the last fit against the same steps in float64. mpcfl draws its batches from the
    public seed: there it is `mpcfl simulate` that runs once more, with its own plaintext twin of the same batches."""
    if task.system.program == "mpcfl_party" and task.problem.batch:
        return {"error": _simulated_error(task, x, y, folder)} if task.network == NETWORKS[0] else {}
    weights = np.array(outcome.fits[0][-1]["weights"])
    reference = descent(x, y, task.problem.rate, task.problem.batch, task.fits[-1])
    return {"error": float(np.linalg.norm(weights - reference) / np.linalg.norm(reference))}


def _simulated_error(task: Task, x: Array, y: Array, folder: Path) -> float:
    import mpcfl

    for rank, rows in enumerate(np.array_split(np.arange(len(x)), 2)):
        save(folder / f"{rank}.npz", x[rows], y[rows])
    job = folder / "job.toml"
    job.write_text(_JOB.format(rate=task.problem.rate, iterations=task.fits[-1], batch=task.problem.batch))
    return float(mpcfl.simulate(job).report["error"]["relative"])


def line(row: dict[str, Any]) -> str:
    """One row for the eye."""
    if "not_measured" in row:
        return f"{row['name']:<46} not measured: {row['not_measured'][:120]}"
    one = row["per_iteration"]
    parts = [f"{row['name']:<46} {one['rounds']:6.1f} rounds {one['bytes']:>12,.0f} bytes"]
    parts += [f"{1e3 * one['seconds']:9.2f} ms", f"CPU {1e3 * one['cpu_seconds']:9.2f} ms"]
    return "  ".join([*parts, f"error {row['error']:.1e}" if "error" in row else ""])


def load(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by name; empty if there is no file."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {row["name"]: row for row in map(json.loads, lines)}
