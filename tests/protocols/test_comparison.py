"""[x >= theta], exact for all values whose difference from theta fits 63 bits, in three rounds."""

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.rounds import run
from tests.evaluation import EDGES, HIGH, LOW, PARTIES, Given, dry, evaluate, full_range, wrapped

HALF = 2.0**62


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
@pytest.mark.parametrize("k", [1, 4])
def test_cost_is_three_rounds_8_bytes_a_value_and_5_a_threshold(k: int, parties: int) -> None:
    n, others = 12, parties - 1
    outcome = evaluate(parties, compared(torch.arange(k)), Given(torch.arange(n).reshape(3, 4), bound=HALF))
    for rank in range(parties):
        assert outcome.cost("online", rank) == {
            "comparison": (3, 3 * others, (8 * n + 5 * n * k) * others),
        }
    offline = outcome.cost("offline", parties)
    assert offline == {"comparison": (0, 1, (256 * n + 97 * n * k) * 8)}


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
