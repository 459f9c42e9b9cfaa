"""Ten classes at once: scikit-learn's digits, one against the rest each, beside scikit-learn itself."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from measuring.fits import Array, Case, costs, run_cases
from measuring.parties import roles
from mpcfl.data.facts import Facts
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient

CLASSES = 10
C = 0.1
CUT = 8.0
SOLVERS: dict[str, Gradient | FixedHessian] = {
    "60 Nesterov steps": Gradient(learning_rate=0.5, iterations=60, momentum=0.9, nesterov=True),
    "fixed Hessian, 150 steps": FixedHessian(iterations=150),
}


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
    """A row a solver: accuracy beside scikit-learn's, and the errors of the weights against the same steps in float64
    and against scikit-learn's optimum. A pixel that is nearly always empty is 40 deviations away where it is not, and
    mpcfl takes 32: rows are cut at 8, but for scikit-learn's accuracy."""
    x, y, x_out, y_out = digits(seed)
    cut, cut_out = np.clip(x, -CUT, CUT), np.clip(x_out, -CUT, CUT)
    start = time.perf_counter()
    reference, whole = _sklearn(cut, y), _sklearn(x, y)
    seconds = (time.perf_counter() - start) / 2
    optimum = np.array([model.coef_[0] for model in reference.estimators_])
    objective = objective_of("logistic", Parameters(classes=CLASSES, C=C))
    cases = [
        Case(
            name=f"{len(x)} x {x.shape[1]}, {CLASSES} classes, C = {C}, {name}",
            partition="horizontal",
            settings=Settings(model="logistic", objective=objective, solver=solver),
            x=cut,
            y=y,
        )
        for name, solver in SOLVERS.items()
    ]
    rows = []
    for case, fits in zip(cases, run_cases(roles(2), cases), strict=True):
        if fits[0].refused:
            rows.append({"figure": "digits", "case": case.name, **costs(fits), "refused": fits[0].refused})
            continue
        found, intercept = np.array(fits[0].coefficients), np.array(fits[0].intercept)
        twin = _twin(case)
        likeliest = (cut_out @ found.T + intercept).argmax(axis=1)
        rows.append(
            {
                "figure": "digits",
                "case": case.name,
                **costs(fits),
                "relative": _distance(found, twin),
                "worst": float(np.abs(found - twin).max() / np.abs(twin).max()),
                "relative_sklearn": _distance(found, optimum),
                "accuracy": float((likeliest == y_out).mean()),
                "accuracy_sklearn": float(whole.score(x_out, y_out)),
                "seconds_sklearn": round(seconds, 4),
            }
        )
    return rows


def _sklearn(x: Array, y: Array) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(LogisticRegression(C=C, tol=1e-8, max_iter=10_000)).fit(x, y)


def _twin(case: Case) -> Array:
    """(classes, d): the same steps in float64. All rows are in every step, so that it matters not who owns which."""
    names = tuple(f"x{i}" for i in range(case.x.shape[1]))
    facts = Facts(partition="horizontal", features=names, target="y", rows={0: len(case.x)})
    return plaintext_twin(case.x, case.y, facts, case.settings).coefficients


def _distance(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
