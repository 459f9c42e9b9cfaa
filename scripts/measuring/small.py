"""Accuracy, rounds and bytes on small tables: diabetes, ill-conditioned tables, and the classic loop for ten steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from measuring.fits import Array, Case, Fit, costs, distance, run_cases
from measuring.parties import roles
from measuring.tables import diabetes, ill_conditioned, seed_example
from mpcfl.models.settings import Settings
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient

PARTITIONS = ("horizontal", "vertical")
ALPHA = 1.0  # scikit-learn's default
CONDITIONS = (1e4, 1e5, 1e6)
SOLVERS = {"default (2^16 steps)": Doubling(), "2^20 steps, 1 refinement": Doubling(steps=1 << 20, refinements=1)}


def diabetes_cases() -> list[Case]:
    x, y = diabetes()
    settings = {"linear": Settings(), "ridge": Settings(model="ridge", alpha=ALPHA)}
    return [
        Case(name=f"{partition} {model}", partition=partition, settings=chosen, x=x, y=y)
        for partition in PARTITIONS
        for model, chosen in settings.items()
    ]


def ill_conditioned_cases(seed: int) -> list[Case]:
    return [
        Case(
            name=f"{partition}, condition {condition:.0e}, {name}".replace("e+0", "e"),
            partition=partition,
            settings=Settings(solver=solver),
            x=x,
            y=y,
        )
        for condition in CONDITIONS
        for x, y in [ill_conditioned(condition, seed)]
        for name, solver in SOLVERS.items()
        for partition in PARTITIONS
    ]


def small_rows(seed: int, compute: Iterable[int] = (2, 3, 5)) -> list[dict[str, Any]]:
    """Rows "diabetes" for each number of compute parties, and "ill-conditioned" for two."""
    rows = []
    for parties in compute:
        named = [("diabetes", case) for case in diabetes_cases()]
        if parties == 2:
            named += [("ill-conditioned", case) for case in ill_conditioned_cases(seed)]
        results = run_cases(roles(parties), [case for _, case in named])
        for (figure, case), fits in zip(named, results, strict=True):
            rows.append({"figure": figure, "case": f"{case.name}, N={parties}", **_against_sklearn(case, fits)})
    return rows


def _against_sklearn(case: Case, fits: list[Fit]) -> dict[str, Any]:
    from sklearn.linear_model import LinearRegression, Ridge

    model = LinearRegression() if case.settings.model == "linear" else Ridge(alpha=case.settings.alpha)
    model.fit(case.x, case.y)
    refused = fits[0].refused
    found = {"refused": refused} if refused else distance(fits[0], model.coef_)
    if not refused:
        found["intercept"] = abs(fits[0].intercept - model.intercept_) / abs(model.intercept_)
    return {**costs(fits), **found}


def seed_rows(seed: int) -> list[dict[str, Any]]:
    """Rows "seed example": two participants with 50 rows each, w random, ten steps of 0.01, no intercept; a helper
    deals. The reference is the same descent in float64."""
    x, y = seed_example(seed)
    solver = Gradient(learning_rate=0.01, iterations=10, init="random")
    settings = Settings(solver=solver, fit_intercept=False)
    cases = [Case(name=partition, partition=partition, settings=settings, x=x, y=y) for partition in PARTITIONS]
    rows = []
    for case, fits in zip(cases, run_cases(roles(2, owners=2), cases), strict=True):
        found = distance(fits[0], _descent(x, y, solver))
        ledger = {"ledger": fits[0].ledger}
        rows.append({"figure": "seed example", "case": case.name, **costs(fits), **found, **ledger})
    return rows


def _descent(x: Array, y: Array, solver: Gradient) -> Array:
    w = np.random.Generator(np.random.PCG64(0)).normal(size=(x.shape[1],))  # `Gradient.start` with public seed 0
    for _ in range(solver.iterations):
        w -= solver.learning_rate / len(x) * (x.T @ (x @ w - y))
    return w
