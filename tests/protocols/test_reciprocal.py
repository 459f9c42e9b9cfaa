"""1 / v and 1 / sqrt(v) are right to 29 bits after one opening and one truncation, for secrets of any size."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch

from mpcfl.protocols.reciprocal import normalised_reciprocal, reciprocal, reciprocal_sqrt, to_fraction
from mpcfl.protocols.rounds import Protocol, run, together
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, dry, evaluate, uniformity

RELATIVE = 2.0**-29
FUNCTIONS: dict[str, tuple[Callable[..., Protocol], Callable[[np.ndarray], np.ndarray], float]] = {
    "reciprocal": (reciprocal, lambda v: 1 / v, 16 / 3),
    "reciprocal_sqrt": (reciprocal_sqrt, lambda v: 1 / np.sqrt(v), 2.5),
}
BOTH = pytest.mark.parametrize("name", FUNCTIONS)


def fractions(scale: int, seed: int = 0) -> torch.Tensor:
    """Ring values in [1/4, 1]: the ends, both sides of every knot, many between; at most 53 bits each."""
    knots = torch.arange(8, 33, dtype=torch.int64)
    step = 1 << max(scale - 53, 0)
    shifted = torch.cat([(knots << (scale - 5)) + off * step for off in (-1, 0, 1)])
    many = torch.from_numpy(np.random.default_rng(seed).uniform(0.25, 1, 800))
    inside = torch.cat([shifted, (many * 2.0**scale).to(torch.int64) // step * step])
    return inside[(inside >= 1 << (scale - 2)) & (inside <= 1 << scale)]


def apply(name: str, scale: int = 30) -> Callable[[Session, Share], Share]:
    return lambda session, v: run(session, FUNCTIONS[name][0](v, scale=scale))


@BOTH
@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("scale", [12, 30, 32, 33, 62])
def test_right_to_29_bits_and_one_unit(name: str, scale: int, parties: int) -> None:
    ring = fractions(scale)
    exact = FUNCTIONS[name][1](ring.double().numpy() / 2.0**scale)
    result = evaluate(parties, apply(name), Given(ring, scale, 1.0)).ring().double().numpy() / 2.0**30
    assert np.abs(result - exact).max() > 0  # it is no plaintext computation in disguise
    assert (np.abs(result - exact) <= RELATIVE * exact + 2.0**-30).all()


@BOTH
def test_relative_error_is_far_below_what_fixed_point_asks(name: str) -> None:
    ring = fractions(30)
    exact = FUNCTIONS[name][1](ring.double().numpy() / 2.0**30)
    result = evaluate(2, apply(name), Given(ring, 30, 1.0)).ring().double().numpy() / 2.0**30
    assert np.abs(result / exact - 1).max() < 2.0**-28


@BOTH
@pytest.mark.parametrize("scale", [0, 16, 24])
def test_a_result_at_a_smaller_scale_is_rounded_to_a_neighbour(name: str, scale: int) -> None:
    ring = fractions(30)
    exact = FUNCTIONS[name][1](ring.double().numpy() / 2.0**30)
    outcome = evaluate(2, apply(name, scale), Given(ring, 30, 1.0))
    assert outcome.results[0].scale == scale
    off = outcome.ring().double().numpy() / 2.0**scale - exact
    assert (np.abs(off) <= 2.0**-scale * 1.0001).all()


@BOTH
def test_one_step_outside_is_still_right_because_rounding_may_take_a_value_there(name: str) -> None:
    ring = torch.tensor([(1 << 28) - 1, (1 << 28) - (1 << 20), (1 << 30) + 1, (1 << 30) + (1 << 20)])
    exact = FUNCTIONS[name][1](ring.double().numpy() / 2.0**30)
    result = evaluate(2, apply(name), Given(ring, 30, 1.1)).ring().double().numpy() / 2.0**30
    assert np.abs(result / exact - 1).max() < 2.0**-28


@BOTH
def test_far_outside_the_result_keeps_its_bound(name: str) -> None:
    ring = torch.from_numpy(np.random.default_rng(1).integers(-(1 << 33), 1 << 33, 2000))
    outcome = evaluate(3, apply(name), Given(ring, 30, 8.0))
    result = outcome.ring().double().abs().max() / 2.0**30
    bound = outcome.results[0].bound
    assert FUNCTIONS[name][2] <= bound < FUNCTIONS[name][2] + 0.01
    assert result <= bound


@BOTH
@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("scale", "width"), [(30, 4), (32, 4), (33, 8), (62, 8)])
def test_cost_is_one_opening_and_one_truncation(name: str, scale: int, width: int, parties: int) -> None:
    n, others = 11, parties - 1
    outcome = evaluate(parties, apply(name), Given(torch.full((n,), 1 << (scale - 1)), scale, 1.0))
    online = {"spline": (1, others, width * n * others), "truncation": (1, others, 8 * n * others)}
    assert [outcome.cost("online", rank) for rank in range(parties)] == [online] * parties
    offline = {"spline": (0, 1, 256 * n * 8), "truncation": (0, 1, 2 * n * 8)}
    assert outcome.cost("offline", parties) == offline


def test_in_parallel_they_share_their_rounds() -> None:
    def program(session: Session, v: Share) -> list[Share]:
        return together(session, reciprocal(v), reciprocal_sqrt(v))

    outcome = evaluate(2, program, Given(fractions(30), 30, 1.0))
    assert sum(rounds for rounds, _, _ in outcome.cost("online").values()) == 2


def test_what_is_opened_is_uniform_whatever_the_value() -> None:
    """The transcript of one value, four thousand times: four bytes each for the spline, eight for the truncation."""
    outcome = evaluate(2, apply("reciprocal"), Given(torch.full((4000,), 1 << 29), 30, 1.0))
    views = [[m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-2:] for rank in (0, 1)]
    for theirs, ours, dtype in zip(*views, (torch.int32, torch.int64), strict=True):
        assert len(theirs) == 4000 * dtype.itemsize
        assert uniformity([theirs.view(dtype) + ours.view(dtype)]) > UNLIKELY


def test_shape_is_kept_for_parties_with_and_without_shares() -> None:
    outcome = evaluate(2, apply("reciprocal"), Given(torch.full((2, 3), 1 << 29), 30, 1.0))
    assert [result.shape for result in outcome.results] == [(2, 3)] * 3


@pytest.mark.parametrize("scale", [-1, 31])
def test_a_result_scale_that_the_spline_does_not_have_is_refused(scale: int) -> None:
    with pytest.raises(ValueError, match=f"scale {scale} is not in 0..30"):
        next(reciprocal(dry(1.0, scale=30), scale=scale))


# -- positive values of unknown size -----------------------------------------------------------------------------------


def sizes(bits: int, seed: int = 0) -> list[int]:
    """Every power of two below 2^bits with its neighbours, and many between."""
    edges = {2**k + off for k in range(bits + 1) for off in (-1, 0, 1)}
    many = np.exp2(np.random.default_rng(seed).uniform(0, bits, 200)).astype(np.int64).tolist()
    return sorted(value for value in edges | set(many) if 1 <= value <= 2**bits)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bits", "scale"), [(1, 0), (20, 8), (33, 30), (61, 0), (62, 40)])
def test_mantissa_times_power_of_two_is_the_reciprocal(bits: int, scale: int, parties: int) -> None:
    x = sizes(bits)
    given = Given(torch.tensor(x), scale, 2.0 ** (bits - scale))
    outcome = evaluate(parties, lambda session, v: run(session, normalised_reciprocal(v)), given)
    for value, mantissa, exponent in zip(x, outcome.ring(0).tolist(), outcome.ring(1).tolist(), strict=True):
        got = Fraction(mantissa, 1 << 30) * Fraction(2) ** exponent
        assert abs(got * Fraction(value, 1 << scale) - 1) < Fraction(1, 1 << 28)
        assert (1 << 30) - 2 <= mantissa <= (1 << 32) + 4


@pytest.mark.parametrize("bits", [20, 62])
def test_a_fraction_lies_in_a_quarter_to_one_and_is_exact(bits: int) -> None:
    x = sizes(bits)
    given = Given(torch.tensor(x), 0, 2.0**bits)
    outcome = evaluate(2, lambda session, v: run(session, to_fraction(v))[:2], given)
    for value, fraction, shift in zip(x, outcome.ring(0).tolist(), outcome.ring(1).tolist(), strict=True):
        assert fraction == value << shift
        assert 1 << (bits - 2) <= fraction <= 1 << bits
    assert outcome.results[0][0].scale == bits


@pytest.mark.parametrize("bits", [20, 62])
def test_cost_is_six_rounds(bits: int) -> None:
    n, width = 3, 4 if bits <= 32 else 8
    given = Given(torch.ones(n, dtype=torch.int64), 0, 2.0**bits)
    outcome = evaluate(3, lambda session, v: run(session, normalised_reciprocal(v)), given)
    compared = {"comparison", "lookup"}
    for cost in (outcome.cost("online", rank) for rank in range(3)):
        assert sum(rounds for rounds, _, _ in cost.values()) == 6
        assert {name: value for name, value in cost.items() if name not in compared} == {
            "product": (1, 2, 2 * n * 8 * 2),
            "spline": (1, 2, n * width * 2),
            "truncation": (1, 2, n * 8 * 2),
        }


def test_a_value_of_too_many_bits_is_refused_in_the_plan() -> None:
    with pytest.raises(ValueError, match="a value of 64 bits cannot be brought"):
        next(normalised_reciprocal(dry(2.0**33, scale=30)))
