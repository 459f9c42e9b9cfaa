"""A problem: what is compared with what. Held against scikit-learn and the twins of mpcfl's own models."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from mpcfl.baselines.pooled import measure_pooled
from mpcfl.baselines.problem import Problem
from mpcfl.errors import GuardError, JobError
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from tests.baselines.problems import STEPS, problem_of
from tests.joint import distance


def test_the_optimum_is_that_of_scikit_learn() -> None:
    problem = problem_of("logistic", l2=2.0)
    wanted = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(problem.x, problem.y)
    assert distance(problem.optimum, np.append(wanted.coef_[0], wanted.intercept_)) < 1e-6
    problem = problem_of("linear", l2=3.0)
    wanted = Ridge(alpha=3.0).fit(problem.x, problem.y)
    assert distance(problem.optimum, np.append(wanted.coef_, wanted.intercept_)) < 1e-10


def test_least_squares_are_the_steps_of_linear_regression() -> None:
    problem = problem_of("linear", l2=3.0)
    wanted = plaintext_twin(problem.x, problem.y, problem.facts, Settings(model="ridge", alpha=3.0, solver=STEPS))
    assert distance(problem.twin(STEPS), np.append(wanted.coefficients, wanted.intercept)) < 1e-12


def test_separable_classes_without_penalty_have_no_optimum_and_the_row_says_none() -> None:
    x = np.random.default_rng(1).standard_normal((60, 3))
    problem = Problem(name="apart", model="logistic", x=x, y=(x[:, 0] > 0).astype(float))
    with pytest.raises(GuardError, match="apart"):
        _ = problem.optimum
    row = measure_pooled(problem, STEPS)
    assert row["relative_optimum"] is None and row["relative"] == 0.0


def test_participants_have_all_rows_and_their_gradients_add_up() -> None:
    problem = problem_of("logistic", rows=101, l2=4.0)
    parts, w = problem.participants(), np.linspace(-1, 1, 5)
    assert [(one.name, one.count) for one in parts] == [
        ("participant 1", 34),
        ("participant 2", 34),
        ("participant 3", 33),
    ]
    z = np.c_[problem.x, np.ones(101)]
    wanted = z.T @ (1 / (1 + np.exp(-z @ w)) - problem.y) + 4.0 * np.append(w[:4], 0.0)
    assert distance(sum(one.gradient(w) for one in parts), wanted) < 1e-14


def test_no_row_is_in_a_repr() -> None:
    problem = problem_of(rows=3)
    for text in (repr(problem), repr(problem.participants()[0])):
        assert "array" not in text and f"{problem.x[0, 0]:.3f}" not in text


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(JobError, match="'lasso'"):
        _ = problem_of("lasso").objective
    with pytest.raises(JobError, match="4 owners"):
        problem_of(rows=3, owners=4)


def test_pooling_sends_every_row_to_one_and_the_weights_back() -> None:
    problem = problem_of(rows=101, columns=4)
    row = measure_pooled(problem, STEPS)
    assert row["rounds"] == 2
    sizes = {"participant 2": 34 * 5 * 8, "participant 3": 33 * 5 * 8, "participant 1": 2 * 5 * 8}
    assert row["bytes_online"] == sizes and row["bytes"] == 34 * 5 * 8
    assert row["seen"] == "participant 1: every row of everybody"
