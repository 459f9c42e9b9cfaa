"""Model inversion: a column of a person that is not known, from all others, the target and the revealed weights.

    python scripts/attacks/model_inversion.py [--out FOLDER]

The attacker knows all columns of a row but one, its target, and from public rows without targets how that column goes
with the others. What the weights add: the mean of the column given all that, against the mean without them. R^2 of it,
over all columns and many random splits, for rows that were trained on and for rows that were not: the second says what
the model says about everybody, member or not, which is what it was trained for; the difference is what a member risked
by taking part.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.outputs import Model, Prior, inverted
from measuring.attacks.run import attack
from measuring.real import load
from measuring.rows import Row

Array = npt.NDArray[np.float64]
DATA = {"linear": ("diabetes", 10), "logistic": ("breast-cancer", 10)}
"""Table of a model, and how many of its columns are taken."""
PENALTIES = {"linear": (0.0, 10.0, 100.0), "logistic": (0.01, 1.0, 10.0)}
MEMBERS = (20, 40, 80, 160)
TRIALS = 40


def inversion_rows(seed: int, trials: int = TRIALS) -> Iterator[Row]:
    """Figure "model inversion"."""
    for name, (data, columns) in DATA.items():
        x, y = load(data)
        y = (y - y.mean()) / y.std() if name == "linear" else y
        for l2 in PENALTIES[name]:
            for n in MEMBERS:
                yield {**measured(Model(name, l2), x[:, :columns], y, n, trials, seed), "data": data}


def measured(model: Model, x: Array, y: Array, n: int, trials: int, seed: int) -> Row:
    """The row of `n` members; R^2 of members and of others, each with and without the weights."""
    found = np.array([trial(model, x, y, n, np.random.default_rng([seed, n, i])) for i in range(trials)])
    with_members, members, with_others, others = found.mean(axis=0)
    gain = (found[:, 0] - found[:, 1]) - (found[:, 2] - found[:, 3])
    row: Row = {"case": f"{model.name}, l2 = {model.l2:g}, n = {n}", "model": model.name, "l2": model.l2, "rows": n}
    row |= {"columns": x.shape[1], "attacker": "whoever has the weights", "trials": trials}
    row |= {"knows": "all columns but one, the target, public rows without targets"}
    row |= {"r2_members": float(with_members), "r2_members_without": float(members)}
    row |= {"r2_others": float(with_others), "r2_others_without": float(others)}
    return {**row, "risk": float(gain.mean()), "risk_margin": float(1.96 * gain.std(ddof=1) / trials**0.5)}


def trial(model: Model, x: Array, y: Array, n: int, rng: np.random.Generator) -> list[float]:
    """R^2 of members with and without the weights, then of others; over all columns."""
    order = rng.permutation(len(y))
    while len(set(y[order[:n]])) == 1:
        order = rng.permutation(len(y))
    members, others, public = order[:n], order[n : 2 * n], order[2 * n :]
    w = model.fit(x[members], y[members])
    noise = float(np.sqrt(model.losses(w, x[members], y[members]).sum() / max(n - x.shape[1] - 1, 1)))
    results = []
    for rows in (members, others):
        wrong = np.zeros(3)
        for column in range(x.shape[1]):
            prior = Prior.of(x[public], column)
            true = x[rows, column]
            guesses = (inverted(model, w, noise, prior, x[rows], y[rows], column), prior.mean(x[rows], column))
            wrong += [float(((guess - true) ** 2).sum()) for guess in (*guesses, x[public, column].mean())]
        results += [1 - wrong[0] / wrong[2], 1 - wrong[1] / wrong[2]]
    return results


if __name__ == "__main__":
    attack(__doc__, "model inversion", inversion_rows)
