"""Sigmoid, its slope and the guard of its range from one opening, whatever is asked for."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols import sigmoid as protocol
from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.rounds import run
from mpcfl.protocols.sigmoid import GUARD_SCALE, STRETCH, sigmoid
from mpcfl.ring.waves import tables
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate, full_range, uniformity
from tests.parties import roster

TABLES, SCALE, Z, ONE_PERIOD = 16, 16, 40, 57  # at the last, the ring holds one period
SERIES = Series(32, 32)
ROWS = torch.linspace(-31, 31, 311, dtype=torch.float64)


def opened(
    parties: int, z: torch.Tensor | Given, series: Series = SERIES, *, scale: int = SCALE, **options: Any
) -> Outcome:
    def program(session: Session, z: Share) -> object:
        return run(session, sigmoid(z, series, table_scale=TABLES, scale=scale, **options))

    return evaluate(parties, program, z if isinstance(z, Given) else given(z))


def given(z: torch.Tensor, scale: int = Z) -> Given:
    return Given((z * 2.0**scale).round().to(torch.int64), scale)


def real(outcome: Outcome, part: int) -> np.ndarray:
    scale = outcome.results[0][part].scale
    return outcome.ring(part).double().numpy() / 2.0**scale


def exact(z: torch.Tensor) -> np.ndarray:
    return torch.sigmoid(z).numpy()


def angles(z: torch.Tensor, series: Series) -> np.ndarray:
    return np.outer(z.numpy(), series.odd()) * (2 * np.pi / (4 * series.range))


def in_the_clear(z: torch.Tensor, series: Series = SERIES) -> list[np.ndarray]:
    """The series themselves: sigmoid, guard, slope."""
    sin, cos = np.sin(angles(z, series)), np.cos(angles(z, series))
    return [0.5 + sin @ series.sigmoid(), (1 - cos @ series.guard()) / 2, cos @ series.slope()]


def noise(series: Series, scale: int = SCALE) -> float:
    """Standard deviation of the rounding of public integers, and what the dealer's at 2^-16 adds at most."""
    return math.sqrt(series.terms / 6) * 2.0**-scale + 0.5 * 2.0**-TABLES


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("series", [Series(8, 8), Series(16, 12), SERIES], ids=str)
def test_the_sigmoid_is_the_series_over_its_range(series: Series, parties: int) -> None:
    """Without bias: what parties round off of z, to 16 bits, is nothing beside the rest.

    The series is the sigmoid as far as its terms go."""
    z = torch.linspace(-series.range, series.range, 1001, dtype=torch.float64)
    for factor in (1.0, 0.75, -0.6):
        outcome = opened(parties, z, series, factor=factor)
        off = real(outcome, 0) - factor * in_the_clear(z, series)[0]
        assert np.abs(off).max() < 6.5 * noise(series)
        assert abs(off.mean()) < 6 * noise(series) / math.sqrt(len(z)) + parties * 2.0**-16
        assert 0 < off.std() < 1.2 * noise(series)
        assert outcome.results[0][0].bound >= np.abs(real(outcome, 0)).max()
    assert np.abs(in_the_clear(z, series)[0] - exact(z)).max() < 4e-4


@pytest.mark.parametrize("parties", PARTIES)
def test_the_slope_is_the_derivative_of_the_sigmoid(parties: int) -> None:
    outcome = opened(parties, ROWS, factor=0.75, slope=True)
    wanted = exact(ROWS) * (1 - exact(ROWS))
    assert np.abs(in_the_clear(ROWS)[2] - wanted).max() < 1.2e-4
    for part, series in ((0, in_the_clear(ROWS)[0]), (2, in_the_clear(ROWS)[2])):
        assert np.abs(real(outcome, part) - 0.75 * series).max() < 6.5 * noise(SERIES)
    assert outcome.results[0][2].bound >= 0.75 * wanted.max()
    assert [share.scale for share in outcome.results[0]] == [TABLES + SCALE, TABLES + GUARD_SCALE, TABLES + SCALE]


def test_the_slope_of_the_series_is_as_good_as_its_terms() -> None:
    """PROTOCOLS.md, section 3: 8.6e-3 where K = B/2, 1e-4 where K = B."""
    z = np.linspace(-32, 32, 2000)
    wanted = np.exp(-np.logaddexp(0, z) - np.logaddexp(0, -z))
    for terms, error in ((16, 8.7e-3), (32, 1.2e-4)):
        series = Series(32, terms)
        found = np.cos(np.outer(z, series.odd()) * (2 * np.pi / 128)) @ series.slope()
        assert error / 2 < np.abs(found - wanted).max() < error


def test_a_larger_scale_leaves_the_error_of_the_tables() -> None:
    off = [np.abs(real(opened(2, ROWS, scale=scale), 0) - in_the_clear(ROWS)[0]).max() for scale in (10, 16, 26)]
    assert off[0] > 20 * off[1] and off[1] > 2 * off[2]
    assert off[2] < 2 * 2.0**-TABLES


@pytest.mark.parametrize("scale", [20, 24, 25, 26, 40, 56, 57])
def test_z_may_have_any_scale_that_leaves_a_period(scale: int) -> None:
    """The series has 25 bits, and 57 are those of a ring of exactly one period."""
    z = (ROWS * 2.0**18).round() / 2.0**18
    off = real(opened(3, given(z, scale)), 0) - in_the_clear(z)[0]
    assert np.abs(off).max() < 6.5 * noise(SERIES)


def test_a_scale_that_leaves_no_period_is_refused_in_the_plan() -> None:
    with pytest.raises(HeadroomError, match="58 bits of scale leave no room for a sigmoid of range 32") as refused:
        next(sigmoid(dry(31.0, scale=58), SERIES, table_scale=TABLES, scale=SCALE))
    assert refused.value.hint is not None
    next(sigmoid(dry(31.0, scale=58), Series(16, 16), table_scale=TABLES, scale=SCALE))


@pytest.mark.parametrize("parties", PARTIES)
def test_a_z_that_wraps_counts_by_its_period(parties: int) -> None:
    """Uniform in the whole ring: at 50 bits of scale it holds 128 periods, which divide it."""
    ring = full_range(np.random.default_rng(parties), 500)
    outcome = opened(parties, Given(ring, 50, 2.0**13))
    reduced = torch.from_numpy(np.remainder(ring.numpy(), 2**57).astype(np.float64) * 2.0**-50)
    assert np.abs(real(outcome, 0) - in_the_clear(reduced)[0]).max() < 6.5 * noise(SERIES)
    once = opened(parties, Given(ring, ONE_PERIOD, 2.0**6))
    guard = in_the_clear(torch.from_numpy(ring.numpy().astype(np.float64) * 2.0**-ONE_PERIOD))[1]
    assert np.abs(real(once, 1) - guard).max() < 6.5 * noise(SERIES, GUARD_SCALE)


def test_z_may_have_any_shape() -> None:
    z = ROWS[:310]
    for shape in ((310, 1), (31, 10), (31, 2, 5)):
        outcome = opened(2, z.reshape(shape), slope=True)
        assert [share.shape for share in outcome.results[0]] == [shape] * 3
        assert [share.shape for share in outcome.results[2]] == [shape] * 3
        assert np.abs(real(outcome, 0).reshape(-1) - in_the_clear(z)[0]).max() < 6.5 * noise(SERIES)


def test_the_dealers_rounding_has_a_mean_that_is_as_good_as_nothing() -> None:
    """Rounded to nearest, of uniform angles: 2 E[round(2^s cos) cos] / 2^s is 1 but for 0.11 * 2^(-1.5 s)."""
    turn = torch.arange(1 << 18) << 14
    cos = torch.cos(turn.double() * (2 * math.pi / 2**32))
    for scale in (6, 8, 10, 12):
        found = 2 * (tables(turn, 1, scale)[0, 0].double() * cos).mean().item() / 2.0**scale
        assert abs(found - 1) < 0.12 * 2.0 ** (-1.5 * scale)


# -- the guard ---------------------------------------------------------------------------------------------------------


def test_the_guard_counts_rows_that_leave_the_range() -> None:
    z = torch.tensor([0.0, 15.9, -15.9, 32.0, -32.0, 42.0, -42.0], dtype=torch.float64)
    found = real(opened(2, given(z, ONE_PERIOD)), 1)
    assert np.abs(found - [0, 0, 0, 0.5, 0.5, 1, 1]).max() < 1e-3


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("series", "scale", "seen"), [(SERIES, 40, 16), (SERIES, 52, 12), (Series(8, 8), 48, 16)])
def test_a_row_in_another_period_is_seen_however_far_it_is(series: Series, scale: int, seen: int, parties: int) -> None:
    """To the sum it adds a random element: none of two thousand is near 0. In its own period a row adds nothing."""
    period, b = 4 * series.range, series.range
    turns = torch.arange(1, 2**seen // period, dtype=torch.float64)
    far = torch.cat([sign * turns * period + off for sign in (1, -1) for off in (-0.9 * b, 0.0, 0.4 * b)])
    found = real(opened(parties, given(far, scale), series), 1)
    assert (np.abs(found) > 1.0).all()
    inside = torch.linspace(-0.99 * b, 0.99 * b, 2001, dtype=torch.float64)
    found = real(opened(parties, given(inside, scale), series), 1)
    assert np.abs(found - in_the_clear(inside, series)[1]).max() < 6.5 * noise(series, GUARD_SCALE) + 1e-4


def test_rows_in_other_periods_do_not_cancel() -> None:
    """As many a period up as down, at once and in one sum."""
    z = torch.tensor([128.0, -128.0] * 1000, dtype=torch.float64)
    for _ in range(3):
        assert abs(real(opened(2, z), 1).sum()) > 1e3


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("gone", [0, 1, 7])
def test_many_rows_that_stay_do_not_pass_for_one_that_leaves(gone: int, parties: int) -> None:
    """Rounded to nearest, 20000 rows alike could count a quarter of a row; noise alone is 0.005."""
    z = torch.full((20_000,), 9.0, dtype=torch.float64)
    z[:gone] = 45.0
    found = real(opened(parties, given(z, ONE_PERIOD)), 1).sum()
    assert abs(found - gone) < 6 * noise(SERIES, GUARD_SCALE) * math.sqrt(len(z)) < 0.05


def test_the_guard_does_not_depend_on_the_factor() -> None:
    z = torch.tensor([3.0, 32.0, 50.0], dtype=torch.float64)
    for factor in (1.0, -0.3):
        assert np.abs(real(opened(2, given(z, ONE_PERIOD), factor=factor), 1) - [0, 0.5, 1]).max() < 1e-3


# -- cost and view -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
def test_the_slope_is_for_nothing(parties: int) -> None:
    costs = []
    for slope in (False, True):
        outcome = opened(parties, ROWS, slope=slope)
        costs.append((outcome.cost("online"), outcome.cost("offline", parties)))
    others, n = parties - 1, len(ROWS)
    assert costs[0] == costs[1]
    assert costs[0] == (
        {"sigmoid": (1, others, 4 * n * others)},
        {"sigmoid": (0, 1, (2 * SERIES.terms + 2) * n * 8)},
    )


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("shape", "messages"), [((311,), 4), ((300,), 3), ((7, 30), 3), ((1,), 1), ((0,), 0)])
def test_tables_are_dealt_in_stretches_of_bounded_size(
    shape: tuple[int, ...], messages: int, parties: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of a hundred values at most, and one round for all of them."""
    monkeypatch.setattr(protocol, "STRETCH", 100 * 2 * SERIES.terms)
    n, others = math.prod(shape), parties - 1
    z = torch.linspace(-31, 31, n, dtype=torch.float64)
    outcome = opened(parties, z.reshape(shape), slope=True)
    for part, wanted in enumerate(in_the_clear(z)):
        assert real(outcome, part).shape == shape
        assert (np.abs(real(outcome, part).reshape(-1) - wanted) < 6.5 * noise(SERIES)).all()
    assert outcome.cost("online")["sigmoid"] == (1, others, 4 * n * others)
    dealt = {"sigmoid": (0, messages, (2 * SERIES.terms + 2) * n * 8)} if messages else {}
    assert outcome.cost("offline", parties) == dealt


def test_among_gpus_all_tables_come_at_once() -> None:
    """Pieces that suit a CPU's cache would be hundreds of launches each; the values are the same."""
    n, stretch = 2 * STRETCH // (2 * SERIES.terms), STRETCH // (2 * SERIES.terms)
    z = given(torch.linspace(-31, 31, n, dtype=torch.float64))
    who = roster(2)
    for gpus, messages in ((False, -(-n // stretch)), (True, 1)):
        who.gpus = gpus
        outcome = evaluate(who, lambda s, x: run(s, sigmoid(x, SERIES, table_scale=TABLES, scale=SCALE)), z)
        assert (np.abs(real(outcome, 0) - in_the_clear(z.ring.double() / 2.0**Z)[0]) < 6.5 * noise(SERIES)).all()
        assert outcome.cost("offline", 2)["sigmoid"][1] == messages


@pytest.mark.parametrize("value", [0.0, 31.0])
def test_what_is_opened_is_uniform_whatever_z_is(value: float) -> None:
    """Both messages and what they add up to, of four thousand rows alike."""
    outcome = opened(2, torch.full((4000,), value, dtype=torch.float64))
    theirs, ours = ([m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-1] for rank in (0, 1))
    assert len(theirs) == len(ours) == 4 * 4000
    for seen in (theirs, ours, theirs.view(torch.int32) + ours.view(torch.int32)):
        assert uniformity([seen]) > UNLIKELY


def test_the_test_would_notice_an_angle_that_is_not_masked() -> None:
    word = torch.full((4000,), round(31.0 * 2.0**SERIES.scale), dtype=torch.int32)
    assert uniformity([word]) < UNLIKELY
