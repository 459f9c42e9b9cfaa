"""Whole parts of secrets, the same for the same secret."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.floor import floor
from mpcfl.protocols.rounds import run
from tests.evaluation import EDGES, PARTIES, UNLIKELY, Given, dry, evaluate, full_range, uniformity, wrapped


def floored(bits: int):
    return lambda session, x: run(session, floor(x, bits))


def modulo(ring: torch.Tensor, bits: int) -> torch.Tensor:
    return ring & ((1 << (64 - bits)) - 1)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("bits", [1, 2, 5, 7, 11, 15])
def test_exact_up_to_15_bits(bits: int, parties: int) -> None:
    x = torch.cat([wrapped(EDGES), torch.arange(-300, 300), full_range(np.random.default_rng(bits), 1000)])
    found = evaluate(parties, floored(bits), Given(x, 0, 2.0**63)).ring()
    assert torch.equal(modulo(found, bits), modulo(x >> bits, bits))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("bits", [20, 30, 54, 62])
def test_above_it_is_one_too_large_at_most_just_below_a_whole_number(bits: int, parties: int) -> None:
    x = torch.cat([wrapped(EDGES), full_range(np.random.default_rng(bits), 4000)])
    off = modulo(evaluate(parties, floored(bits), Given(x, 0, 2.0**63)).ring() - (x >> bits), bits)
    missing = (1 << bits) - (x & ((1 << bits) - 1))
    assert ((off == 0) | (off == 1)).all()
    assert not off[missing >= 1 << (bits - 15)].any() and off[missing == 1].any()


def test_equal_secrets_have_equal_whole_parts() -> None:
    """Also where truncation would round up every second time."""
    x = torch.full((2000,), (7 << 20) + (1 << 19))
    assert (evaluate(2, floored(20), Given(x, 0, 2.0**30)).ring() == 7).all()


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bits", "elements"), [(5, 4 + 2 + 1), (10, 8 + 4 + 1), (15, 21), (40, 21)])
def test_cost_is_two_rounds_of_9_bytes(bits: int, elements: int, parties: int) -> None:
    n, others = 8, parties - 1
    outcome = evaluate(parties, floored(bits), Given(torch.arange(n).reshape(2, 4), 0, 8.0))
    assert outcome.cost("online", parties - 1) == {"floor": (2, 2 * others, 9 * n * others)}
    assert outcome.cost("offline", parties) == {"floor": (0, 1, elements * n * 8)}
    assert [(share.shape, share.scale) for share in outcome.results] == [((2, 4), 0)] * (parties + 1)


@pytest.mark.parametrize("value", [0, 12345678])
def test_what_is_opened_is_uniform_whatever_the_value(value: int) -> None:
    outcome = evaluate(2, floored(20), Given(torch.full((4000,), value), 0, 2.0**30))
    views = [[m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-2:] for rank in (0, 1)]
    for theirs, ours, width in zip(*views, (torch.int64, torch.uint8), strict=True):
        assert uniformity([theirs]) > UNLIKELY
        assert uniformity([theirs.view(width) + ours.view(width)]) > UNLIKELY


@pytest.mark.parametrize("bits", [0, 64])
def test_no_fraction_or_nothing_but_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="cannot take a whole part"):
        next(floor(dry(1.0), bits))
