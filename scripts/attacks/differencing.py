"""Differencing: models that were trained with a person's row and without it are subtracted. What is found of the row?

    python scripts/attacks/differencing.py [--out FOLDER]

MPC protects what happens on the way; whoever gets the weights may subtract. Who knows all other rows needs no second
model: what is left of the gradient at the weights is the row's. Who knows some of them needs two models, and guesses
the sums of squares of the others. Who knows none, but takes part again and again with rows of its own choice (nobody
can check them), has those sums after d + 2 runs, and the row after one more. Of an owner of several rows a weighted
mean of them is found. All that with weights rounded to so many digits: those of mpcfl have 9, of which the last three
are its own rounding (cases "weights of mpcfl"). Errors are those of x, beside guessing the mean of the table; 10: 10 or
more.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.outputs import Model
from measuring.attacks.recorded import weights_of
from measuring.attacks.run import attack
from measuring.attacks.subtracting import by_models, by_own_rows, by_rows, minimum, rounded, row_of
from measuring.real import load
from measuring.rows import Row

Array = npt.NDArray[np.float64]
DATA = {"linear": ("diabetes", 10), "logistic": ("breast-cancer", 10)}
"""Table of a model, and how many of its columns are taken."""
L2, WITHIN = 1.0, 0.05
ROWS = (40, 440)
DIGITS = (9, 6, 4, 3, 2)
TRIALS, REAL_TRIALS = 100, 4
ALL, HALF, NONE = "all other rows", "half of the other rows", "no other row, but changes its own"
KNOWS = {ALL: 1, HALF: 2, NONE: DATA["linear"][1] + 3}
"""What of the table, and how many models are needed for it."""
OWN = 20  # rows that an attacker changes
FAR, MOST = 5.0, 10.0  # times as far from the mean; error that is kept


@dataclass(frozen=True)
class Published:
    """Two models of a table: of all rows, and without the first `hidden`, which are one owner's. far: so many times as
    far from the mean as they were. system: "mpcfl" if runs of it revealed the weights."""

    model: Model
    x: Array
    y: Array
    weights: Array
    without: Array
    hidden: int = 1
    far: float = 1.0
    system: str = ""
    changed: Sequence[tuple[Array, Array, Array]] = ()
    """Own rows of an attacker, and the weights of x, y and those; then `without` was trained with the first of them."""

    @property
    def case(self) -> str:
        what = f", {self.far:g} times as far out" if self.far > 1 else ""
        what += f", an owner of {self.hidden} rows" if self.hidden > 1 else ""
        return f"n = {len(self.x)}{what}" + (", weights of mpcfl" if self.system else "")


def differencing_rows(seed: int, trials: int = TRIALS, real: int = REAL_TRIALS) -> Iterator[Row]:
    """Figure "differencing"."""
    for name in DATA:
        for n in ROWS:
            made = published(name, n, trials, seed)
            yield from (measured(name, made, knows, digits) for knows in (ALL, HALF) for digits in DIGITS)
    for n in ROWS:
        made = published("linear", n, trials // 5, seed, runs=KNOWS[NONE] - 1)
        yield from (measured("linear", made, NONE, digits) for digits in DIGITS)
    made = published("linear", ROWS[-1], trials, seed, far=FAR)
    yield from (measured("linear", made, ALL, digits) for digits in DIGITS)
    for hidden in (2, 4):
        yield measured("linear", published("linear", ROWS[0], trials, seed, hidden=hidden), ALL, DIGITS[0])
    made = published("linear", ROWS[0], real, seed, system="mpcfl")
    yield from (measured("linear", made, knows, DIGITS[0]) for knows in (ALL, HALF))
    made = published("linear", ROWS[0], 1, seed, runs=KNOWS[NONE] - 1, system="mpcfl")
    yield measured("linear", made, NONE, DIGITS[0])
    yield {"case": "with differential privacy", "not_measured": "mpcfl adds no noise to its outputs yet"}


def published(
    name: str, n: int, trials: int, seed: int, *, hidden: int = 1, far: float = 1.0, runs: int = 0, system: str = ""
) -> list[Published]:
    """Of so many random choices of n rows, of both classes also without the hidden ones. runs: with own rows of an
    attacker, others in each."""
    (table, columns), model, made = DATA[name], Model(name, L2), []
    x, y = load(table)
    y = (y - y.mean()) / y.std() if name == "linear" else y
    for i in range(trials):
        rng = np.random.default_rng([seed, n, i])
        order = rng.permutation(len(y))[:n]
        while len(set(y[order[hidden:]])) == 1:
            order = rng.permutation(len(y))[:n]
        own, target = x[order, :columns], y[order]
        own[:hidden] *= far
        chosen = [(rng.standard_normal((OWN, columns)), rng.standard_normal(OWN)) for _ in range(runs)]
        changed = [(a, b, _trained(model, np.r_[own, a], np.r_[target, b], system)) for a, b in chosen]
        a, b = chosen[0] if chosen else (own[:0], target[:0])
        of_all = changed[0][2] if changed else _trained(model, own, target, system)
        of_others = _trained(model, np.r_[own[hidden:], a], np.r_[target[hidden:], b], system)
        made.append(Published(model, own, target, of_all, of_others, hidden, far, system, changed))
    return made


def _trained(model: Model, x: Array, y: Array, system: str) -> Array:
    if system:
        return weights_of({"job": {"model": "ridge"}, "model": {"alpha": model.l2}}, x, y)
    return minimum(model, x, y)


def measured(name: str, made: list[Published], knows: str, digits: int) -> Row:
    """The row of an attacker who knows that of the others, and gets weights of so many digits."""
    errors, off, lost = np.array([subtracted(one, knows, digits) for one in made]).T
    one, (table, columns) = made[0], DATA[name]
    case = f"{name}, {knows}, {one.case}" + ("" if one.system else f", {digits} digits")
    row: Row = {"case": case, "model": name, "l2": L2, "rows": len(one.x), "columns": columns, "data": table}
    row |= {"digits": digits, "attacker": "whoever has the weights", "knows": knows, "models": KNOWS[knows]}
    row |= {"far": one.far, "rows_of_owner": one.hidden, "trials": len(made)}
    row |= {"system": one.system} if one.system else {}
    row |= {"recovered": int((errors < WITHIN).sum()), "of": len(made), "unit": "rows", "within": WITHIN}
    return {**row, "error": float(np.median(errors)), "off": float(np.median(off)), "score_lost": float(lost.mean())}


def subtracted(one: Published, knows: str, digits: int) -> tuple[float, float, float]:
    """The error of x beside guessing, |found - true| of the target, and what the digits that are left out cost in
    R^2 or accuracy. Of several hidden rows the nearest counts."""
    model, hidden, others = one.model, one.hidden, len(one.x) - one.hidden
    w, without = (rounded(weights, digits) for weights in (one.weights, one.without))
    if knows == ALL:
        moved = by_rows(model, w, one.x[hidden:], one.y[hidden:])
    elif knows == HALF:
        moved = by_models(model, w, without, one.x[hidden : hidden + others // 2], others)
    else:
        moved, _ = by_own_rows(model, [(x, y, rounded(of, digits)) for x, y, of in one.changed], without)
    found, target = row_of(model, without if knows == NONE else w, moved)
    errors = np.linalg.norm(found - one.x[:hidden], axis=1) / np.linalg.norm(one.x[:hidden], axis=1)
    off = abs(target - one.y[errors.argmin()])
    error, off = (float(np.nan_to_num(np.minimum(value, MOST), nan=MOST)) for value in (errors.min(), off))
    return error, off, model.score(one.weights, one.x, one.y) - model.score(w, one.x, one.y)


if __name__ == "__main__":
    attack(__doc__, "differencing", differencing_rows)
