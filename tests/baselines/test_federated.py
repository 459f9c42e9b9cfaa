"""FedSGD is gradient descent on the joint table, FedAvg is not; and the coordinator sees what the row says it sees."""

import numpy as np
import pytest

from mpcfl.baselines.aggregation import COORDINATOR, EVERYBODY, SUM, View
from mpcfl.baselines.federated import FederatedLearning, measure_fedavg, measure_fedsgd
from mpcfl.errors import JobError
from mpcfl.solvers.gradient import Gradient
from tests.baselines.problems import STEPS, problem_of
from tests.joint import distance


@pytest.mark.parametrize("owners", [1, 2, 3, 7])
@pytest.mark.parametrize("model, l2", [("logistic", 0.0), ("logistic", 2.0), ("linear", 0.0), ("linear", 2.0)])
def test_fedsgd_takes_the_steps_of_the_joint_table(model: str, l2: float, owners: int) -> None:
    problem = problem_of(model, l2=l2, owners=owners)
    assert distance(FederatedLearning(problem.participants(), STEPS).train(), problem.twin(STEPS)) < 1e-14


def test_fedsgd_costs_a_gradient_up_and_the_weights_down() -> None:
    row = measure_fedsgd(problem_of(columns=4, owners=3), STEPS)
    assert row["rounds"] == 2 * 6 and row["bytes"] == 3 * 6 * 5 * 8
    assert row["bytes_online"] == {**{f"participant {i}": 6 * 5 * 8 for i in (1, 2, 3)}, COORDINATOR: 3 * 6 * 5 * 8}
    assert row["relative"] < 1e-14 and 0 < row["relative_optimum"] < 1


def test_one_local_step_of_equal_participants_is_fedsgd() -> None:
    problem = problem_of(rows=99, owners=3)
    averaged = FederatedLearning(problem.participants(), STEPS, local_steps=1).train()
    assert distance(averaged, problem.twin(STEPS)) < 1e-14


def test_fedavg_weighs_by_rows() -> None:
    problem = problem_of(rows=10, owners=3)  # 4, 3 and 3
    once = Gradient(learning_rate=0.1, iterations=1)
    parts = problem.participants()
    wanted = sum(one.count / 10 * one.descended(np.zeros(5), 0.1, 5) for one in parts)
    assert distance(FederatedLearning(parts, once, local_steps=5).train(), wanted) < 1e-15


def test_fedavg_misses_the_optimum_where_rows_differ_and_fedsgd_does_not() -> None:
    problem = problem_of(rows=90, l2=1.0)
    order = np.argsort(problem.y)  # the first participant has one class, the last the other
    apart = type(problem)(name="apart", model="logistic", x=problem.x[order], y=problem.y[order], l2=1.0)
    many = Gradient(learning_rate=1.0, iterations=300)
    assert measure_fedavg(apart, many, local_steps=5)["relative"] > 0.05
    assert measure_fedsgd(apart, many)["relative_optimum"] < 1e-6


def test_the_coordinator_sees_every_gradient_and_everybody_the_weights() -> None:
    problem, views = problem_of(), list[View]()
    parts = problem.participants()
    w = FederatedLearning(parts, STEPS, observer=views.append).train()
    weights = [view.value for view in views if view.role == EVERYBODY]
    assert len(weights) == 7 and not weights[0].any() and (weights[-1] == w).all()
    for i in range(STEPS.iterations):
        seen = {v.of: v.value for v in views if (v.iteration, v.role) == (i, COORDINATOR)}
        assert set(seen) == {SUM, *(one.name for one in parts)}
        for one in parts:
            assert (seen[one.name] == one.gradient(weights[i])).all()
        assert distance(seen[SUM], sum(one.gradient(weights[i]) for one in parts)) < 1e-15


def test_an_observer_sees_copies() -> None:
    def spoils(view: View) -> None:
        view.value[:] = 1e9

    problem = problem_of()
    w = FederatedLearning(problem.participants(), STEPS, observer=spoils).train()
    assert distance(w, problem.twin(STEPS)) < 1e-14


def test_no_value_is_in_the_repr_of_a_view() -> None:
    views: list[View] = []
    FederatedLearning(problem_of().participants(), STEPS, observer=views.append).train()
    assert not any("array" in repr(view) for view in views)


@pytest.mark.parametrize("more", [{"batch": 8}, {"momentum": 0.9}, {"init": "random"}, {"tolerance": 1e-3}])
def test_steps_that_no_baseline_takes_are_refused(more: dict[str, float]) -> None:
    with pytest.raises(JobError, match="full-batch"):
        FederatedLearning(problem_of().participants(), Gradient(learning_rate=0.1, **more))
