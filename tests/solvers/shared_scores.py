"""Scores of models fitted by scikit-learn, on rows that they were not fitted on, as shares are made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler

from mpcfl.protocols.rounds import Protocol, run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import Given
from tests.joint import Array

SCALE = 36


@cache
def breast_cancer(C: float = 1.0) -> tuple[Array, Array]:
    """(z, y), 269 rows held out; |z| reaches 40 at C = 1."""
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    model = LogisticRegression(C=C, max_iter=5000).fit(x[:300], y[:300])
    return model.decision_function(x[300:]), y[300:].astype(np.float64)


@cache
def diabetes() -> tuple[Array, Array]:
    """(prediction, y), 142 rows held out."""
    x, y = load_diabetes(return_X_y=True)
    return LinearRegression().fit(x[:300], y[:300]).predict(x[300:]), y[300:]


def given(values: Array, *, scale: int = SCALE, bound: float | None = None) -> Given:
    ring = torch.from_numpy(np.asarray(np.round(values * 2.0**scale), dtype=np.int64))
    return Given(ring, scale, 2.0 * float(np.abs(values).max()) + 1 if bound is None else bound)


def labels(y: Array) -> Given:
    return Given(torch.from_numpy(y.astype(np.int64)), 0, 1.0)


def running(protocol: Callable[..., Protocol]) -> Callable[..., Share]:
    def program(session: Session, *shares: Share) -> Share:
        return run(session, protocol(*shares))

    return program
