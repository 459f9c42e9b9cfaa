"""The series is the sigmoid as far as PROTOCOLS.md, section 3, says, and its guard tells where that ends."""

import numpy as np
import pytest

from mpcfl.protocols.harmonics import Series, fingerprint

# PROTOCOLS.md, section 3: B, K, largest error on [-B, B].
TABLE = [(8, 4, 4.2e-3), (8, 6, 3.7e-4), (8, 8, 8.3e-5), (16, 8, 4.4e-3), (16, 12, 3.8e-4), (16, 16, 3.2e-5)]
TABLE += [(32, 16, 4.4e-3), (32, 32, 3.2e-5)]
LONG = [Series(8, 8), Series(16, 16), Series(32, 32), Series(64, 64)]


def angles(series: Series, z: np.ndarray) -> np.ndarray:
    return np.outer(z, series.odd()) * (2 * np.pi / (4 * series.range))


def value(series: Series, z: np.ndarray) -> np.ndarray:
    return 0.5 + np.sin(angles(series, z)) @ series.sigmoid()


def guard(series: Series, z: np.ndarray) -> np.ndarray:
    return (1 - np.cos(angles(series, z)) @ series.guard()) / 2


def exact(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def error(series: Series, reach: float) -> float:
    z = np.linspace(-reach, reach, 20001)
    return float(np.abs(value(series, z) - exact(z)).max())


@pytest.mark.parametrize(("range_", "terms", "wanted"), TABLE)
def test_the_errors_are_those_of_the_table(range_: int, terms: int, wanted: float) -> None:
    assert float(f"{error(Series(range_, terms), range_):.1e}") == wanted


@pytest.mark.parametrize(("range_", "terms", "reach"), [(16, 8, 27), (32, 16, 59)])
def test_a_little_beyond_its_range_the_series_is_still_near(range_: int, terms: int, reach: float) -> None:
    """It is the sigmoid reflected about the end of its range, where the sigmoid is flat; then it turns back."""
    series = Series(range_, terms)
    z = np.linspace(0, range_, 1000)
    assert np.allclose(value(series, range_ + z), value(series, range_ - z), rtol=0, atol=1e-12)
    assert error(series, reach) < 1e-2 < error(series, reach + 2)


@pytest.mark.parametrize("range_", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("wanted", [1e-2, 1e-3, 1e-4, 1e-6])
def test_within_an_error_is_the_shortest_series_that_keeps_it(range_: int, wanted: float) -> None:
    try:
        series = Series.within(range_, wanted)
    except ValueError:  # the sigmoid is not flat at 4 and at 8: its reflection has a kink, and the error falls slowly
        assert range_ <= 8 and error(Series(range_, 256), range_) > wanted
        return
    assert series.range == range_ and error(series, range_) <= wanted * 1.001
    assert series.terms == 2 or error(Series(range_, series.terms - 1), range_) > wanted


def test_an_error_that_no_series_keeps_is_refused() -> None:
    with pytest.raises(ValueError, match="no series of 256 terms is the sigmoid to 1e-12 within 4"):
        Series.within(4, 1e-12)


@pytest.mark.parametrize(("terms", "half", "far"), [(8, 7.1e-3, 7.1e-2), (16, 2.4e-7, 1.4e-3), (32, 6e-8, 6e-8)])
@pytest.mark.parametrize("range_", [8, 32])
def test_the_guard_is_nothing_inside_half_at_the_end_and_one_outside(
    range_: int, terms: int, half: float, far: float
) -> None:
    """`half`: most that a row within half the range counts; `far`: least that one beyond 1.3 times it lacks."""
    series = Series(range_, terms)
    for sign in (1, -1):
        zero, middle, end, beyond, double = guard(series, sign * range_ * np.array([0, 0.5, 1, 1.3, 2]))
        assert abs(zero) < 1e-6 and abs(end - 0.5) < 1e-12 and abs(double - 1) < 1e-6
        assert abs(middle) < half and abs(beyond - 1) < far
    inside, outside = np.linspace(-range_ / 2, range_ / 2, 2001), np.linspace(1.3 * range_, 2.7 * range_, 2001)
    assert half / 2 < np.abs(guard(series, inside)).max() < half
    assert far / 2 < np.abs(1 - guard(series, outside)).max() < far


@pytest.mark.parametrize("series", [Series(16, 4), Series(16, 8), *LONG], ids=str)
def test_the_guard_rises_and_does_not_ring(series: Series) -> None:
    z = np.linspace(0, 2 * series.range, 4001)
    steps = np.diff(guard(series, z))
    assert steps.min() > -2e-4
    assert -1e-3 < guard(series, z).min() and guard(series, z).max() < 1 + 1e-3


def test_the_guard_sees_angles_only_and_misses_a_jump_over_three_ranges() -> None:
    """What a solver must not rely on: a row may leave by a whole period between two looks."""
    series = Series(32, 32)
    assert guard(series, np.array([3.0 * 32]))[0] == pytest.approx(0.5)
    assert guard(series, np.array([4.0 * 32]))[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("series", LONG, ids=str)
def test_coefficients_are_what_every_machine_rounds_to(series: Series) -> None:
    """Multiples of 2^-40: what a libm's last bits can change is seven digits further down."""
    for name in ("sigmoid", "slope", "guard"):
        coefficients = getattr(series, name)()
        assert coefficients.shape == (series.terms,) and coefficients.dtype == np.float64
        assert np.array_equal(coefficients * 2.0**40, np.round(coefficients * 2.0**40))


def test_parties_compare_all_coefficients() -> None:
    prints = {fingerprint(series) for series in [*LONG, Series(32, 16), Series(16, 32)]}
    assert len(prints) == len(LONG) + 2
    series = Series(16, 16)
    assert fingerprint(Series(16, 16)) == fingerprint(series)
    for part in (series.sigmoid(), series.slope(), series.guard()):
        assert part.tobytes() in fingerprint(series)


@pytest.mark.parametrize(("range_", "period_bits", "scale"), [(2, 3, 29), (8, 5, 27), (32, 7, 25), (1024, 12, 20)])
def test_a_period_is_a_turn_of_32_bits(range_: int, period_bits: int, scale: int) -> None:
    series = Series(range_, 8)
    assert (series.period_bits, series.scale) == (period_bits, scale)
    assert 4 * range_ * 2**scale == 2**32


@pytest.mark.parametrize(("range_", "terms"), [(1, 8), (0, 8), (-8, 8), (12, 8), (16, 1), (16, 257)])
def test_a_range_that_is_no_power_of_two_and_a_wrong_number_of_terms_are_refused(range_: int, terms: int) -> None:
    with pytest.raises(ValueError, match="a power of two and 2 to 256 terms"):
        Series(range_, terms)
