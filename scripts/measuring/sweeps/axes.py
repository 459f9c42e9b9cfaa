"""What a training costs against rows, columns, compute parties and data owners: exact counts, and measurements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from measuring.real import load, synthetic
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.trainings import Training, Trial, measured

ITERATIONS = 20
STEPS = {"name": "gradient", "learning_rate": 0.1, "iterations": ITERATIONS}
TRAININGS = {
    "linear, horizontal": Training(),
    "linear, vertical": Training(partition="vertical"),
    f"logistic, {ITERATIONS} steps": Training(model="logistic", solver=STEPS, parameters={"penalty": "none"}),
}
ROWS, COLUMNS = 10_000, 30
AXES: dict[str, tuple[int, ...]] = {
    "rows": (10**3, 10**4, 10**5, 10**6),
    "columns": (10, 30, 100, 200, 500),
    "compute_parties": (2, 3, 4, 5, 6, 7, 8),
    "owners": (2, 3, 5, 10, 20, 50, 100, 200, 500, 1000),
}


def planned(_: Sweep) -> Iterator[Row]:
    """Figure "plan": every point of every axis, the others as they are, by dry runs: exact, and the same on any
    machine."""
    for name, training in TRAININGS.items():
        for axis, values in AXES.items():
            if axis == "owners" and training.partition == "vertical":
                continue  # a column each at most
            for value in values:
                rows, columns = (value if axis == at else size for at, size in (("rows", ROWS), ("columns", COLUMNS)))
                chosen = replace(training, owners=3)
                if axis == "compute_parties":
                    chosen = replace(training, compute=value, owners=value)
                elif axis == "owners":
                    chosen = replace(training, owners=value)
                case = f"{name}, {axis} {value}"
                yield {"figure": "plan", "case": case, "axis": axis, "training": name, **chosen.planned(rows, columns)}


def against_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "rows": seconds, phases and errors of three organisations, d = 30."""
    sizes = [n for n in AXES["rows"] if sweep.full or n <= 10**5]
    for n in sizes:  # one session a size: a large table would hold up the small ones
        yield from _rows("rows", {n: (n, COLUMNS)}, sweep.seed, repeats=3 if n <= 10**5 else 1)


def against_columns(sweep: Sweep) -> Iterator[Row]:
    """Figure "columns": the same for n = 10,000."""
    sizes = [d for d in AXES["columns"] if sweep.full or d <= 100]
    yield from _rows("columns", {d: (ROWS, d) for d in sizes}, sweep.seed, repeats=1 if sweep.full else 3)


def _rows(figure: str, sizes: dict[int, tuple[int, int]], seed: int, repeats: int) -> Iterator[Row]:
    trials, names = [], []
    for name, training in TRAININGS.items():
        for value, (n, d) in sizes.items():
            x, y = synthetic(training.model, n, d, seed)
            trials.append(Trial(case=f"{name}, {figure} {value}", training=training, x=x, y=y))
            names.append(name)
    for name, row in zip(names, measured(trials, repeats), strict=True):
        yield {"figure": figure, "training": name, **row}


def against_parties(sweep: Sweep) -> Iterator[Row]:
    """Figure "parties": N compute parties who own data, and a helper; diabetes, and steps on breast cancer."""
    for count in AXES["compute_parties"] if sweep.full else (2, 3, 5, 8):
        trials, names = [], []
        for name, training in TRAININGS.items():
            x, y = load("diabetes" if training.model == "linear" else "breast-cancer")
            data = "diabetes" if training.model == "linear" else "breast-cancer"
            chosen = replace(training, compute=count, owners=count)
            trials.append(Trial(case=f"{name}, N = {count}", training=chosen, x=x, y=y, data=data))
            names.append(name)
        for name, row in zip(names, measured(trials), strict=True):
            yield {"figure": "parties", "training": name, **row}
