"""The single party that can decrypt: what the key holder of the classic design learns, and CrypTen's rank 0.

    python scripts/attacks/key_holder.py [--out FOLDER]

In the classic design one party holds the key, and each participant's encrypted gradient passes through its hands. In
least squares a gradient is G w - h with the participant's sums of squares G = X'X and h = X'y, and the weights w of
each iteration are public: a straight line through them gives means, variances and covariances of the table of a
participant of any size. CrypTen by default has no dealer but rank 0, who draws the masks A itself; X - A is opened to
it, so

    rows = opened + drawn

are everybody's rows. In mpcfl no party has such a place: scripts/attacks/views.py has the complete views of all. Two of
them together have: the dealer, who has the masks, and a compute party, who has what was opened.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.crypten_views import BITS, views
from measuring.attacks.recorded import ROLES, TRAININGS, masks_of_the_dealer, recorded
from measuring.attacks.run import attack
from measuring.attacks.subtracting import sums_of
from measuring.real import load
from measuring.rows import Row

from mpcfl.baselines.aggregation import EVERYBODY, View
from mpcfl.baselines.federated import FederatedLearning
from mpcfl.baselines.homomorphic import HomomorphicEncryption
from mpcfl.baselines.problem import Problem
from mpcfl.baselines.secure_aggregation import SecureAggregation
from mpcfl.errors import MpcflError
from mpcfl.solvers.gradient import Gradient

Array = npt.NDArray[np.float64]
RATE, WITHIN = 0.3, 0.01
ITERATIONS = (1, 20, 100)


def key_holder_rows(seed: int) -> Iterator[Row]:
    """Figure "key holder"."""
    x, y = load("diabetes")
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], ((y - y.mean()) / y.std())[order]
    for iterations in ITERATIONS:
        yield of_classic(x, y, iterations)
    yield of_crypten(x)
    yield of_collusion(x, y, "the dealer and a compute party")
    yield of_collusion(x, y, "a compute party")


def of_classic(x: Array, y: Array, iterations: int) -> Row:
    """How many means, variances, covariances, and covariances with the target, of three participants, the key holder
    knows."""
    row: Row = {"case": f"CKKS, gradients summed, iterations: {iterations}", "system": "ckks-sum", "data": "diabetes"}
    row |= {"rows": len(x), "columns": x.shape[1], "iterations": iterations, "attacker": "key holder"}
    row |= {"sees": "the gradient of each participant", "unit": "means, variances, covariances", "within": WITHIN}
    try:
        aggregation = SecureAggregation(HomomorphicEncryption())
    except MpcflError as error:
        return {**row, "not_measured": str(error.args[0])}
    seen: list[View] = []
    problem, steps = Problem(name="a", model="linear", x=x, y=y), Gradient(learning_rate=RATE, iterations=iterations)
    FederatedLearning(problem.participants(), steps, aggregation=aggregation, observer=seen.append).train()
    weights = np.array([view.value for view in seen if view.role == EVERYBODY][:iterations])
    errors: list[Array] = []
    for i, (own, target) in enumerate(zip(np.array_split(x, 3), np.array_split(y, 3), strict=True)):
        gradients = np.array([view.value for view in seen if view.of == f"participant {i + 1}"])
        errors.append(np.abs(_statistics(*sums_of(weights, gradients), len(own)) - _true(own, target)))
    off = np.concatenate(errors)
    return {**row, "recovered": int((off < WITHIN).sum()), "of": off.size, "off": float(np.median(off))}


def _statistics(gram: Array, h: Array, n: int) -> Array:
    """Means, covariances (the upper triangle), and those with the target, of n rows."""
    d = len(h) - 1
    mean = gram[-1, :-1] / n
    covariance = gram[:-1, :-1] / n - np.outer(mean, mean)
    return np.r_[mean, covariance[np.triu_indices(d)], h[:-1] / n - mean * h[-1] / n]


def _true(x: Array, y: Array) -> Array:
    """The same of the rows themselves."""
    both = np.cov(np.c_[x, y], rowvar=False, bias=True)
    return np.r_[x.mean(axis=0), both[:-1, :-1][np.triu_indices(x.shape[1])], both[:-1, -1]]


def of_crypten(x: Array) -> Row:
    """Rank 0 deals, CrypTen's default: the rows of rank 1."""
    view, _ = views("TFP", x)
    rows = (view.opened + view.drawn).double().numpy() / 2.0**BITS
    true = np.array_split(x, 2)[0]
    off = np.abs(rows[: len(true)] - true)
    error = np.linalg.norm(off, axis=1) / np.linalg.norm(true - x.mean(axis=0), axis=1)
    row: Row = {"case": "CrypTen, TFP: rank 0", "system": "crypten-tfp", "data": "diabetes", "rows": len(x)}
    row |= {"columns": x.shape[1], "attacker": "rank 0, a compute party", "sees": "what is opened to all"}
    row |= {"recovered": int((off < 2 * 2.0**-BITS).all(axis=1).sum()), "of": len(true), "unit": "rows of rank 1"}
    row |= {"within": 2 * 2.0**-BITS, "worst": float(off.max()), "error": float(np.median(error))}
    return {**row, "example": {"true": true[0].round(4).tolist(), "read": rows[0].round(4).tolist()}}


def of_collusion(x: Array, y: Array, who: str) -> Row:
    """mpcfl, logistic (is the target above its mean): opened + drawn at two parties; at one, opened alone."""
    with masks_of_the_dealer() as drawn:
        seen = recorded(TRAININGS["logistic"], x, (y > 0).astype(float))
    mask, scale = drawn[0]
    opened = next(part for part in seen["north"].opened if part.shape == mask.shape)
    rows = (opened + mask if "dealer" in who else opened) / 2.0**scale
    others = slice(len(np.array_split(x, len(ROLES))[0]), None)  # after those of north
    off = np.abs(rows[others, : x.shape[1]] - x[others])
    error = np.linalg.norm(off, axis=1) / np.linalg.norm(x[others], axis=1)
    row: Row = {"case": f"mpcfl: {who}", "system": "mpcfl", "data": "diabetes", "rows": len(x), "columns": x.shape[1]}
    row |= {"attacker": who, "sees": "masks, and what is opened" if "dealer" in who else "what is opened"}
    row |= {"recovered": int((off < 2.0 ** (1 - scale)).all(axis=1).sum()), "of": len(off), "unit": "rows of others"}
    return {**row, "within": 2.0 ** (1 - scale), "error": float(np.median(error))}


if __name__ == "__main__":
    attack(__doc__, "key holder", key_holder_rows)
