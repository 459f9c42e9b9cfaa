"""Pairwise masks: the coordinator gets the sum, to the unit, and what it sees of a participant is uniform."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from mpcfl.baselines.aggregation import COORDINATOR, SUM, Vectors, View
from mpcfl.baselines.classic import measure_sum
from mpcfl.baselines.costs import Costs
from mpcfl.baselines.federated import FederatedLearning
from mpcfl.baselines.masks import SCALE, Masking, PairwiseMasks
from mpcfl.errors import HeadroomError
from mpcfl.ring.fixed import encode
from mpcfl.ring.prg import ReuseError
from tests.baselines.problems import STEPS, problem_of

NAMES = ("a", "b", "c")


def agreed(names: tuple[str, ...] = NAMES) -> list[Masking]:
    all_of = [Masking(name) for name in names]
    for one in all_of:
        one.agree({other.name: other.public for other in all_of})
    return all_of


def seen_of(vector: np.ndarray) -> list[View]:
    """What the coordinator sees when each of three participants brings this vector."""
    views: list[View] = []
    masks = PairwiseMasks()
    masks.set_up(NAMES, Costs())
    masks.total(Vectors(0, "gradient", dict.fromkeys(NAMES, vector)), Costs(), views.append)
    return views


@pytest.mark.parametrize("names", [("a", "b"), NAMES, ("1", "10", "2", "3", "20")])
def test_masks_cancel_to_the_unit(names: tuple[str, ...]) -> None:
    vectors = {name: np.random.default_rng(i).standard_normal(7) for i, name in enumerate(names)}
    wanted = torch.stack([encode(vector, SCALE) for vector in vectors.values()]).sum(dim=0)
    masked = [one.masked(vectors[one.name], 5) for one in agreed(names)]
    assert torch.equal(torch.stack(masked).sum(dim=0), wanted)


@pytest.mark.parametrize("value", [0.0, 1e6])
def test_what_the_coordinator_sees_of_a_participant_is_uniform(value: float) -> None:
    for view in seen_of(np.full(5000, value)):
        assert (view.role, view.what, view.value.dtype) == (COORDINATOR, "masked gradient", np.int64)
        counts = np.bincount(view.value.view(np.uint8), minlength=256)
        assert chisquare(counts).pvalue > 1e-6


def test_two_masked_vectors_without_the_third_say_nothing_of_their_sum() -> None:
    first, second, _ = (view.value for view in seen_of(np.zeros(5000)))
    assert chisquare(np.bincount((first + second).view(np.uint8), minlength=256)).pvalue > 1e-6


def test_no_mask_comes_twice() -> None:
    first, *_ = agreed()
    a, b = first.masked(np.zeros(9), 0), first.masked(np.zeros(9), 1)
    assert not (a == b).any()
    with pytest.raises(ReuseError):
        first.masked(np.zeros(9), 1)
    assert not (agreed()[0].masked(np.zeros(9), 0) == a).any()


def test_a_gradient_that_might_leave_the_ring_is_refused_by_name_and_without_its_value() -> None:
    first, *_ = agreed()
    assert len(first.masked(np.array([2.0**30 / 3]), 0)) == 1
    with pytest.raises(HeadroomError, match="the vector of a: element 1") as caught:
        first.masked(np.array([0.0, 2.0**30 / 3 + 1]), 1)
    assert "357913942" not in str(caught.value)


def test_masks_cost_what_plaintext_costs_and_a_key_each() -> None:
    problem = problem_of(columns=4, owners=3)
    row = measure_sum(problem, STEPS, scheme="masks")
    assert row["rounds"] == 2 * 6
    assert row["bytes_online"] == {**{f"participant {i}": 6 * 5 * 8 for i in (1, 2, 3)}, COORDINATOR: 3 * 6 * 5 * 8}
    assert row["bytes_offline"] == {**{f"participant {i}": 32 for i in (1, 2, 3)}, COORDINATOR: 3 * 2 * 32}
    assert row["relative"] < 2.0**-SCALE


def test_the_coordinator_sees_the_sum_and_no_gradient() -> None:
    views: list[View] = []
    problem = problem_of()
    FederatedLearning(problem.participants(), STEPS, aggregation=PairwiseMasks(), observer=views.append).train()
    seen = [view for view in views if view.role == COORDINATOR]
    assert {view.of for view in seen if view.what == "gradient"} == {SUM}
    assert {view.what for view in seen if view.of != SUM} == {"masked gradient"}
