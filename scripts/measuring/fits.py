"""One fit, measured: what it cost this party, whether that is what the plan says, and what came out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from measuring.parties import Gate, Roles, run_parties
from measuring.tables import TARGET, split
from mpcfl.cli.plan import plan_of
from mpcfl.data.facts import agree_on_facts
from mpcfl.data.table import Table
from mpcfl.errors import GuardError
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.world.meter import Meter
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What one party knows of a fit. `seconds`: from the gate to the weights; `cpu`: of all its threads meanwhile,
    which other work on the machine hardly changes; `phases`: where this party spent the seconds (offline: dealing, or
    expanding seeds and waiting for the dealer, between the rounds)."""

    party: str
    seconds: float
    cpu: float
    phases: Mapping[str, float]
    rounds: int
    bytes_online: int
    bytes_offline: int
    as_planned: bool
    ledger: list[str]
    refused: str = ""
    coefficients: list[Any] = field(default_factory=list)
    """(d,), or (classes, d)."""
    intercept: Any = float("nan")
    """A number, or (classes,)."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What to train on what. `x` (n, d), `y` (n,) are split over the owners; `partition` as in a job."""

    name: str
    partition: str
    settings: Settings
    x: Array
    y: Array


def fit(session: Session, gate: Gate, table: Table | None, settings: Settings, partition: str = "horizontal") -> Fit:
    """Every party calls this. GuardError, which all receivers of a result raise, is a result: refused."""
    refused, coefficients = "", np.zeros(0)
    intercept: Any = float("nan")
    gate()
    session.meter, session.ledger = Meter(), []
    start, cpu = time.perf_counter(), time.process_time()
    facts = agree_on_facts(session, partition, table.schema if table is not None else None, TARGET)
    try:
        outcome = train(session, facts, settings, table)
        coefficients, intercept = outcome.coefficients, np.asarray(outcome.intercept).tolist()
    except GuardError as error:
        refused = str(error.args[0])
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    phases = session.meter.as_dict()["seconds"]
    plan = plan_of(session.roster, facts, settings).meters[session.name].exact()
    run = session.meter.exact()
    online, offline = session.meter.total("online"), session.meter.total("offline")
    return Fit(
        party=session.name,
        seconds=seconds,
        cpu=cpu,
        phases=phases,
        rounds=online.rounds,
        bytes_online=online.bytes,
        bytes_offline=offline.bytes,
        as_planned=all(plan.get(phase) == run.get(phase) for phase in ("online", "offline")),
        ledger=[entry["what"] for entry in session.ledger],
        refused=refused,
        coefficients=coefficients.tolist(),
        intercept=intercept,
    )


def fit_cases(session: Session, gate: Gate, cases: list[Case]) -> list[Fit]:
    """A program for `run_parties`: all cases in turn, in one session. The first is done once before, uncounted: it
    loads libraries and compiled kernels."""
    fits = []
    for case in (cases[0], *cases):
        table = split(case.x, case.y, session.roster, case.partition).get(session.rank)
        fits.append(fit(session, gate, table, case.settings, case.partition))
    return fits[1:]


def run_cases(parties: Roles, cases: list[Case]) -> list[list[Fit]]:
    """For each case the fits of all parties, by rank."""
    by_party = run_parties(parties, fit_cases, cases)
    return [list(fits) for fits in zip(*by_party, strict=True)]


def costs(fits: list[Fit]) -> dict[str, Any]:
    """The columns that all figures have in common. Rounds are those of a compute party, seconds of the slowest."""
    return {
        "rounds": fits[0].rounds,
        "bytes_online": {fit.party: fit.bytes_online for fit in fits},
        "bytes_offline": {fit.party: fit.bytes_offline for fit in fits},
        "as_planned": all(fit.as_planned for fit in fits),
        "seconds": round(max(fit.seconds for fit in fits), 4),
        "cpu_seconds": {fit.party: round(fit.cpu, 4) for fit in fits},
    }


def distance(fit: Fit, reference: Array) -> dict[str, float]:
    """`relative`: |w - reference| / |reference|; `worst`: the largest |w_j - reference_j| / |reference_j|."""
    difference = np.array(fit.coefficients) - reference
    return {
        "relative": float(np.linalg.norm(difference) / np.linalg.norm(reference)),
        "worst": float((np.abs(difference) / np.abs(reference)).max()),
    }
