"""Range B and terms K of the sigmoid's series: what they cost offline, what the weights lose, where the guard stops.

Breast cancer, full-batch steps of 0.1. A job says `sigmoid = {range, error}` and the plan chooses K; here K is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from measuring.fits import Array, Case, run_cases
from measuring.real import load
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.trainings import Training, error_of
from mpcfl.models.losses.logistic import Logistic
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.objective import Objective

STEPS = {"name": "gradient", "learning_rate": 0.1, "iterations": 10}
TRAINING = Training(model="logistic", solver=STEPS, parameters={"penalty": "none"}, owners=2)
TERMS = {8: (4, 8, 16), 16: (6, 8, 12, 16, 24), 32: (8, 12, 16, 24, 32, 48), 64: (16, 24, 32, 48, 64, 96)}


def sigmoid_rows(_: Sweep) -> Iterator[Row]:
    """Figure "sigmoid": a fit for each B and K."""
    x, y = load("breast-cancer")
    wanted = TRAINING.reference(x, y)[0]
    largest = float(np.abs(np.c_[x, np.ones(len(x))] @ wanted).max())
    pairs = [(size, terms) for size, all_terms in TERMS.items() for terms in all_terms]
    fits = run_cases(TRAINING.roles, [_case(Series(size, terms), x, y) for size, terms in pairs])
    for (size, terms), of_all in zip(pairs, fits, strict=True):
        first, dealer = of_all[0], of_all[-1]
        row: Row = {"figure": "sigmoid", "case": f"B = {size}, K = {terms}", "data": "breast-cancer"}
        row |= {**TRAINING.words(*x.shape), "range": size, "terms": terms, "series_error": series_error(size, terms)}
        row |= {"largest_z": round(largest, 2), "rounds": first.rounds, "bytes": first.bytes_online}
        row |= {"bytes_offline": {dealer.party: dealer.bytes_offline}, "as_planned": all(f.as_planned for f in of_all)}
        if first.refused:
            yield {**row, "refused": first.refused}
        else:
            yield {**row, "reference": "the same steps in float64", **error_of(first, wanted)}


def series_error(size: int, terms: int) -> float:
    """The largest error of the series within [-B, B], in float64."""
    series, z = Series(size, terms), np.linspace(0, size, 8192)
    waves = np.sin(np.outer(z, series.odd()) * (np.pi / (2 * size)))
    return float(np.abs(0.5 + waves @ series.sigmoid() - 1 / (1 + np.exp(-z))).max())


def _case(series: Series, x: Array, y: Array) -> Case:
    settings = TRAINING.settings
    assert settings.objective is not None
    objective = Objective(loss=Logistic(series), penalty=settings.objective.penalty)
    return replace(TRAINING.case(f"{series}", x, y), settings=replace(settings, objective=objective))
