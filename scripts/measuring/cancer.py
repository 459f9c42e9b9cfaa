"""Breast cancer (569 x 30 and an intercept, standardised): the steps of float64, and the optimum of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from measuring.fits import Array, Case, Fit, costs, run_cases
from measuring.parties import roles
from mpcfl.data.facts import Facts
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton

STEPS = Gradient(learning_rate=0.1, iterations=100)
OPTIMA: dict[str, tuple[Newton | FixedHessian, float]] = {
    "Newton, 8 steps, C = 1": (Newton(iterations=8), 1.0),
    "fixed Hessian, 40 iterations, C = 0.1": (FixedHessian(iterations=40), 0.1),
}


def cancer() -> tuple[Array, Array]:
    """(x, y): the whole table, columns of mean 0 and variance 1."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y.astype(np.float64)


def steps_rows() -> list[dict[str, Any]]:
    """A hundred full-batch steps for N = 2, 3, 5 and both partitions, against the same steps in float64."""
    x, y = cancer()
    rows = []
    for compute in (2, 3, 5):
        cases = [_case(x, y, partition, STEPS, 1.0, 32) for partition in ("horizontal", "vertical")]
        for case, fits in zip(cases, run_cases(roles(compute), cases), strict=True):
            twin = _twin(case)
            rows.append(
                {"figure": "steps", **_row(case, fits, compute, twin), "accuracy_float64": _accuracy(x, y, twin)}
            )
    return rows


def optimum_rows() -> list[dict[str, Any]]:
    """Second-order solvers against the minimum that scikit-learn finds."""
    from sklearn.linear_model import LogisticRegression

    x, y = cancer()
    rows = []
    for compute in (2, 3, 5):
        cases = [_case(x, y, "horizontal", solver, c, 64) for solver, c in OPTIMA.values()]
        fitted = run_cases(roles(compute), cases)
        for name, (_, c), case, fits in zip(OPTIMA, OPTIMA.values(), cases, fitted, strict=True):
            best = LogisticRegression(C=c, tol=1e-12, max_iter=10_000).fit(x, y)
            wanted = np.append(best.coef_[0], best.intercept_)
            rows.append(
                {
                    "figure": "optimum",
                    **_row(case, fits, compute, wanted),
                    "case": f"{name}, N = {compute}",
                    "solver": name,
                    "accuracy_sklearn": best.score(x, y),
                }
            )
    return rows


def _case(x: Array, y: Array, partition: str, solver: Gradient | Newton | FixedHessian, c: float, size: int) -> Case:
    objective = objective_of("logistic", Parameters(C=c, sigmoid={"range": size, "error": 1e-4}))
    settings = Settings(model="logistic", objective=objective, solver=solver)
    return Case(name=f"569 x 30, {partition}", partition=partition, settings=settings, x=x, y=y)


def _row(case: Case, fits: list[Fit], compute: int, wanted: Array) -> dict[str, Any]:
    found = np.append(fits[0].coefficients, fits[0].intercept)
    solver = case.settings.solver
    row = {
        "case": f"{case.name}, N = {compute}",
        "compute_parties": compute,
        "iterations": getattr(solver, "iterations", None),
        "learning_rate": getattr(solver, "learning_rate", None),
        **costs(fits),
    }
    if fits[0].refused:
        return {**row, "refused": fits[0].refused}
    relative = float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    worst = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    return {**row, "relative": relative, "worst": worst, "accuracy": _accuracy(case.x, case.y, found)}


def _twin(case: Case) -> Array:
    names = tuple(f"x{i}" for i in range(case.x.shape[1]))
    facts = Facts(partition="horizontal", features=names, target="y", rows={0: len(case.x)})
    twin = plaintext_twin(case.x, case.y, facts, case.settings)
    return np.append(twin.coefficients, twin.intercept)


def _accuracy(x: Array, y: Array, w: Array) -> float:
    return float(((x @ w[:-1] + w[-1] > 0) == (y == 1)).mean())
