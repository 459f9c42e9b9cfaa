"""Tables for the baselines."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpcfl.baselines.problem import Problem
from mpcfl.solvers.gradient import Gradient

STEPS = Gradient(learning_rate=0.3, iterations=6)


def problem_of(model: str = "logistic", rows: int = 100, columns: int = 4, **more: Any) -> Problem:
    """Labels drawn from a logistic model, or a target with noise; not separable, and rows in no order."""
    rng = np.random.default_rng([rows, columns])
    x = rng.standard_normal((rows, columns))
    z = x @ rng.standard_normal(columns) + 0.5
    y = z + rng.standard_normal(rows) if model == "linear" else rng.random(rows) < 1 / (1 + np.exp(-z))
    return Problem(name="synthetic", model=model, x=x, y=y.astype(np.float64), **more)
