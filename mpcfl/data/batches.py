"""Gram matrices of mini-batches on the data as given, for gradient descent step by step.

z = (features, 1 if there is an intercept, target). For each batch B the parties share

    U_B = learning_rate / |B| * sum over rows of z z^T

so that a gradient step is w <- w - (U w - u) with no public factor left to multiply by. Horizontal owners compute their
part in float64; in a vertical partition it is one pinned Gram product of rows scaled by sqrt(learning_rate / |B|).

The scales are fixed and public, so each owner checks on its own data, before it shares any, that the loop can neither
diverge nor leave the ring; it says so in an error of its own and tells the others only that it stops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.moments import batch_moments
from mpcfl.data.source import Source
from mpcfl.errors import GuardError, JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import together
from mpcfl.protocols.truncation import truncation
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share, concatenate
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
STEP_SCALE = 26  # of U
_ROW_SCALE = 28  # of rows in a vertical partition
STABLE = 2.0  # of plain gradient descent, and with heavy-ball momentum
_TARGET_BOUND = 2.0**5


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """What the fixed scales depend on, all public."""

    learning_rate: float
    iterations: int
    momentum: float
    batch: int
    fit_intercept: bool
    weight_bound: float
    alpha: float
    start: float  # norm of the first weights
    nesterov: bool = False

    @property
    def stable(self) -> float:
        """The loop converges while learning_rate times the largest eigenvalue stays below."""
        m = self.momentum if self.nesterov else 0.0
        return STABLE * (1 + m) / (1 + 2 * m)


def batches(facts: Facts, size: int) -> list[npt.NDArray[np.int64]]:
    """Rows of each batch, none of them held out, numbered over all owners in turn; one public shuffle, then the batches
    come round in order. `size` 0: one batch of all rows. JobError: a batch would have more rows than there are."""
    training = np.flatnonzero(~facts.held_out_rows)
    return [training[places] for places in training_batches(facts, size)]


def training_batches(facts: Facts, size: int) -> list[npt.NDArray[np.int64]]:
    """The same batches, numbered over the training rows alone, as the plaintext twins have them."""
    rows = facts.training_rows
    if size > rows:
        raise JobError(
            f"[solver] batch = {size} is more than the {rows} rows to train on", hint="take fewer, or 0 for all rows"
        )
    if size in (0, rows):
        return [np.arange(rows)]
    order = np.random.Generator(np.random.PCG64(facts.seed)).permutation(rows)
    return [np.sort(order[start : start + size]) for start in range(0, rows, size)]


def share_batches(session: Session, own: Source | None, facts: Facts, descent: Descent) -> list[Share]:
    """U of each batch, (D', D') at scale 26, D' = features, intercept, target. Cost: share 1 round (an owner who does
    not compute sends D'^2 elements a batch, or its columns once); vertical also an opening and a truncation."""
    chosen = batches(facts, descent.batch)
    if facts.partition == "vertical":
        return _vertical(session, own, facts, descent, chosen)
    width = facts.columns + descent.fit_intercept
    inputs = []
    for rank in facts.owners:
        rings: list[torch.Tensor | None] = [None] * len(chosen)
        if own is not None and rank == session.rank:
            with session.phase("local"):
                rings = _own_batches(session, own, facts, descent, chosen)
        inputs += [Input("batch", rank, (width, width), STEP_SCALE, descent.weight_bound, ring) for ring in rings]
    shares = share_inputs(session, inputs)
    totals = shares[: len(chosen)]
    for start in range(len(chosen), len(shares), len(chosen)):
        totals = [a + b for a, b in zip(totals, shares[start : start + len(chosen)], strict=True)]
    return totals


def _own_batches(
    session: Session, own: Source, facts: Facts, descent: Descent, chosen: list[npt.NDArray[np.int64]]
) -> list[torch.Tensor | None]:
    first = sum(rows for rank, rows in facts.rows.items() if rank < session.rank)
    mine = [rows[(rows >= first) & (rows < first + own.rows)] - first for rows in chosen]
    sums = batch_moments(own, mine, target=facts.target, intercept=descent.fit_intercept)
    rings: list[torch.Tensor | None] = []
    for total, local, rows in zip(sums, mine, chosen, strict=True):
        if len(local):
            _check(own.name, total / len(local), descent, penalty=descent.alpha / facts.training_rows)
        total[-1, -1] = 0.0  # of the target nothing but its products with the features is needed
        rings.append(encode(total * (descent.learning_rate / len(rows)), STEP_SCALE, name="a batch"))
    return rings


def _check(name: str, mean: Array, descent: Descent, *, parts: int = 1, penalty: float) -> None:
    """GuardError unless this owner's part keeps the loop stable and the weights in bounds. `mean`: of z z^T over
    its rows; `parts`: number of owners whose blocks add up (vertical)."""
    d = len(mean) - 1
    largest = float(np.linalg.eigvalsh(mean[:d, :d])[-1]) if d else 0.0
    if descent.learning_rate * (largest * parts + penalty) > descent.stable:
        raise GuardError(
            f"{name}: learning_rate = {descent.learning_rate:g} makes gradient descent diverge on this table",
            hint="use a smaller learning_rate, bring the columns to mean 0 and variance 1, or use the doubling solver",
        )
    travelled = (
        descent.iterations * descent.learning_rate * float(np.linalg.norm(mean[:d, -1])) / (1 - descent.momentum)
    )
    if descent.start + travelled > descent.weight_bound:
        raise GuardError(
            f"{name}: the weights might pass weight_bound = {descent.weight_bound:g}",
            hint="bring the target to mean 0 and variance 1, or raise [solver] weight_bound (it costs precision)",
        )


def _vertical(
    session: Session, own: Source | None, facts: Facts, descent: Descent, chosen: list[npt.NDArray[np.int64]]
) -> list[Share]:
    table = None
    if own is not None:
        with session.phase("local"):
            table = _own_columns(session, own, facts, descent)
    order = _order(facts, descent)
    pinned = []
    for rows in chosen:
        inputs = []
        for rank in facts.owners:
            width = len(_places(facts, descent, rank))
            ring = None
            if table is not None and rank == session.rank:
                scaled = table[rows] * math.sqrt(descent.learning_rate / len(rows))
                ring = encode(scaled, _ROW_SCALE, name="a scaled column")
            inputs.append(Input("columns", rank, (len(rows), width), _ROW_SCALE, _TARGET_BOUND, ring))
        pinned.append(Pinned(concatenate(share_inputs(session, inputs), dim=1)[:, order]))
    results = together(session, *[p.opening() for p in pinned], *[p.gram() for p in pinned])
    grams = [gram[:-1].within(STABLE * _TARGET_BOUND / 2) for gram in results[len(pinned) :]]
    return together(session, *[truncation(gram, 2 * _ROW_SCALE - STEP_SCALE) for gram in grams])


def _places(facts: Facts, descent: Descent, rank: int) -> list[int]:
    """Places of an owner's columns in z; the owner of the target brings the intercept's ones."""
    d, has_one = len(facts.features), descent.fit_intercept
    places = [j if j < d else d + has_one for j in facts.positions(rank)]
    return [*places[:-1], d, places[-1]] if has_one and facts.holders[-1] == rank else places


def _order(facts: Facts, descent: Descent) -> torch.Tensor:
    places = [place for rank in facts.owners for place in _places(facts, descent, rank)]
    return torch.argsort(torch.tensor(places))


def _own_columns(session: Session, own: Source, facts: Facts, descent: Descent) -> Array:
    """(rows, own columns) in the order of z, checked."""
    names = [*facts.features, facts.target]
    order = [own.columns.index(names[j]) for j in facts.positions(session.rank)]
    table = np.concatenate([block[:, order] for block in own.chunks()])
    owns_target = facts.holders[-1] == session.rank
    target = table[:, -1:] if owns_target else np.zeros((len(table), 1))
    features = table[:, :-1] if owns_target else table
    if owns_target and descent.fit_intercept:
        features = np.concatenate([features, np.ones((len(table), 1))], axis=1)
    if owns_target:
        _check_target(own.name, target[~facts.held_out_rows], descent)
    z = np.concatenate([features, target], axis=1)
    penalty, training = descent.alpha / facts.training_rows, z[~facts.held_out_rows]
    _check(own.name, training.T @ training / len(training), descent, parts=len(facts.owners), penalty=penalty)
    return z if owns_target else features


def _check_target(name: str, target: Array, descent: Descent) -> None:
    """The other owners' columns are unknown here, but |h| <= sqrt(2 / learning_rate) root(mean of y^2)."""
    size = math.sqrt(descent.learning_rate * float(np.mean(target**2)))
    travelled = descent.iterations * math.sqrt(STABLE) * size / (1 - descent.momentum)
    if size > _TARGET_BOUND / 2 or descent.start + travelled > descent.weight_bound:
        raise GuardError(
            f"{name}: the target is too large for weight_bound {descent.weight_bound:g} in {descent.iterations} steps",
            hint="bring the target to mean 0 and variance 1, raise [solver] weight_bound, or use the doubling solver",
        )
