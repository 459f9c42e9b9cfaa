"""The same training by every system, in one run: what it costs over plaintext federated learning, and what it gives up.

Breast cancer, 569 x 30 and an intercept, standardised; 20 full-batch steps of 0.1 of logistic regression without
penalty from zero, three organisations who own rows, where a system allows it. mpcfl's other solvers take other steps,
to the optimum of C = 1 and 0.1, and are compared with the same steps in float64.

Seconds: the parties of mpcfl, CrypTen and SPU are processes on this machine, links and all; those of the baselines work
in turn in one process, and the slowest of those who would work at the same time counts (`mpcfl.baselines.costs`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from measuring.fits import Array
from measuring.peers.launch import Places, run
from measuring.peers.problems import descent, save
from measuring.peers.systems import SYSTEMS, System, python_of, why_not
from measuring.real import load
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.sweeps.baselines import ALL, DATA, ITERATIONS, QUICK, RATE, baseline_rows
from measuring.trainings import Training, Trial, measured

STEPS = {"name": "gradient", "learning_rate": RATE, "iterations": ITERATIONS}
PLAIN = {"penalty": "none"}
REPEATS = 3
OURS = {
    "mpcfl, 2 compute parties": Training(model="logistic", solver=STEPS, parameters=PLAIN),
    "mpcfl, 2 compute parties, vertical": Training(
        model="logistic", solver=STEPS, parameters=PLAIN, partition="vertical"
    ),
    "mpcfl, 3 compute parties": Training(model="logistic", solver=STEPS, parameters=PLAIN, compute=3),
    "mpcfl, 5 compute parties": Training(model="logistic", solver=STEPS, parameters=PLAIN, compute=5, owners=5),
    "mpcfl, Newton, C = 1": Training(
        model="logistic", solver={"name": "newton", "iterations": 8}, parameters={"sigmoid": {"range": 64}}
    ),
    "mpcfl, fixed Hessian, C = 0.1": Training(
        model="logistic", solver={"name": "fixed_hessian", "iterations": 40}, parameters={"C": 0.1}
    ),
}
PEERS = ("crypten-ttp", "crypten-tfp", "spu-taylor-once", "spu-logistic-once")
SEEN = {
    "mpcfl": "nobody: each party sees uniformly random values",
    "crypten-ttp": "rank 1: every row of rank 0, whose masks it can predict; its links are in the clear",
    "crypten-tfp": "rank 0: every row of everybody",
    "spu-taylor-once": "rank 0: every row of everybody",
    "spu-logistic-once": "rank 0: every row of everybody",
}


def headline_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "headline"."""
    x, y = load(DATA)
    for row in chain(baseline_rows(ALL if sweep.full else QUICK), _ours(x, y), _peers(x, y, sweep.spu)):
        yield {"figure": "headline", "data": DATA, "rows": len(x), "columns": x.shape[1], **row}


def _ours(x: Array, y: Array) -> Iterator[Row]:
    by_roles: dict[str, list[Trial]] = {}
    for case, training in OURS.items():
        by_roles.setdefault(str(training.roles), []).append(Trial(case=case, training=training, x=x, y=y, data=DATA))
    for trials in by_roles.values():
        for row in measured(trials, REPEATS):
            system = "mpcfl-vertical" if row["partition"] == "vertical" else "mpcfl"
            yield {**row, "system": system, "seen": SEEN["mpcfl"]}


def _peers(x: Array, y: Array, spu: str) -> Iterator[Row]:
    wanted = descent(x, y, RATE, 0, ITERATIONS)
    for system in (one for one in SYSTEMS if one.name in PEERS):
        row: Row = {"case": system.remark, "system": system.name, "model": "logistic", "solver": "gradient"}
        row |= {"iterations": ITERATIONS, "compute_parties": 2, "dealer": system.dealer, "seen": SEEN[system.name]}
        if reason := why_not(system, "loopback", spu):
            yield {**row, "not_measured": reason}
            continue
        try:
            yield {**row, **_peer(system, x, y, wanted, spu)}
        except RuntimeError as error:
            yield {**row, "not_measured": str(error).strip().splitlines()[-1][-200:]}


def _peer(system: System, x: Array, y: Array, wanted: Array, spu: str) -> Row:
    fits = [ITERATIONS] * (2 if system.servers else 1 + REPEATS)
    with TemporaryDirectory(prefix="headline-") as folder:
        table = Path(folder) / "table.npz"
        save(table, x, y)
        spec = {"table": str(table), "rate": RATE, "batch": 0, "fits": fits, **system.spec}
        spec["waits_for"] = system.size - system.servers
        python = python_of(system, spu) or sys.executable
        outcome = run(system.program, system.size, spec, Places(), python=python, limit=200)
    last = sorted(outcome.fits[0][1:], key=lambda fit: fit["seconds"])[(len(fits) - 2) // 2]
    counted = outcome.fits[1][-1]  # at rank 0 CrypTen counts the dealer's messages too
    row: Row = {"rounds": counted["rounds"], "bytes": counted["bytes"]}
    row["bytes_online"] = dict.fromkeys(("rank 0", "rank 1"), counted["bytes"])
    row |= {"seconds": round(last["seconds"], 4), "cpu_seconds": {"all": round(last["cpu_seconds"], 3)}}
    row["seconds_all"] = [round(fit["seconds"], 4) for fit in outcome.fits[0]]
    found, z = np.array(last["weights"]), np.c_[x, np.ones(len(x))]
    row["reference"] = "the same steps in float64"
    row["relative"] = float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    row["accuracy"] = float(((z @ found > 0) == (y == 1)).mean())
    return {**row, "peer_versions": outcome.versions}
