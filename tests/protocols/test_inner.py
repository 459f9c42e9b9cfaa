"""Sums of products are exact in the ring, and cost one offline element whatever their length."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.inner import inner_product, sum_of_squares
from mpcfl.protocols.rounds import run
from tests.evaluation import PARTIES, Given, dry, evaluate, full_range


def inner(session, x, y):
    return run(session, inner_product(x, y))


def squares(session, x):
    return run(session, sum_of_squares(x))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("n", [1, 2, 500])
def test_full_range_values(n: int, parties: int) -> None:
    rng = np.random.default_rng(n)
    x, y = full_range(rng, n), full_range(rng, n)
    assert torch.equal(evaluate(parties, inner, x, y).ring(), (x * y).sum())
    assert torch.equal(evaluate(parties, squares, x).ring(), (x * x).sum())


@pytest.mark.parametrize("parties", PARTIES)
def test_cost_is_one_round_and_one_offline_element(parties: int) -> None:
    n, others, x = 13, parties - 1, torch.ones(13, dtype=torch.int64)
    for program, given, name, elements in (
        (inner, (x, x), "inner product", 2 * n),
        (squares, (x,), "sum of squares", n),
    ):
        outcome = evaluate(parties, program, *given)
        assert outcome.cost("online") == {name: (1, others, 8 * elements * others)}
        assert outcome.cost("offline", parties) == {name: (0, 1, 8)}


def test_scale_and_bound_of_the_result() -> None:
    x, y = Given(torch.ones(5, dtype=torch.int64), 3, 2.0), Given(torch.ones(5, dtype=torch.int64), 4, 0.5)
    result = evaluate(2, inner, x, y).results[0]
    assert (result.shape, result.scale, result.bound) == ((), 7, 5.0)
    result = evaluate(2, squares, x).results[2]
    assert (result.shape, result.scale, result.bound) == ((), 6, 20.0)


def test_other_shapes_are_refused() -> None:
    for shapes in (((3,), (4,)), ((2, 3), (2, 3))):
        with pytest.raises(ValueError, match="two equal shapes"):
            next(inner_product(*[dry(1.0, shape=shape) for shape in shapes]))
    with pytest.raises(ValueError, match=r"needs a shape \(n,\)"):
        next(sum_of_squares(dry(1.0, shape=(2, 3))))
