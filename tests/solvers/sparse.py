"""Least squares with an l1 penalty on moments made directly: shared here, solved by scikit-learn in float64."""

from __future__ import annotations

import numpy as np
import sklearn.linear_model as sk
import torch

from mpcfl.data.standardised import GRAM_SCALE
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import run
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.solvers.sparse import Problem
from mpcfl.world.session import Session
from tests.solvers.shared import Array, moments_of


def minimum(gram: Array, t: Array | float) -> Array:
    """argmin of b.T G b / 2 - h.T b + sum t |b|, by coordinate descent to machine precision."""
    d = len(gram) - 1
    size = np.broadcast_to(np.asarray(t, dtype=np.float64), (d,))
    root = np.linalg.cholesky(gram[:d, :d]).T * np.sqrt(d)  # scikit-learn divides by the number of rows
    y = np.linalg.solve(root.T, gram[:d, d]) * d
    found = sk.Lasso(alpha=1.0, fit_intercept=False, tol=1e-15, max_iter=1_000_000).fit(root / size, y).coef_
    return np.asarray(found / size)


def problem_of(session: Session, gram: Array, t: float) -> Problem:
    """The problem with one threshold for all columns, the Gram matrix opened under its mask."""
    moments, d = moments_of(session, gram), len(gram) - 1
    here = session.rank == 0 and not session.dry_run
    ring = encode(np.full(d, t), GRAM_SCALE) if here else None
    (thresholds,) = share_inputs(session, [Input("t", 0, (d,), GRAM_SCALE, 1.0 / d, ring)])
    pinned = Pinned(moments.gram[:d, :d])
    run(session, pinned.opening())
    return Problem(pinned, moments.gram[:d, d], thresholds)


def bits_of(session: Session, signs: Array) -> Share:
    """(2, d) shared bits [s = 1] and [s = -1]."""
    both = torch.from_numpy(np.stack([signs > 0, signs < 0]).astype(np.int64))
    here = session.rank == 0 and not session.dry_run
    return share_inputs(session, [Input("signs", 0, tuple(both.shape), 0, 1.0, both if here else None)])[0]
