"""Who has left turn 0 is noticed from what is opened anyway, and nobody else is."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.turns import away, missing
from mpcfl.world.session import Session
from tests.evaluation import full_range
from tests.parties import roster, run_with_sessions

LOW, COUNT = 40, 4000


def found(v: torch.Tensor, *, low: int = LOW, width: int = 64, cases: int = 2) -> torch.Tensor:
    """What both parties' shares add up to, under a uniform mask."""
    rng = np.random.default_rng(1)
    mask, first = full_range(rng, len(v)), full_range(rng, cases * len(v)).reshape(cases, -1)
    dealt = missing(mask, low=low, width=width, cases=cases)
    delta = v - mask if width == 64 else (v - mask) & ((1 << width) - 1)

    def program(session: Session) -> torch.Tensor:
        shared = first if session.rank == 0 else dealt - first
        return away(session, delta, shared, low=low, width=width, cases=cases)

    (one, other, *_), _ = run_with_sessions(roster(2), program)
    return one + other


def values(smallest: float, largest: float, low: int = LOW) -> torch.Tensor:
    """Uniform in size, in turns, of either sign."""
    rng = np.random.default_rng(2)
    size = rng.uniform(smallest, largest, COUNT) * 2.0**low
    return torch.from_numpy((size * rng.choice([-1, 1], COUNT)).astype(np.int64))


@pytest.mark.parametrize(("cases", "inside", "outside"), [(2, 1 / 4, 3 / 4), (4, 3 / 8, 5 / 8)])
@pytest.mark.parametrize(("low", "width"), [(40, 64), (25, 32), (18, 32)])
def test_nobody_inside_is_away_and_everybody_outside_is(
    low: int, width: int, cases: int, inside: float, outside: float
) -> None:
    assert (found(values(0, inside, low), low=low, width=width, cases=cases) == 0).all()
    turns = 2.0 ** (min(width, 63) - low)
    assert (found(values(outside, turns - outside, low), low=low, width=width, cases=cases) != 0).all()
    between = found(values(inside, outside, low), low=low, width=width, cases=cases) == 0
    assert 0.3 < between.double().mean() < 0.7


@pytest.mark.parametrize("turns", [1, -1, 64, 2**15])
def test_what_somebody_away_adds_is_random_and_so_is_the_sum(turns: int) -> None:
    """Whatever all have in common: 2^15 turns leave 49 bits."""
    v = torch.full((COUNT,), turns << LOW)
    size = found(v).double().abs() / 2.0**63
    assert (size > 2.0**-28).all() and 0.45 < size.mean() < 0.55
    for several in (2, 10, COUNT):
        assert abs(int(found(v)[:several].sum())) > 2**36
