"""Products of two secrets are exact modulo 2^64, for any number of parties, at the price that is written."""

import itertools

import numpy as np
import pytest
import torch

from mpcfl.protocols.product import congruence, product
from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import EDGES, PARTIES, Given, Outcome, dry, evaluate, full_range, wrapped


def multiplied(session: Session, x: Share, y: Share) -> Share:
    return run(session, product(x, y))


def scaled(session: Session, matrix: Share, diagonal: Share) -> Share:
    return run(session, congruence(matrix, diagonal))


@pytest.mark.parametrize("parties", PARTIES)
def test_product_of_edge_values_is_that_of_python_integers(parties: int) -> None:
    pairs = list(itertools.product(EDGES, EDGES))
    x, y = wrapped(a for a, _ in pairs), wrapped(b for _, b in pairs)
    outcome = evaluate(parties, multiplied, x, y)
    assert torch.equal(outcome.ring(), wrapped(a * b for a, b in pairs))


@pytest.mark.parametrize("parties", PARTIES)
def test_product_of_full_range_values(parties: int) -> None:
    rng = np.random.default_rng(1)
    x, y = full_range(rng, 30, 20), full_range(rng, 30, 20)
    assert torch.equal(evaluate(parties, multiplied, x, y).ring(), x * y)


@pytest.mark.parametrize("parties", PARTIES)
def test_product_costs_one_round_of_two_elements_each(parties: int) -> None:
    n = 35
    outcome = evaluate(parties, multiplied, torch.arange(n), torch.arange(n))
    others = parties - 1
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"product": (1, others, 2 * n * 8 * others)}
    assert outcome.cost("offline", parties) == {"product": (0, 1, n * 8)}
    assert not outcome.cost("online", parties), "the dealer takes no part online"


def test_scales_add_and_bounds_multiply() -> None:
    x, y = Given(torch.tensor([3 << 10]), 10, 3.0), Given(torch.tensor([5 << 20]), 20, 5.0)
    outcome = evaluate(2, multiplied, x, y)
    result = outcome.results[0]
    assert (result.scale, result.bound) == (30, 15.0)
    assert outcome.ring().item() == 15 << 30


def test_a_product_of_different_shapes_is_refused() -> None:
    """Broadcasting would open several elements under one mask, and so show their differences."""
    for small in ((1,), (), (3, 1)):
        with pytest.raises(ValueError, match="equal shapes"):
            next(product(dry(1.0, shape=small), dry(1.0, shape=(3,))))


def congruent(matrix: torch.Tensor, diagonal: torch.Tensor) -> torch.Tensor:
    d = len(diagonal)
    p = [int(v) for v in diagonal]
    return wrapped(int(matrix[i, j]) * p[i] * p[j] for i in range(d) for j in range(d)).reshape(d, d)


@pytest.mark.parametrize("parties", PARTIES)
def test_congruence_is_d_r_d(parties: int) -> None:
    rng = np.random.default_rng(2)
    matrix, diagonal = full_range(rng, 7, 7), full_range(rng, 7)
    assert torch.equal(evaluate(parties, scaled, matrix, diagonal).ring(), congruent(matrix, diagonal))


def test_congruence_of_edge_values() -> None:
    d = len(EDGES)
    matrix = wrapped(EDGES[(i * 5 + j) % d] for i in range(d) for j in range(d)).reshape(d, d)
    diagonal = wrapped(EDGES)
    assert torch.equal(evaluate(2, scaled, matrix, diagonal).ring(), congruent(matrix, diagonal))


@pytest.mark.parametrize("parties", PARTIES)
def test_congruence_costs_one_round(parties: int) -> None:
    d, others = 6, parties - 1
    outcome = evaluate(parties, scaled, torch.ones(d, d, dtype=torch.int64), torch.ones(d, dtype=torch.int64))
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"congruence": (1, others, (d * d + d) * 8 * others)}
    assert outcome.cost("offline", parties) == {"congruence": (0, 1, 4 * d * d * 8)}


def test_congruence_carries_scale_and_bound() -> None:
    matrix, diagonal = Given(torch.tensor([[7 << 8]]), 8, 7.0), Given(torch.tensor([3 << 4]), 4, 3.0)
    outcome: Outcome = evaluate(2, scaled, matrix, diagonal)
    assert (outcome.results[0].scale, outcome.results[0].bound) == (16, 63.0)
    assert outcome.ring().item() == 63 << 16


@pytest.mark.parametrize(("matrix", "diagonal"), [((3, 3), (1,)), ((3, 3), (2,)), ((3, 2), (3,)), ((3, 1), (3,))])
def test_a_congruence_of_shapes_that_do_not_match_is_refused(matrix: tuple[int, int], diagonal: tuple[int]) -> None:
    with pytest.raises(ValueError, match="congruence needs"):
        next(congruence(dry(1.0, shape=matrix), dry(1.0, shape=diagonal)))
