"""Membership inference: was this row trained on? From the revealed weights alone, with and without a ridge penalty.

    python scripts/attacks/membership.py [--out FOLDER]

MPC protects what happens on the way, not the outputs: the weights are exact, and say of single rows what weights of
plaintext training say. The attacker knows a row with its target, and rows of its own on which it trains weights that
have not seen it: a member's loss is lower under the revealed weights than under those, or just low; the better of the
two is reported. AUC is the chance that a member looks more like one than another row does; 1/2 is guessing. Mean of so
many random splits of the table, with its 95 % interval.
Weights of mpcfl itself, from runs of the real program, give the same. Differential privacy would stand here: mpcfl has
none yet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.outputs import Model, auc, scores
from measuring.attacks.recorded import weights_of
from measuring.attacks.run import attack
from measuring.real import load
from measuring.rows import Row

Array = npt.NDArray[np.float64]
DATA = {"linear": "diabetes", "logistic": "breast-cancer"}
PENALTIES = {"linear": (0.0, 10.0, 100.0), "logistic": (0.01, 1.0, 10.0)}
MEMBERS = (20, 40, 80, 160)
SHADOWS = 8
TRIALS = {"linear": 200, "logistic": 40}
REAL_TRIALS = 20


def membership_rows(seed: int, trials: dict[str, int] = TRIALS, real: int = REAL_TRIALS) -> Iterator[Row]:
    """Figure "membership"."""
    for model, data in DATA.items():
        x, y = load(data)
        y = (y - y.mean()) / y.std() if model == "linear" else y
        for l2 in PENALTIES[model]:
            for n in MEMBERS:
                yield {**measured(Model(model, l2), x, y, n, trials[model], seed), "data": data}
    x, y = load("diabetes")
    yield {**of_mpcfl(x, (y - y.mean()) / y.std(), MEMBERS[1], real, seed), "data": "diabetes"}
    yield {"case": "with differential privacy", "not_measured": "mpcfl adds no noise to its outputs yet"}


def measured(model: Model, x: Array, y: Array, n: int, trials: int, seed: int) -> Row:
    """The row of `n` members."""
    found = np.array([trial(model, x, y, n, np.random.default_rng([seed, n, i])) for i in range(trials)])
    mean, margin = found.mean(axis=0), 1.96 * found.std(axis=0, ddof=1) / trials**0.5
    row: Row = {"case": f"{model.name}, l2 = {model.l2:g}, n = {n}", "model": model.name, "l2": model.l2, "rows": n}
    row |= {"columns": x.shape[1], "attacker": "whoever has the weights", "knows": "the row, and rows of its own"}
    best = int(mean[1] > mean[0])
    row |= {"trials": trials, "shadows": SHADOWS, "auc": float(mean[best]), "auc_margin": float(margin[best])}
    row |= {"auc_by_shadows": float(mean[0]), "auc_by_loss": float(mean[1])}
    return {**row, "score_members": float(mean[2]), "score_others": float(mean[3])}


def trial(model: Model, x: Array, y: Array, n: int, rng: np.random.Generator, w: Array | None = None) -> list[float]:
    """AUC of the attack with shadows and of the loss alone, and how good the weights are on members and on others.
    `w`: the weights, if they are not to be trained here."""
    members, others, own = drawn(y, n, rng)
    w = model.fit(x[members], y[members]) if w is None else w
    shadows = []
    while len(shadows) < SHADOWS:
        some = rng.choice(own, min(n, len(own)), replace=False)
        if model.name == "linear" or len(set(y[some])) == 2:
            shadows.append(model.fit(x[some], y[some]))
    ours, theirs = (scores(model, w, shadows, x[rows], y[rows]) for rows in (members, others))
    losses = [-model.losses(w, x[rows], y[rows]) for rows in (members, others)]
    good = [model.score(w, x[rows], y[rows]) for rows in (members, others)]
    return [auc(ours, theirs), auc(*losses), *good]


def drawn(y: Array, n: int, rng: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Members, as many others (fewer if there are not so many), and the attacker's own rows; members of two classes."""
    order = rng.permutation(len(y))
    while len(set(y[order[:n]])) == 1:
        order = rng.permutation(len(y))
    rest = (len(y) - n) // 2
    return [order[:n], order[n : n + min(n, rest)], order[n + min(n, rest) :]]


def of_mpcfl(x: Array, y: Array, n: int, trials: int, seed: int, l2: float = 10.0) -> Row:
    """The same attack on weights that runs of mpcfl revealed, beside the same on those of plaintext training."""
    model, training = Model("linear", l2), {"job": {"model": "ridge"}, "model": {"alpha": l2}}
    ours, plain = [], []
    for i in range(trials):
        members, _, _ = drawn(y, n, np.random.default_rng([seed, n, i]))
        w = weights_of(training, x[members], y[members])
        ours.append(trial(model, x, y, n, np.random.default_rng([seed, n, i]), w)[0])
        plain.append(trial(model, x, y, n, np.random.default_rng([seed, n, i]))[0])
    row: Row = {"case": f"linear, l2 = {l2:g}, n = {n}, weights of mpcfl", "system": "mpcfl", "model": "linear"}
    row |= {"l2": l2, "rows": n, "columns": x.shape[1], "attacker": "whoever has the weights", "trials": trials}
    row |= {"knows": "the row, and rows of its own", "auc": float(np.mean(ours))}
    return {
        **row,
        "auc_margin": float(1.96 * np.std(ours, ddof=1) / trials**0.5),
        "auc_plaintext": float(np.mean(plain)),
    }


if __name__ == "__main__":
    attack(__doc__, "membership", membership_rows)
