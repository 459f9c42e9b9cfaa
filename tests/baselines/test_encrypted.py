"""Everything encrypted: the steps with a polynomial for the sigmoid, and who could read what."""

import numpy as np
import pytest

from mpcfl.baselines.aggregation import KEY_HOLDER, View
from mpcfl.baselines.ciphertext_rows import columns_of
from mpcfl.baselines.cubic import RANGE, SIGMOID, polynomial_twin
from mpcfl.baselines.encrypted import SERVER, EncryptedLearning, measure_encrypted
from mpcfl.errors import JobError
from mpcfl.solvers.gradient import Gradient
from tests.baselines.problems import STEPS, problem_of
from tests.joint import distance

FEW = Gradient(learning_rate=0.3, iterations=2)


def test_the_polynomial_is_the_closest_to_the_sigmoid_in_its_range() -> None:
    z = np.linspace(-RANGE, RANGE, 100_001)
    closest = np.polynomial.polynomial.polyfit(z, 1 / (1 + np.exp(-z)), 3)
    assert np.allclose(SIGMOID, closest, atol=1e-4)


def test_the_polynomial_twin_is_near_the_steps_while_z_is_small_and_says_how_large_it_was() -> None:
    problem = problem_of(l2=1.0)
    w, largest = polynomial_twin(problem, STEPS)
    assert 0 < largest < RANGE and 1e-3 < distance(w, problem.twin(STEPS)) < 0.2
    first = problem.twin(Gradient(learning_rate=0.3, iterations=1))
    z = np.c_[problem.x, np.ones(100)] @ first
    assert polynomial_twin(problem, FEW)[1] == pytest.approx(np.abs(z).max(), rel=1e-6)  # as at w = 0 both agree
    with pytest.raises(JobError, match="no sigmoid"):
        polynomial_twin(problem_of("linear"), FEW)


@pytest.mark.parametrize("rows, longest, slots, lengths", [(5, 6, 8192, 8), (8, 8, 8192, 8), (9, 9, 8, 16)])
def test_columns_fill_whole_ciphertexts_with_zeros(rows: int, longest: int, slots: int, lengths: int) -> None:
    x, y = np.random.default_rng(1).standard_normal((rows, 2)), np.ones(rows)
    first, second, ones, target = columns_of(x, y, longest, slots)
    assert {len(column) for column in (first, second, ones, target)} == {lengths}
    assert (np.c_[first, second][:rows] == x).all() and ones.sum() == rows
    assert not any(column[rows:].any() for column in (first, second, ones, target))


@pytest.fixture(scope="module")
def logistic() -> tuple[EncryptedLearning, np.ndarray, list[View]]:
    pytest.importorskip("tenseal")
    views: list[View] = []
    learning = EncryptedLearning(problem_of(l2=1.0), FEW, observer=views.append)
    return learning, learning.train(), views


def test_the_steps_are_those_of_the_polynomial(logistic: tuple[EncryptedLearning, np.ndarray, list[View]]) -> None:
    learning, w, _ = logistic
    assert distance(w, polynomial_twin(learning.problem, FEW)[0]) < 1e-4


def test_the_key_holder_sees_the_gradient_and_the_server_the_weights(
    logistic: tuple[EncryptedLearning, np.ndarray, list[View]],
) -> None:
    learning, w, views = logistic
    assert [(v.iteration, v.role, v.what) for v in views] == [
        (i, *seen) for i in range(2) for seen in ((SERVER, "weights"), (KEY_HOLDER, "gradient"))
    ]
    problem, last = learning.problem, views[-1].value
    before = views[2].value
    penalty = problem.objective.penalty.gradient_plain(before, 4)
    assert distance(before - 0.3 / 100 * (last + penalty), w) < 1e-12


def test_what_the_server_holds_opens_with_the_key(logistic: tuple[EncryptedLearning, np.ndarray, list[View]]) -> None:
    learning, _, _ = logistic
    columns = [learning.encryption.decrypt(one)[:34] for one in learning.messages["participant 1"]]
    problem = learning.problem
    assert np.allclose(np.array(columns[:4]).T, problem.x[:34], atol=1e-5)
    assert np.allclose(columns[5], problem.y[:34], atol=1e-5)


def test_rows_are_sent_once_and_weights_come_back_in_every_iteration(
    logistic: tuple[EncryptedLearning, np.ndarray, list[View]],
) -> None:
    row = logistic[0].costs.row()
    assert row["rounds"] == 1 + 2 * 2
    assert row["bytes_online"][KEY_HOLDER] == 5 * 8 + 3 * 5 * 8  # to the server; in the end to the participants
    fresh, spent = 2 * 16384 * (60 + 4 * 40) // 8, 2 * 16384 * 60 // 8
    for i in (1, 2, 3):
        assert 6 * fresh < row["bytes_online"][f"participant {i}"] < 1.3 * 6 * fresh
    assert 2 * 5 * spent < row["bytes_online"][SERVER] < 1.3 * 2 * 5 * spent


@pytest.mark.slow
def test_linear_regression_needs_no_polynomial() -> None:
    pytest.importorskip("tenseal")
    row = measure_encrypted(problem_of("linear", rows=30, columns=2, owners=2), FEW)
    assert row["relative"] < 1e-4 and "sigmoid" not in row["params"]
    with pytest.raises(JobError, match="'huber'"):
        EncryptedLearning(problem_of("huber"), FEW)
