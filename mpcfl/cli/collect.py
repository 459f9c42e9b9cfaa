"""From a finished session to the record of the run: what all parties may know of it, put together."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import Any

from mpcfl.cli.job import Job
from mpcfl.data.facts import Facts
from mpcfl.models.families import objective_of
from mpcfl.models.training import Outcome
from mpcfl.report.record import RunRecord
from mpcfl.solvers import admm
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.newton import Newton
from mpcfl.solvers.objective import Objective
from mpcfl.version import VERSION
from mpcfl.world.session import Session

_PACKAGES = ("torch", "crypten", "numpy", "numba", "cryptography")


def collect(session: Session, job: Job, facts: Facts, outcome: Outcome, *, resumed_after: int = 0) -> RunRecord:
    """The record of a run, the same at every party but for `party` and its seconds; every party must call this.

    `resumed_after`: the iterations that an earlier run had done.
    """
    meters = [json.loads(text) for text in session.publish(json.dumps(session.meter.as_dict()).encode())]
    names, roster = session.roster.names, session.roster
    costs = {name: meter["costs"] for name, meter in zip(names, meters, strict=True)}
    online = session.meter.total("online") if session.is_compute else None
    rounds = _total(costs[names[0]], "online", "rounds")
    objective = objective_of(job.model.name, job.model.parameters)
    iterations = getattr(job.solver, "iterations", None) or _doublings(job)
    return RunRecord(
        party=session.name,
        version=VERSION,
        job=job.to_dict(),
        features=facts.features,
        target=facts.target,
        coef=outcome.coefficients,
        intercept=outcome.intercept,
        ledger=session.ledger,
        report={
            "model": job.model.name,
            "partition": facts.partition,
            "rows": facts.total_rows,
            "columns": len(facts.features),
            "parties": list(names),
            "compute_parties": [names[rank] for rank in roster.compute],
            "dealer": names[roster.dealer],
            "solver": job.to_dict()["solver"],
            "iterations": iterations,
            **({"resumed_after": resumed_after} if resumed_after else {}),
            "rounds_online": rounds if online is None else online.rounds,
            "rounds_per_iteration": _rounds(job, objective, facts.training_rows),
            "bytes_online": {name: _total(costs[name], "online", "bytes") for name in names},
            "bytes_offline": {name: _total(costs[name], "offline", "bytes") for name in names},
            "messages_online": {name: _total(costs[name], "online", "messages") for name in names},
            "headroom_bits": round(session.headroom, 1),
            "costs": costs,
            "seconds": {
                phase: meters[0]["seconds"].get(phase, 0.0) for phase in ("offline", "online", "local", "setup")
            },
            "revealed": list(dict.fromkeys(entry["what"] for entry in session.ledger)),
            "digest": job.digest(VERSION),
            "versions": {"python": platform.python_version(), "mpcfl": VERSION, **_versions()},
            "machine": _machine(session),
            **outcome.extras,
        },
    )


def _rounds(job: Job, objective: Objective | None, rows: int) -> int:
    """Of an iteration, with so many rows that train."""
    if objective is None:
        return admm.ROUNDS if job.solver.name == "admm" else 2
    kinds = {"fixed_hessian": FixedHessian.rounds, "newton": Newton.rounds}
    if (rounds := kinds.get(job.solver.name)) is not None:
        return rounds(objective.loss, rows)
    return objective.rounds(min(rows, getattr(job.solver, "batch", 0) or rows))


def _doublings(job: Job) -> int:
    """Iterations of the doubling solver: each takes two rounds."""
    return int(getattr(job.solver, "steps", 1)).bit_length() - 1


def _total(costs: dict[str, dict[str, dict[str, int]]], phase: str, what: str) -> int:
    return sum(cost[what] for cost in costs.get(phase, {}).values())


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in _PACKAGES}


def _machine(session: Session) -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "device": str(session.own_device),
    }
