"""Real tables: what secure training finds, beside scikit-learn on the pooled rows, scored on rows that were held out.

A third of the rows is held out before anything starts; three organisations own the others. Each model goes to the
optimum by the solver that a user would take, with an l2 penalty where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from measuring.fits import Array, run_cases
from measuring.real import load
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.trainings import Training, Trial, row_of

NESTEROV = {"name": "gradient", "learning_rate": 0.2, "iterations": 60, "momentum": 0.9, "nesterov": True}
FIXED = {"name": "fixed_hessian", "iterations": 40}


@dataclass(frozen=True, kw_only=True)
class Task:
    """`some`: the label is whether the target is more than 0."""

    data: str
    model: str
    solver: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    some: bool = False


TASKS = {
    "diabetes, least squares": Task(data="diabetes", model="linear"),
    "breast cancer, logistic, C = 0.1": Task(
        data="breast-cancer", model="logistic", solver=FIXED, parameters={"C": 0.1}
    ),
    "digits odd or even, logistic, C = 0.1": Task(data="digits", model="logistic", solver=FIXED, parameters={"C": 0.1}),
    "doctor visits, least squares": Task(data="visits", model="linear"),
    "doctor visits or none, logistic, C = 0.1": Task(
        data="visits", model="logistic", solver=FIXED, parameters={"C": 0.1}, some=True
    ),
    "doctor visits, Poisson, alpha = 0.01": Task(
        data="visits", model="poisson", solver=NESTEROV, parameters={"alpha": 0.01, "unit": 3.0}
    ),
}
HELD_OUT = 1 / 3


def real_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "real"."""
    trials, held_out = [], []
    for case, task in TASKS.items():
        try:
            x, y = load(task.data)
        except LookupError as error:
            yield {"figure": "real", "case": case, "data": task.data, "not_measured": str(error)}
            continue
        y = (y > 0).astype(np.float64) if task.some else y
        order = np.random.default_rng(sweep.seed).permutation(len(x))
        out, rest = order[: int(len(x) * HELD_OUT)], order[int(len(x) * HELD_OUT) :]
        training = Training(model=task.model, solver=task.solver, parameters=task.parameters)
        trials.append(Trial(case=case, training=training, x=x[rest], y=y[rest], data=task.data))
        held_out.append((x[out], y[out]))
    fits = run_cases(Training().roles, [trial.training.case(trial.case, trial.x, trial.y) for trial in trials])
    for trial, outcome, (x, y) in zip(trials, fits, held_out, strict=True):
        row: Row = {"figure": "real", **row_of(trial, [outcome]), "rows_held_out": len(x)}
        if "refused" in row:
            yield row
            continue
        found = np.append(outcome[0].coefficients, outcome[0].intercept)
        best = pooled(trial)
        row["score"], what = score(trial.training.model, x, y, found)
        row |= {"score_of": what, "score_sklearn": score(trial.training.model, x, y, best)[0]}
        yield {**row, "relative_sklearn": float(np.linalg.norm(found - best) / np.linalg.norm(best))}


def pooled(trial: Trial) -> Array:
    """(d + 1,): scikit-learn's weights on all rows in one place, the intercept last."""
    from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor

    parameters = trial.training.parameters
    model: Any = {
        "linear": LinearRegression,
        "logistic": lambda: LogisticRegression(C=parameters["C"], tol=1e-10, max_iter=10_000),
        "poisson": lambda: PoissonRegressor(alpha=parameters["alpha"], tol=1e-10, max_iter=10_000),
    }[trial.training.model]()
    model.fit(trial.x, trial.y)
    return np.append(np.ravel(model.coef_), model.intercept_)


def score(model: str, x: Array, y: Array, weights: Array) -> tuple[float, str]:
    """(the score of these weights, its name): accuracy, or the fraction of squares or deviance explained."""
    z = x @ weights[:-1] + weights[-1]
    if model == "logistic":
        return float(((z > 0) == (y == 1)).mean()), "accuracy"
    if model == "linear":
        return float(1 - ((y - z) ** 2).sum() / ((y - y.mean()) ** 2).sum()), "R^2"
    from sklearn.metrics import d2_tweedie_score

    return float(d2_tweedie_score(y, np.exp(z), power=1)), "deviance explained"
