"""log(2 cosh(z / 2)) for scores of any size."""

import math

import numpy as np
import pytest
import torch

from mpcfl.protocols.log_cosh import SERIES, _cosines, log_cosh
from mpcfl.protocols.rounds import run
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, evaluate, uniformity

ERROR = 3e-5


def evaluated(
    z: torch.Tensor, unit: int, bound: float, parties: int = 2, **settings: int
) -> tuple[Outcome, torch.Tensor]:
    """What was computed, and how far it is off."""
    ring = (z * 2.0**unit).round().to(torch.int64)
    outcome = evaluate(parties, lambda session, x: run(session, log_cosh(x, **settings)), Given(ring, unit, bound))
    near, beyond = (outcome.ring(k).double() / 2.0 ** outcome.results[0][k].scale for k in (0, 1))
    exact = ring.double() / 2.0**unit
    return outcome, near + beyond - (exact.abs() / 2 + torch.log1p(torch.exp(-exact.abs())))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bound", "scale"), [(20.0, 20), (20.0, 45), (21.0, 30), (2.0**10, 26), (2.0**10, 10)])
def test_right_for_all_sizes(bound: float, scale: int, parties: int) -> None:
    z = torch.cat([torch.linspace(-bound, bound, 3001), torch.linspace(-25, 25, 3001).clamp(-bound, bound)]).double()
    outcome, off = evaluated(z, scale, bound, parties)
    assert 0 < off.abs().max() < ERROR
    near = outcome.results[0][0]
    assert (near.scale, outcome.results[0][1].scale) == (38, scale + 1)
    assert outcome.ring(0).abs().max() <= near.bound * 2.0**38


def test_a_coarser_result_is_less_precise_and_no_more() -> None:
    _, off = evaluated(torch.linspace(-20, 20, 2001).double(), 26, 20.0, scale=30)
    assert ERROR < off.abs().max() < 16 * ERROR


def test_the_bound_may_be_much_too_large() -> None:
    _, off = evaluated(torch.linspace(-30, 30, 2001).double(), 30, 2.0**30)
    assert off.abs().max() < ERROR


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(
    ("bound", "rounds", "size", "elements"), [(20.0, 1, 4, 32), (2.0**6, 3, 14, 48), (2.0**18, 3, 14, 88)]
)
def test_cost_is_one_round_or_three(bound: float, rounds: int, size: int, elements: int, parties: int) -> None:
    n, others = 9, parties - 1
    outcome, _ = evaluated(torch.zeros(n).double(), 30, bound, parties)
    online, offline = outcome.cost("online").values(), outcome.cost("offline", parties).values()
    assert sum(cost[0] for cost in online) == rounds and sum(cost[2] for cost in online) == size * n * others
    assert sum(cost[2] for cost in offline) == elements * n * 8


@pytest.mark.parametrize("value", [0.0, 19.0])
def test_what_is_opened_is_uniform_whatever_the_value(value: float) -> None:
    outcome, _ = evaluated(torch.full((4000,), value).double(), 26, 20.0)
    theirs, ours = (
        next(m for m in reversed(outcome.sessions[rank].wire.view) if m.dtype == torch.uint8) for rank in (0, 1)
    )
    assert uniformity([theirs.view(torch.int32) + ours.view(torch.int32)]) > UNLIKELY


def test_all_machines_round_the_coefficients_alike() -> None:
    """Before they are rounded, to 2^-30, none is so near a half that the last bits of a libm would matter."""
    z = (np.arange(4096) + 0.5) * (SERIES.range / 4096)
    for found, k in zip(_cosines(), range(1, 32, 2), strict=True):
        wave = [math.sin(k * angle) for angle in z * (math.pi / (2 * SERIES.range))]
        sigmoid = [1 / (1 + math.exp(-value)) - 0.5 for value in z]
        total = math.fsum(a * b for a, b in zip(wave, sigmoid, strict=True)) * 2 / 4096
        exact = total * 4 * SERIES.range / (2 * math.pi * k) * 2.0**30
        assert round(exact) == found * 2.0**30
        assert abs(abs(exact - round(exact)) - 0.5) > 0.02
