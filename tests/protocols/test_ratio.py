"""The quotient of two secrets, whatever their size."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.ratio import ratio
from mpcfl.protocols.rounds import run
from tests.evaluation import PARTIES, Given, dry, evaluate

ERROR = 2.0**-26


def divided(session, part, whole):
    return run(session, ratio(part, whole))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bits", "scale"), [(3, 0), (20, 7), (41, 0), (62, 30)])
def test_every_size_of_both(bits: int, scale: int, parties: int) -> None:
    rng = np.random.default_rng(bits)
    whole = np.exp2(rng.uniform(0, bits, 200)).astype(np.int64)
    whole[:3] = 1, 1 << (bits - 1), (1 << bits) - (1 << max(bits - 52, 0))
    part = (whole * rng.uniform(0, 1, 200)).astype(np.int64)
    part[:2], part[3:6] = (1, 1 << (bits - 1)), (0, *whole[4:6])
    bound = 2.0 ** (bits - scale)
    given = [Given(torch.from_numpy(values), scale, bound) for values in (part, whole)]
    outcome = evaluate(parties, divided, *given)
    assert outcome.results[0].scale == 30
    off = outcome.ring().double().numpy() / 2.0**30 - part.astype(float) / whole.astype(float)
    assert np.abs(off).max() < ERROR


def test_nothing_of_nothing_is_nothing() -> None:
    none = Given(torch.zeros(20, dtype=torch.int64), 0, 1000.0)
    assert not evaluate(3, divided, none, none).ring().any()


def test_cost_is_eight_rounds() -> None:
    n = 3
    given = Given(torch.ones(n, dtype=torch.int64), 0, 2.0**40)
    cost = evaluate(2, divided, given, given).cost("online")
    assert sum(rounds for rounds, _, _ in cost.values()) == 8
    assert cost == {
        "comparison": (3, 3, n * (8 + 3 * 20)),
        "product": (2, 2, 3 * n * 16),
        "spline": (1, 1, n * 8),
        "truncation": (2, 2, 3 * n * 8),
    }


def test_different_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="scales differ"):
        next(ratio(dry(1.0, scale=3), dry(1.0, scale=4)))
