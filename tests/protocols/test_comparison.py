"""[x >= theta], exact for all values whose difference from theta fits 63 bits, in three rounds."""

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.comparison import at_least, cuts
from mpcfl.protocols.rounds import run
from tests.evaluation import EDGES, HIGH, LOW, PARTIES, UNLIKELY, Given, dry, evaluate, full_range, uniformity, wrapped

HALF = 2.0**62
CUTS = [(1, 3, 52, 20), (2, 3, 56, 18), (5, 3, 56, 18), (6, 3, 80, 14), (16, 3, 96, 13), (27, 3, 176, 10)]
CUTS += [(40, 3, 256, 8), (192, 2, 448, 7)]
"""Thresholds, bytes that each of them takes online, elements offline of a value and of a threshold."""


def compared(thresholds: torch.Tensor):
    return lambda session, x: run(session, at_least(x, thresholds))


def expected(x: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    return (x[..., None] >= thresholds).to(torch.int64)


@pytest.mark.parametrize(
    "theta", [0, 1, -1, 7, -8, 16, 1 << 16, 1 << 32, -(1 << 60), (1 << 61) - 1, 1 << 61, -(1 << 61)]
)
def test_every_value_around_a_threshold(theta: int) -> None:
    """70 values to each side: all carries of the lowest digits, and across every higher digit for powers of two."""
    x = theta + torch.arange(-70, 71)
    thresholds = torch.tensor([theta])
    assert torch.equal(evaluate(2, compared(thresholds), Given(x, bound=HALF)).ring(), expected(x, thresholds))


@pytest.mark.parametrize("parties", PARTIES)
def test_edge_values_against_edge_thresholds(parties: int) -> None:
    small = sorted(e for e in EDGES if abs(e) < 2**62)
    x, thresholds = torch.tensor(small), torch.tensor(small)
    outcome = evaluate(parties, compared(thresholds), Given(x, bound=HALF - 1))
    assert torch.equal(outcome.ring(), expected(x, thresholds))


@pytest.mark.parametrize("parties", PARTIES)
def test_random_values_against_random_thresholds(parties: int) -> None:
    rng = np.random.default_rng(parties)
    x, thresholds = full_range(rng, 20, 30) >> 1, full_range(rng, 5) >> 1
    outcome = evaluate(parties, compared(thresholds), Given(x, bound=HALF))
    assert torch.equal(outcome.ring(), expected(x, thresholds))


@pytest.mark.parametrize("parties", PARTIES)
def test_the_sign_of_full_range_values(parties: int) -> None:
    x = torch.cat([wrapped(EDGES), torch.tensor([HIGH, LOW]), full_range(np.random.default_rng(9), 500)])
    outcome = evaluate(parties, compared(torch.tensor([0])), Given(x, bound=2.0**63))
    assert torch.equal(outcome.ring(), expected(x, torch.tensor([0])))


def test_values_that_differ_in_one_digit_only() -> None:
    """For each of the 64 bits: a value, the same with that bit more or less, and what lies beside both."""
    rng = np.random.default_rng(11)
    base = (full_range(rng, 1) >> 2).item()
    near = [base + sign * 2**k + off for k in range(60) for sign in (1, -1) for off in (-1, 0, 1)]
    x, thresholds = torch.tensor(near), torch.tensor([base - 1, base, base + 1])
    assert torch.equal(evaluate(2, compared(thresholds), Given(x, bound=HALF)).ring(), expected(x, thresholds))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("far", [0, 1, 2, 2**30, 2**62, 2**63 - 2, 2**63 - 1])
def test_differences_up_to_both_ends(far: int, parties: int) -> None:
    """x - theta = +-far, whatever theta is: one that is 0, one that leaves no room to one side, and some between. As
    often as it takes to meet masks of all kinds."""
    thetas = [theta for theta in (0, 1 - 2**62, 2**62 - 1, 12345, -(2**40)) if abs(theta) + far < 2**63]
    for theta in thetas:
        x = torch.tensor([theta + far, theta - far]).repeat(40)
        outcome = evaluate(parties, compared(torch.tensor([theta])), Given(x, bound=2.0**63 - abs(theta) - 1024))
        assert torch.equal(outcome.ring(), expected(x, torch.tensor([theta])))


@pytest.mark.parametrize(("k", "bytes_each", "of_x", "of_a_threshold"), CUTS)
def test_cost_is_three_rounds_8_bytes_a_value_and_3_a_threshold(
    k: int, bytes_each: int, of_x: int, of_a_threshold: int
) -> None:
    n, parties, others = 12, 3, 2
    x, thresholds = torch.arange(n) - 6, torch.arange(k) - k // 2
    outcome = evaluate(parties, compared(thresholds), Given(x.reshape(3, 4), bound=HALF))
    assert torch.equal(outcome.ring(), expected(x.reshape(3, 4), thresholds))
    for rank in range(parties):
        assert outcome.cost("online", rank) == {
            "comparison": (3, 3 * others, (8 * n + bytes_each * n * k) * others),
        }
    assert outcome.cost("offline", parties) == {"comparison": (0, 1, (of_x * n + of_a_threshold * n * k) * 8)}


@pytest.mark.parametrize("k", [k for k, *_ in CUTS])
def test_every_way_to_cut_the_words_compares_right(k: int) -> None:
    """As many thresholds at once as have a way of their own, on the edges, next to them, and at random."""
    small = [e for e in EDGES if abs(e) < 2**62]
    x = torch.cat([torch.tensor(small), full_range(np.random.default_rng(k), 20) >> 2])
    near = torch.cat([x, x + 1, x - 1, full_range(np.random.default_rng(k + 1), 200) >> 2])
    thresholds = near[torch.randperm(len(near), generator=torch.Generator().manual_seed(k))[:k]]
    outcome = evaluate(2, compared(thresholds), Given(x, bound=HALF))
    assert torch.equal(outcome.ring(), expected(x, thresholds))


@pytest.mark.parametrize("k", [1, 45, 200])
@pytest.mark.parametrize("value", [0, 2**61, -1])
def test_what_a_party_sees_is_uniform_whatever_the_value(value: int, k: int) -> None:
    """Three messages of the other party, what they add up to, and each of the dealer's tables."""
    n = 4000 // k + 1
    x = torch.full((n,), value)
    outcome = evaluate(2, compared(torch.arange(k)), Given(x, bound=HALF))
    views = [[m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-3:] for rank in (0, 1)]
    for theirs, ours, width in zip(
        *views, (torch.int64, torch.int8 if k == 200 else torch.int16, torch.int8), strict=True
    ):
        assert uniformity([theirs]) > UNLIKELY
        assert uniformity([theirs.view(width) + ours.view(width)]) > UNLIKELY
    dealt = [m for m in outcome.sessions[1].wire.view if m.dtype == torch.int64][-1]
    first, second = cuts(k)
    sizes = [n * width for width in first.widths] + [n * k * second.elements, n * k * second.half]
    for tables in dealt.split(sizes):
        assert uniformity([tables]) > UNLIKELY


def test_the_result_is_a_bit_at_scale_0_with_a_dimension_for_the_thresholds() -> None:
    outcome = evaluate(2, compared(torch.tensor([0, 1, 2])), Given(torch.arange(6).reshape(2, 3), 4, 1.0))
    assert [(share.shape, share.scale, share.bound) for share in outcome.results] == [((2, 3, 3), 0, 1.0)] * 3


def test_a_scalar_and_nothing_at_all() -> None:
    assert evaluate(2, compared(torch.tensor([5])), Given(torch.tensor(5), bound=9.0)).ring().tolist() == [1]
    empty = Given(torch.empty(0, dtype=torch.int64), bound=9.0)
    assert evaluate(2, compared(torch.tensor([5])), empty).ring().shape == (0, 1)


@pytest.mark.parametrize(("bound", "scale", "theta"), [(2.0**63, 0, 2**61), (2.0**43, 20, -(2**60)), (2.0**64, 0, 0)])
def test_a_difference_that_might_wrap_is_refused_in_the_plan(bound: float, scale: int, theta: int) -> None:
    with pytest.raises(HeadroomError, match="difference to be compared might need 1 bits"):
        next(at_least(dry(bound, scale=scale), torch.tensor([0, theta])))
