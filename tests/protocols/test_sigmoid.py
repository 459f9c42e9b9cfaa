"""Sigmoid, its slope and the guard of its range from one opening, whatever is asked for."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.rounds import run
from mpcfl.protocols.sigmoid import GUARD_SCALE, sigmoid
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, Given, Outcome, evaluate

TABLES, SCALE, Z = 16, 16, 40
SERIES = Series(32, 32)
ROWS = torch.linspace(-31, 31, 311, dtype=torch.float64)


def opened(parties: int, z: torch.Tensor, series: Series = SERIES, *, factor: float = 1.0, slope: bool) -> Outcome:
    def program(session: Session, z: Share) -> object:
        return run(session, sigmoid(z, series, table_scale=TABLES, scale=SCALE, factor=factor, slope=slope))

    return evaluate(parties, program, Given((z * 2.0**Z).round().to(torch.int64), Z))


def real(outcome: Outcome, part: int) -> np.ndarray:
    scale = outcome.results[0][part].scale
    return outcome.ring(part).double().numpy() / 2.0**scale


def exact(z: torch.Tensor) -> np.ndarray:
    return torch.sigmoid(z).numpy()


@pytest.mark.parametrize("parties", PARTIES)
def test_the_slope_is_the_derivative_of_the_sigmoid(parties: int) -> None:
    outcome = opened(parties, ROWS, factor=0.75, slope=True)
    wanted = exact(ROWS) * (1 - exact(ROWS))
    assert np.abs(real(outcome, 0) - 0.75 * exact(ROWS)).max() < 2e-4
    assert np.abs(real(outcome, 2) - 0.75 * wanted).max() < 2e-4
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
        {"sigmoid": (0, 1, 2 * SERIES.terms * n * 8)},
    )


def test_the_guard_counts_rows_that_leave_the_range() -> None:
    z = torch.tensor([0.0, 15.9, -15.9, 32.0, -32.0, 42.0, -42.0], dtype=torch.float64)
    found = real(opened(2, z, slope=False), 1)
    assert np.abs(found - [0, 0, 0, 0.5, 0.5, 1, 1]).max() < 1e-3
