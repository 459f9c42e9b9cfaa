"""Large tables in memory over three organisations: seconds against pooled plaintext, bytes against rows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from measuring.fits import Fit, costs, distance, fit
from measuring.parties import THREE, Gate, run_parties
from measuring.tables import TARGET, large_part, split
from mpcfl.data.table import Table
from mpcfl.models.plaintext import normal_equations
from mpcfl.models.settings import Settings
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
COLUMNS = 100
REPEATS = 3
_WARM_UP = 300  # rows of a first fit that loads libraries and compiled kernels, and is not counted


def horizontal_program(session: Session, gate: Gate, rows: int, seed: int) -> list[Fit]:
    """A program for `run_parties`: the warm-up's fit, then `REPEATS` fits of the same table."""
    tables = []
    for n in (_WARM_UP, rows):
        x, y = large_part(_part(n, session.rank), COLUMNS, seed, session.rank)
        tables.append(Table.of({"x": x, TARGET: y}))
    return [fit(session, gate, table, Settings()) for table in (tables[0], *[tables[1]] * REPEATS)]


def horizontal(rows: int, seed: int) -> dict[str, Any]:
    """A row of the results. Seconds are medians; plaintext, with a thread for each core, runs before and after."""
    parts = [large_part(_part(rows, rank), COLUMNS, seed, rank) for rank in range(len(THREE))]
    x, y = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    del parts
    centred = _timed(lambda: normal_equations(x, y, 0.0, True))
    fused = _timed(lambda: _fused(x, y))
    by_party = run_parties(THREE, horizontal_program, rows, seed)
    centred += _timed(lambda: normal_equations(x, y, 0.0, True))
    fused += _timed(lambda: _fused(x, y))
    reference = normal_equations(x, y, 0.0, True)[:-1]
    warm_up, *runs = [list(fits) for fits in zip(*by_party, strict=True)]
    seconds = [max(one.seconds for one in fits) for fits in runs]
    middle = runs[int(np.argsort(seconds)[len(seconds) // 2])]
    slowest = max(middle, key=lambda one: one.seconds)
    return {
        "rows": rows,
        "columns": COLUMNS,
        **costs(middle),
        **distance(middle[0], reference),
        "seconds_all": [round(s, 4) for s in seconds],
        "seconds_first_fit": round(max(one.seconds for one in warm_up), 4),
        "phases": {one.party: {name: round(s, 4) for name, s in one.phases.items()} for one in middle},
        "slowest": slowest.party,
        **_medians("plaintext", centred),
        **_medians("plaintext_fused", fused),
    }


def vertical_program(session: Session, gate: Gate, rows: int, seed: int) -> list[Fit]:
    """A program for `run_parties`: a small fit, then one of the whole table; every owner makes its columns only."""
    fits = []
    for n in (_WARM_UP, rows):
        x, y = large_part(n, COLUMNS, seed, 0)
        table = split(x, y, session.roster, "vertical").get(session.rank)
        fits.append(fit(session, gate, table, Settings(), "vertical"))
    return fits


def vertical(rows: int, seed: int) -> dict[str, Any]:
    """A row of the results: bytes sent by a compute party against rows * columns elements of 8 bytes."""
    x, y = large_part(rows, COLUMNS, seed, 0)
    by_party = run_parties(THREE, vertical_program, rows, seed)
    plain = _timed(lambda: normal_equations(x, y, 0.0, True))
    fits = [fits[-1] for fits in by_party]
    return {
        "rows": rows,
        "columns": COLUMNS,
        **costs(fits),
        **distance(fits[0], normal_equations(x, y, 0.0, True)[:-1]),
        "bytes_over_table": round(fits[0].bytes_online / (8 * rows * COLUMNS), 5),
        "phases": {one.party: {name: round(s, 4) for name, s in one.phases.items()} for one in fits},
        **_medians("plaintext", plain),
    }


def _part(rows: int, rank: int) -> int:
    return rows * (rank + 1) // len(THREE) - rows * rank // len(THREE)


def _timed(function: Callable[[], object]) -> list[tuple[float, float]]:
    """(seconds, CPU seconds of all threads) of each repetition."""
    taken = []
    for _ in range(REPEATS):
        start, cpu = time.perf_counter(), time.process_time()
        function()
        taken.append((time.perf_counter() - start, time.process_time() - cpu))
    return taken


def _medians(name: str, taken: list[tuple[float, float]]) -> dict[str, float]:
    seconds, cpu = zip(*taken, strict=True)
    return {
        f"seconds_{name}": round(statistics.median(seconds), 4),
        f"cpu_seconds_{name}": round(statistics.median(cpu), 4),
    }


def _fused(x: Array, y: Array) -> Array:
    """The fastest plaintext that we know: no centred copy, the means are taken out of the Gram matrix afterwards. It
    loses digits where a mean is large, which mpcfl does not allow itself."""
    n = len(x)
    mean_x, mean_y = np.ones(n) @ x / n, float(y.mean())
    gram = x.T @ x - np.outer(mean_x, mean_x) * n
    coefficients = np.linalg.solve(gram, x.T @ y - mean_x * (mean_y * n))
    return np.append(coefficients, mean_y - mean_x @ coefficients).astype(np.float64, copy=False)
