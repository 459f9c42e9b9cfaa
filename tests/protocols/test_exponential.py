"""exp of a secret in one opening: right wherever the guard says nothing, and the guard misses no row."""

import math
from decimal import Decimal

import numpy as np
import pytest
import torch

from mpcfl.protocols import exponential as module
from mpcfl.protocols.exponential import RANGES, STRETCH, exponential
from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate
from tests.ring.test_product import uniform

SCALE = 50  # of z, as a logistic gradient step leaves it
PERIOD = 4096  # of the opened word


def real(z: np.ndarray) -> Given:
    return Given(torch.from_numpy(np.round(np.asarray(z) * 2.0**SCALE).astype(np.int64)), SCALE)


def exp_of(
    parties: int, z: np.ndarray, range: int, scale: int = 32, factor: float = 1.0, middle: float = 0.0
) -> Outcome:
    def program(session: Session, share: Share) -> tuple[Share, Share]:
        return run(session, exponential(share, range, scale=scale, factor=factor, middle=middle))

    return evaluate(parties, program, real(z))


def values(outcome: Outcome) -> np.ndarray:
    return outcome.ring(0).double().numpy() / 2.0 ** outcome.results[0][0].scale


def over(range: int, factor: float, count: int = 4000) -> np.ndarray:
    """Values spread over `factor` times the range on either side, the ends among them."""
    z = np.random.default_rng(range).uniform(-factor * range, factor * range, count)
    return np.r_[z, -factor * range, factor * range, 0.0]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("range", RANGES)
@pytest.mark.parametrize("scale", [26, 32, 40])
def test_it_is_the_exponential_up_to_one_and_a_half_times_the_range(scale: int, range: int, parties: int) -> None:
    z = over(range, 1.5 - 1e-4)
    error = np.abs(values(exp_of(parties, z, range, scale)) - np.exp(z))
    allowed = parties * 2.0**-21 * np.exp(z) + 2.5 * (math.exp(2.5 * range) * 4.0**-scale) ** (1 / 3)
    assert (error <= allowed).all()


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("range", RANGES)
def test_a_row_within_the_range_never_trips_the_guard_and_one_beyond_always(range: int, parties: int) -> None:
    within = over(range, 1 - 1e-4)
    assert not exp_of(parties, within, range).ring(1).any()
    far = np.r_[np.arange(1.5 * range, PERIOD - 1.5 * range, 0.37) + 1e-4, PERIOD - 1.5 * range - 1e-4]
    assert bool((exp_of(parties, np.r_[far, -far], range).ring(1) >= 1).all())


def test_where_the_guard_says_nothing_the_result_is_right_and_its_sum_shows_one_row_in_many() -> None:
    z = over(4, 3.0)
    outcome = exp_of(2, z, 4)
    silent = outcome.ring(1).numpy() == 0
    between = (np.abs(z) > 4) & (np.abs(z) < 6)
    assert silent[between].any() and not silent[between].all(), "beyond the range it is one or the other"
    assert np.abs(values(outcome) - np.exp(z))[silent].max() < 1e-3
    assert int(exp_of(2, np.r_[np.zeros(3000), 6.01], 4).ring(1).sum()) >= 1


@pytest.mark.parametrize("periods", [1, 2, 7, 100, 255])
def test_a_row_thrown_out_by_whole_periods_does_not_pass_for_one_that_stayed(periods: int) -> None:
    """The exponential of it is the one of what is left: without the number of periods nobody would know."""
    z = np.full(50, periods * 16.0 + 0.5)
    outcome = exp_of(3, np.r_[z, -z], 4)
    assert np.allclose(values(outcome), np.r_[np.full(50, math.exp(0.5)), np.full(50, math.exp(-0.5))], rtol=1e-4)
    assert bool((outcome.ring(1) >= 1).all())


@pytest.mark.parametrize(("range", "z"), [(8, -11.9), (8, -7.7), (8, 3.3), (4, -2.0), (4, 4.0), (1, 0.0)])
def test_the_errors_of_many_runs_cancel(range: int, z: float) -> None:
    """Their mean is zero within six standard deviations of a mean, at few bits and with the most parties."""
    error = values(exp_of(5, np.full(40_000, z), range, 24)) - math.exp(z)
    assert abs(error.mean()) <= math.sqrt(2 * math.log(2 / UNLIKELY)) * error.std() / math.sqrt(error.size)


@pytest.mark.parametrize("factor", [0.7431, -0.5, 1e-3])
def test_a_factor_costs_nothing(factor: float) -> None:
    z = over(4, 1.0)
    outcome = exp_of(2, z, 4, 32, factor)
    assert np.abs(values(outcome) - factor * np.exp(z)).max() < 1e-4
    assert outcome.results[0][0].bound == abs(factor) * math.exp(6)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("range", "middle"), [(8, -4.0), (4, -2.0), (4, 3.999), (1, 1.0), (8, 0.123456789)])
def test_the_range_may_lie_about_another_middle(range: int, middle: float, parties: int) -> None:
    z = over(range, 1.5 - 1e-4) + middle
    outcome = exp_of(parties, z, range, middle=middle)
    error = np.abs(values(outcome) - np.exp(z))
    allowed = parties * 2.0**-21 * np.exp(z) + 2.5 * (math.exp(middle + 2.5 * range) * 2.0**-64) ** (1 / 3)
    assert (error <= allowed).all()
    guard = outcome.ring(1).numpy()
    assert not guard[np.abs(z - middle) < range - 1e-4].any() and guard[np.abs(z - middle) > 1.25 * range].any()
    far = np.arange(1.5 * range, PERIOD - 1.5 * range, 0.37) + 1e-4
    assert bool((exp_of(parties, middle + np.r_[far, -far], range, middle=middle).ring(1) >= 1).all())
    assert outcome.results[0][0].bound == math.exp(middle + 1.5 * range)


@pytest.mark.parametrize("parties", PARTIES)
def test_cost_is_one_round_of_four_bytes_each(parties: int) -> None:
    n, others = 21, parties - 1
    outcome = exp_of(parties, np.zeros(n), 4)
    for rank in outcome.roster.compute:
        assert outcome.cost("online", rank) == {"exponential": (1, others, n * 4 * others)}
    assert outcome.cost("offline", parties) == {"exponential": (0, 1, 20 * n * 8)}


def test_tables_of_many_values_come_in_stretches() -> None:
    """So that memory is bounded whatever their number; where one stretch ends and the next begins nothing is lost."""
    z = np.tile(over(4, 1.0, 997), 2 * STRETCH // 1000 + 1).reshape(2, -1)
    outcome = exp_of(2, z, 4)
    assert np.abs(values(outcome) - np.exp(z)).max() < 1e-3 and not outcome.ring(1).any()
    assert outcome.cost("online") == {"exponential": (1, 1, 4 * z.size)}
    assert outcome.cost("offline", 2) == {"exponential": (0, 3, 20 * z.size * 8)}


def test_scales_bounds_and_shapes_for_parties_with_and_without_shares() -> None:
    for value, guard in exp_of(2, np.zeros((2, 3)), 4).results:
        assert (value.scale, value.bound, value.shape) == (32, math.exp(6), (2, 3))
        assert (guard.scale, guard.bound, guard.shape) == (0, 4.0**8, (2, 3))


@pytest.mark.parametrize("scale", [0, 12, 20, 21, 52])
def test_z_may_come_at_any_scale_up_to_52(scale: int) -> None:
    z = torch.tensor([-3, 0, 2, 3])
    outcome = evaluate(3, lambda s, x: run(s, exponential(x, 4, scale=32, middle=0.6)), Given(z << scale, scale, 8.0))
    assert np.allclose(values(outcome), np.exp(z.numpy()), rtol=2e-6, atol=1e-4)


@pytest.mark.parametrize(("range", "scale"), [(3, 20), (0, 20), (16, 20), (4, 53)])
def test_what_cannot_be_is_refused(range: int, scale: int) -> None:
    z = dry(1.0, scale=scale)
    with pytest.raises(ValueError, match=f"no exponential of range {range} about 0 for a value at scale {scale}"):
        run(z.session, exponential(z, range, scale=32))


def test_a_middle_that_is_further_away_than_the_range_is_refused() -> None:
    z = dry(1.0, scale=20)
    with pytest.raises(ValueError, match="no exponential of range 2 about -2.5 for a value at scale 20"):
        run(z.session, exponential(z, 2, scale=32, middle=-2.5))


@pytest.mark.parametrize("range", RANGES)
def test_the_dealers_exponentials_are_rounded_from_right_ones(range: int) -> None:
    """Up or down, never by more than a unit, at every mask: 2^-51 of the largest is less than that."""
    digits = module._Digits(range, 0.0, 32)
    ends = [(k << digits.case_bits) + off for k in (0, 1, 2, 3) for off in (-1, 0, 1)]
    mask = torch.cat([uniform(200), torch.tensor(ends)])
    tau, _ = module._near(mask & (2**32 - 1), 4, digits)
    for words, scale in zip(module._tables(mask, digits)[:2], (digits.coarse, digits.fine), strict=True):
        for word, x in zip(words.flatten().tolist(), tau.flatten().tolist(), strict=True):
            exact = (Decimal(x) / 2**20).exp() * Decimal(2) ** scale
            assert abs(word - exact) <= 1
