"""Many data owners, two compute parties: each owner sends its statistics in one message and is done.

All parties are threads of one process (`measuring.one_process`): rounds, bytes and errors are those of a real run; CPU
seconds are each party's own; there are no seconds of the whole, which would be those of a thousand parties on one core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from measuring.one_process import run_threads
from measuring.real import synthetic
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.tables import split
from measuring.trainings import Training
from mpcfl.cli.assembly import roster_of
from mpcfl.cli.plan import facts_from_counts
from mpcfl.models.training import Outcome, train
from mpcfl.world.session import Session

ROWS_EACH, COLUMNS = 20, 10


def owners_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "owners": linear regression, horizontal."""
    _row(Training(owners=3), *synthetic("linear", 60, COLUMNS, sweep.seed))  # compiles and loads, uncounted
    for owners in (2, 10, 100, 1000) if sweep.full else (2, 10, 100):
        yield _row(Training(owners=owners), *synthetic("linear", owners * ROWS_EACH, COLUMNS, sweep.seed))


def _row(training: Training, x: np.ndarray, y: np.ndarray) -> Row:
    roster, facts, settings = roster_of(training.job), facts_from_counts(training.job, *x.shape), training.settings
    tables, spent, costs = split(x, y, roster, "horizontal"), {}, {}

    def program(session: Session) -> Outcome:
        start = time.thread_time()
        outcome = train(session, facts, settings, tables.get(session.rank))
        spent[session.rank] = time.thread_time() - start
        costs[session.rank] = session.meter.total("online"), session.meter.total("offline")
        return outcome

    outcome = run_threads(roster, program)[0]
    found, (wanted, _) = np.append(outcome.coefficients, outcome.intercept), training.reference(x, y)
    planned, last = training.planned(*x.shape), roster.owners[-1]
    row: Row = {**training.words(*x.shape), "figure": "owners", "case": f"{training.owners} owners", "processes": 1}
    row |= {"data": "synthetic", "rounds": costs[0][0].rounds, "bytes": max(costs[r][0].bytes for r in roster.compute)}
    row["bytes_offline"] = {roster.names[roster.dealer]: costs[roster.dealer][1].bytes}
    if last not in roster.compute:
        row["bytes_owner"] = costs[last][0].bytes
    row["as_planned"] = all(row.get(name) == planned.get(name) for name in ("rounds", "bytes", "bytes_owner"))
    shown = {"compute party": 0, "dealer": roster.dealer, "owner": last}
    row["cpu_seconds"] = {name: round(spent[rank], 4) for name, rank in shown.items()}
    row["reference"] = "the least-squares solution in float64"
    return {**row, "relative": float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))}
