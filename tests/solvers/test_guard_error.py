"""A count of rows that left the range allows for what rounding alone adds up to, and for nothing else."""

import math

import numpy as np
import pytest
import torch

from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.losses.squared_hinge import SquaredHinge
from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.rounds import run
from mpcfl.ring.waves import ANGLE_BITS, Coefficients, combine, tables
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import GUARD_SCALE, Loss
from mpcfl.solvers.steering import stayed
from mpcfl.world.session import Session
from tests.evaluation import Given, evaluate

LOGISTIC = Logistic(Series(32, 29))
LONG = 20_000_000  # row visits: twenty steps through a million rows, which leave 13 bits


def has_stayed(left: float, visits: int, bits: int, loss: Loss) -> int:
    def program(session: Session, share: Share) -> Share:
        return run(session, stayed(share, loss))

    scale = bits + GUARD_SCALE
    ring = torch.tensor(round(left * 2.0**scale))
    return int(evaluate(2, program, Given(ring, scale, 1.1 * visits)).ring())


@pytest.mark.parametrize("bits", [13, 14])
def test_rounding_is_what_the_loss_says(bits: int) -> None:
    rng, series, scale = np.random.default_rng(1), LOGISTIC.series, bits - 2
    turn, count = (1 << ANGLE_BITS) - 1, 1 << 18
    z = torch.from_numpy(np.round(rng.normal(size=count) * 2 * 2.0**series.scale).astype(np.int64)) & turn
    r = torch.from_numpy(rng.integers(0, turn + 1, count))
    coefficients = Coefficients(np.zeros((0, series.terms)), (series.guard() / -2 * 2.0**GUARD_SCALE)[None])
    (found,) = combine((z - r) & turn, tables(r, series.terms, scale), coefficients)
    guard = found.numpy() / 2.0 ** (scale + GUARD_SCALE) + 0.5
    bias, deviation = LOGISTIC.guard_error(bits + GUARD_SCALE)
    assert guard.std() == pytest.approx(deviation, rel=0.1)
    assert abs(guard.mean()) <= 1.5 * bias + 4 * deviation / math.sqrt(count)


@pytest.mark.parametrize("left", [-13.0, 0.0, 2.0])
def test_a_long_run_is_not_stopped_by_rounding(left: float) -> None:
    assert has_stayed(left, LONG, 13, LOGISTIC) == 1


@pytest.mark.parametrize("left", [-40.0, 40.0, 1e6])
def test_a_long_run_is_stopped_by_rows(left: float) -> None:
    assert has_stayed(left, LONG, 13, LOGISTIC) == 0


def test_a_short_run_is_stopped_by_half_a_row() -> None:
    assert has_stayed(0.6, 57_000, 16, LOGISTIC) == 0
    assert has_stayed(0.45, 57_000, 16, LOGISTIC) == 1


def test_nothing_is_allowed_where_nothing_is_rounded() -> None:
    assert has_stayed(0.51, LONG, 13, SquaredHinge(32.0)) == 0
