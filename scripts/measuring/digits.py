"""Ten classes at once: scikit-learn's digits, one against the rest each, beside scikit-learn itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from measuring.fits import Array, Case, costs, run_cases
from measuring.parties import roles
from mpcfl.data.facts import Facts
from mpcfl.models.coefficients import coefficients_of
from mpcfl.models.descent_twin import descent_twin
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.settings import Settings
from mpcfl.solvers.gradient import Gradient

CLASSES = 10
C = 0.1
CUT = 8.0
SOLVER = Gradient(learning_rate=0.5, iterations=60, momentum=0.9, nesterov=True)


def digits(seed: int) -> tuple[Array, Array, Array, Array]:
    """(x, y, x held out, y held out): a third is held out, columns are standardised by the rest. A pixel that is always
    empty stays 0."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    out, rest = order[: len(x) // 3], order[len(x) // 3 :]
    spread = x[rest].std(axis=0)
    z = (x - x[rest].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return z[rest], y[rest].astype(np.float64), z[out], y[out].astype(np.float64)


def digits_rows(seed: int) -> list[dict[str, Any]]:
    """A row: accuracy beside scikit-learn's, and the error of the weights against the same steps in float64. A pixel
    that is nearly always empty is 40 deviations away where it is not: mpcfl's rows are cut at 8, scikit-learn's not."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    x, y, x_out, y_out = digits(seed)
    objective = objective_of("logistic", Parameters(classes=CLASSES, C=C))
    settings = Settings(model="logistic", objective=objective, solver=SOLVER)
    case = Case(name="digits", partition="horizontal", settings=settings, x=np.clip(x, -CUT, CUT), y=y)
    (fits,) = run_cases(roles(2), [case])
    found, intercept = np.array(fits[0].coefficients), np.array(fits[0].intercept)
    twin = _twin(case)
    start = time.perf_counter()
    sklearn = OneVsRestClassifier(LogisticRegression(C=C, max_iter=1000)).fit(x, y)
    seconds = time.perf_counter() - start
    likeliest = (np.clip(x_out, -CUT, CUT) @ found.T + intercept).argmax(axis=1)
    row = {
        "figure": "digits",
        "case": f"{len(x)} x {x.shape[1]}, {CLASSES} classes, {SOLVER.iterations} steps, C = {C}",
        **costs(fits),
        "relative": float(np.linalg.norm(found - twin) / np.linalg.norm(twin)),
        "worst": float(np.abs(found - twin).max() / np.abs(twin).max()),
        "accuracy": float((likeliest == y_out).mean()),
        "accuracy_sklearn": float(sklearn.score(x_out, y_out)),
        "seconds_sklearn": round(seconds, 4),
    }
    return [row]


def _twin(case: Case) -> Array:
    """(classes, d): the same steps in float64. Batches are all rows, so that it matters not who owns which."""
    names = tuple(f"x{i}" for i in range(case.x.shape[1]))
    facts = Facts(partition="horizontal", features=names, target="y", rows={0: len(case.x)})
    objective = case.settings.objective
    if objective is None:
        raise ValueError("no loss over rows")
    w, _ = descent_twin(case.x, case.y, facts, objective, SOLVER, True)
    return coefficients_of(w, case.settings)[0]
