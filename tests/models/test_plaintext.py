"""The plaintext twin is scikit-learn's solution, and for gradient descent the loop as anyone would write it."""

import numpy as np
import pytest
import sklearn.linear_model as sk

from mpcfl.models.plaintext import normal_equations, plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from tests.joint import DIABETES, PROGRESSION, distance, facts_for, tables_of
from tests.parties import roster

WHO = roster(2)
FACTS = facts_for(tables_of(DIABETES, PROGRESSION, WHO.owners, "horizontal"), WHO, "horizontal")


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 7.0])
def test_normal_equations_are_least_squares(alpha: float, fit_intercept: bool) -> None:
    wanted = sk.Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(DIABETES, PROGRESSION)
    found = normal_equations(DIABETES, PROGRESSION, alpha, fit_intercept)
    assert len(found) == 10 + fit_intercept
    assert distance(found[:10], wanted.coef_) < 1e-9
    assert not fit_intercept or np.isclose(found[10], wanted.intercept_, rtol=1e-9)


def test_columns_of_very_different_size_lose_nothing() -> None:
    size = np.geomspace(1e-5, 1e9, 10)
    plain = normal_equations(DIABETES, PROGRESSION, 0.0, True)
    found = normal_equations(DIABETES * size, PROGRESSION, 0.0, True)
    assert distance(found[:10] * size, plain[:10]) < 1e-9


def test_the_twin_says_how_the_steps_converge() -> None:
    twin = plaintext_twin(DIABETES, PROGRESSION, FACTS, Settings(solver=Doubling(accelerated=False)))
    steps, distances = zip(*twin.convergence, strict=True)
    assert steps == tuple(2**k for k in range(1, 17))
    assert all(b <= a for a, b in zip(distances, distances[1:], strict=False))
    assert distances[0] > 0.1 and distances[-1] < 1e-4
    assert twin.seconds > 0


def test_the_twin_of_accelerated_doublings_says_how_many_gradient_steps_they_stand_for() -> None:
    twin = plaintext_twin(DIABETES, PROGRESSION, FACTS, Settings())
    steps, distances = zip(*twin.convergence, strict=True)
    assert steps == (*(3**k for k in range(1, 11)), *(3**10 * 2**k for k in range(1, 7)))
    assert distances[0] > 0.1 and distances[-1] < 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_the_twin_of_gradient_descent_goes_the_same_steps(alpha: float) -> None:
    x = (DIABETES - DIABETES.mean(axis=0)) / DIABETES.std(axis=0)
    solver = Gradient(learning_rate=0.05, iterations=30, momentum=0.8, init="random")
    twin = plaintext_twin(x, PROGRESSION, FACTS, Settings(model="ridge", alpha=alpha, solver=solver))
    w, velocity = solver.start(FACTS, True).numpy(), np.zeros(11)
    for _ in range(30):
        residual = x @ w[:10] + w[10] - PROGRESSION
        gradient = np.append(x.T @ residual + alpha * w[:10], residual.sum()) / 442
        velocity = 0.8 * velocity + 0.05 * gradient
        w = w - velocity
    assert distance([*twin.coefficients, twin.intercept], w) < 1e-12
    assert [step for step, _ in twin.convergence] == list(range(1, 31))
