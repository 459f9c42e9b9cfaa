"""Sigmoids of many elements: tables modulo 2^32, half the dealer's message, and the same results."""

import math

import numpy as np
import pytest
import torch

from mpcfl.protocols import sigmoid as protocol
from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.rounds import run
from mpcfl.protocols.sigmoid import GUARD_SCALE, MANY, in_words, sigmoid
from tests.evaluation import PARTIES, Given, Outcome, evaluate
from tests.protocols.test_sigmoid import in_the_clear

TABLES, SCALE, Z = 13, 17, 40
SERIES = Series(32, 29)
ROWS = torch.linspace(-31, 31, 311, dtype=torch.float64)  # an odd number of them


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few elements are many."""
    monkeypatch.setattr(protocol, "MANY", 1)


def opened(
    parties: int, z: torch.Tensor, series: Series = SERIES, *, z_scale: int = Z, tables: int = TABLES,
    scale: int = SCALE, factor: float = 0.75, slope: bool = True,
) -> Outcome:  # fmt: skip
    options = {"table_scale": tables, "scale": scale, "factor": factor, "slope": slope}
    ring = Given((z * 2.0**z_scale).round().to(torch.int64), z_scale)
    return evaluate(parties, lambda session, x: run(session, sigmoid(x, series, **options)), ring)


def real(outcome: Outcome, part: int) -> np.ndarray:
    return outcome.ring(part).double().numpy() / 2.0 ** outcome.results[0][part].scale


def noise(series: Series, tables: int, scale: int) -> float:
    return math.sqrt(series.terms / 6) * 2.0**-scale + 0.5 * 2.0**-tables


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("series", [Series(8, 8), Series(16, 15), SERIES], ids=str)
def test_sigmoid_guard_and_slope_are_their_series(series: Series, parties: int) -> None:
    z = ROWS * (series.range / 32)
    outcome = opened(parties, z, series)
    wanted = in_the_clear(z, series)
    for part, factor in enumerate((0.75, 1.0, 0.75)):
        scale = GUARD_SCALE if part == 1 else SCALE
        assert np.abs(real(outcome, part) - factor * wanted[part]).max() < 6.5 * noise(series, TABLES, scale)
    assert [share.scale for share in outcome.results[0]] == [TABLES + SCALE, TABLES + GUARD_SCALE, TABLES + SCALE]


@pytest.mark.usefixtures("few")
def test_results_may_have_more_bits_than_words() -> None:
    """What does not fit is left out of the coefficients: 16 bits of them here, and the scale is what was asked for."""
    outcome = opened(2, ROWS, tables=14, scale=18)
    assert outcome.results[0][0].scale == 32 and outcome.cost("online")["extension"][0] == 1
    assert np.abs(real(outcome, 0) - 0.75 * in_the_clear(ROWS, SERIES)[0]).max() < 6.5 * noise(SERIES, 14, 16)


@pytest.mark.usefixtures("few")
def test_tables_whose_guard_does_not_fit_stay_elements() -> None:
    assert "extension" not in opened(2, ROWS, tables=15).cost("online")


@pytest.mark.parametrize("terms", [2, 3, 8, 29, 64, 256])
@pytest.mark.parametrize("reach", [2, 8, 32, 128])
def test_no_series_is_anywhere_larger_than_the_words_have_room_for(reach: int, terms: int) -> None:
    """Also where rows have left the range: 0.6 of 2^30 for sigmoid and guard less a half, 0.3 for the slope."""
    z = torch.linspace(-4 * reach, 4 * reach, 4001, dtype=torch.float64)
    sigmoids, guard, slope = in_the_clear(z, Series(reach, terms))
    assert np.abs(sigmoids - 0.5).max() < 0.6 and np.abs(guard - 0.5).max() < 0.6 and np.abs(slope).max() < 0.3


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("parties", PARTIES)
def test_rows_that_leave_the_range_or_the_period_are_seen(parties: int) -> None:
    z = torch.tensor([0.0, -15.9, 32.0, 42.0], dtype=torch.float64)
    assert np.abs(real(opened(parties, z, z_scale=57), 1) - [0, 0, 0.5, 1]).max() < 2e-3
    far = torch.tensor([128.0, -128.0, 100.0, 4096.0] * 100, dtype=torch.float64)
    assert (np.abs(real(opened(parties, far), 1)) > 1.0).all()
    assert abs(real(opened(parties, far), 1).sum()) > 1e3


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("shape", "messages"), [((311,), 4), ((7, 30), 3), ((1,), 1)])
def test_it_costs_half_the_tables_and_a_round(
    shape: tuple[int, ...], messages: int, parties: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two words share an element; a stretch of an odd number of rows leaves one half empty."""
    monkeypatch.setattr(protocol, "STRETCH", 99 * 2 * SERIES.terms)
    n, others = math.prod(shape), parties - 1
    z = torch.linspace(-31, 31, n, dtype=torch.float64).reshape(shape)
    stretches = [min(99, n - start) for start in range(0, n, 99)]
    elements = sum(2 * SERIES.terms * -(-size // 2) + 2 * size for size in stretches)
    for slope, results in ((False, 2), (True, 3)):
        outcome = opened(parties, z, slope=slope)
        for part in range(results):
            wanted = in_the_clear(z.reshape(-1), SERIES)[part] * (1.0 if part == 1 else 0.75)
            assert np.abs(real(outcome, part).reshape(-1) - wanted).max() < 6.5 * noise(SERIES, TABLES, GUARD_SCALE)
        assert outcome.cost("online") == {
            "sigmoid": (1, others, 4 * n * others), "extension": (1, others, 4 * results * n * others),
        }  # fmt: skip
        assert outcome.cost("offline", parties) == {
            "sigmoid": (0, messages, 8 * elements), "extension": (0, results, results * 2 * 8 * n),
        }  # fmt: skip


def test_of_65536_elements_tables_are_words_and_of_fewer_elements() -> None:
    assert MANY == 65536 and in_words(65536) and not in_words(65535)
