"""Standardised moments made directly, without the protocols that lead to them: for solvers alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
ROWS = 500


def gram_of(d: int, *, condition: float = 30.0, seed: int = 0) -> Array:
    """(d + 1, d + 1): Gram matrix in near-correlation form, divided by d; the target last, and explained in part.
    Its elements are ring elements exactly: what a solver makes wrong is the solver's."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    x = rng.normal(size=(ROWS, d)) * np.sqrt(np.geomspace(1, 1 / condition, d)) @ turn.T
    x /= x.std(axis=0) * rng.uniform(1.05, 1.9, d)  # variances in [1/4, 1)
    y = x @ rng.normal(size=d)
    y = y / y.std() * 0.6 + 0.4 * rng.normal(size=ROWS)
    z = np.c_[x, y]
    return np.asarray(np.round(z.T @ z / ROWS / d * 2.0**GRAM_SCALE) / 2.0**GRAM_SCALE)


def moments_of(session: Session, gram: Array) -> Standardised:
    """Shared as rank 0's input; the columns' own sizes are 1."""
    columns = len(gram)
    d = columns - 1
    here = session.rank == 0 and not session.dry_run
    ring = encode(gram, GRAM_SCALE, name="a Gram matrix") if here else None
    units = torch.ones(columns, dtype=torch.int64) if here else None
    zeros = torch.zeros(columns, dtype=torch.int64) if here else None
    shares = share_inputs(
        session,
        [
            Input("gram", 0, (columns, columns), GRAM_SCALE, 1.0 / d, ring),
            Input("power", 0, (columns,), 0, 2.0**15, units),
            Input("exponent", 0, (columns,), 0, 64.0, zeros),
        ],
    )
    return Standardised(
        rows=ROWS, features=d, gram=shares[0], exponent=shares[2], power=shares[1], mean=None, varies=None
    )
