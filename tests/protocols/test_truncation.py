"""Truncation drops bits exactly: one of the two neighbours of the true quotient, always, and unbiased."""

import math

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.rounds import run
from mpcfl.protocols.truncation import symmetric_truncation, truncation
from mpcfl.ring.opened import logical_shift
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, dry, evaluate

BITS = [1, 2, 20, 32, 44, 60, 61]
SCALE = 61
SMALL_EDGES = [
    e for k in range(63) for e in (2**k - 1, 2**k, 2**k + 1, -(2**k) - 1, -(2**k), 1 - 2**k) if abs(e) <= 2**62
]


def truncate(bits: int):
    return lambda session, x: run(session, truncation(x, bits))


def given(ring: torch.Tensor) -> Given:
    """With the largest bound that a truncation takes: 2^62 in the ring."""
    return Given(ring, SCALE, 2.0 ** (62 - SCALE))


def up(result: torch.Tensor, x: torch.Tensor, bits: int) -> torch.Tensor:
    """result minus x / 2^bits rounded down: 0 or 1 where the result is one of the two neighbours."""
    return result - (x >> bits)


def log_uniform(rng: np.random.Generator, count: int) -> torch.Tensor:
    size = np.exp2(rng.uniform(0, 61.9, count)).astype(np.int64)
    size = np.where(size >> 52, size ^ rng.integers(0, 1 << 10, count), size)  # the bits that float64 lacks
    return torch.from_numpy(np.where(rng.integers(0, 2, count) == 1, size, -size))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("parties", PARTIES)
def test_result_is_a_neighbour_of_the_quotient(parties: int, bits: int) -> None:
    x = torch.cat([torch.tensor(SMALL_EDGES), log_uniform(np.random.default_rng(bits), 3000)])
    off = up(evaluate(parties, truncate(bits), given(x)).ring(), x, bits)
    assert set(off.tolist()) == {0, 1}


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("parties", PARTIES)
def test_what_is_representable_comes_out_exact(parties: int, bits: int) -> None:
    top = 62 - bits
    wholes = {sign * (2**k + off) for k in range(top + 1) for sign in (1, -1) for off in (-1, 0, 1)}
    q = torch.tensor(sorted(w for w in wholes if abs(w) <= 2**top))
    assert torch.equal(evaluate(parties, truncate(bits), given(q << bits)).ring(), q)


@pytest.mark.parametrize("fraction", [1, 2**19 - 1, 2**19, 2**20 - 2**16])
@pytest.mark.parametrize("whole", [0, -(2**41), 2**41 - 1])
def test_rounding_is_unbiased(whole: int, fraction: int) -> None:
    """Up with probability fraction / 2^20. Hoeffding: the frequency in n trials is further than eps from it with
    probability at most 2 exp(-2 n eps^2)."""
    n, bits = 40_000, 20
    eps = math.sqrt(math.log(2 / UNLIKELY) / (2 * n))
    x = torch.full((n,), (whole << bits) + fraction)
    frequency = up(evaluate(2, truncate(bits), given(x)).ring(), x, bits).double().mean().item()
    assert abs(frequency - fraction / 2**bits) <= eps


def test_rounding_is_drawn_anew_for_each_element_and_each_run() -> None:
    x = torch.full((1000,), 1 << 19)
    first, second = (evaluate(2, truncate(20), given(x)).ring() for _ in range(2))
    assert 0 < int(first.sum()) < 1000 and not torch.equal(first, second)


@pytest.mark.parametrize("parties", PARTIES)
def test_cost_is_one_round_of_one_element_each(parties: int) -> None:
    n, others = 21, parties - 1
    outcome = evaluate(parties, truncate(20), given(torch.arange(n)))
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"truncation": (1, others, n * 8 * others)}
    assert outcome.cost("offline", parties) == {"truncation": (0, 1, 2 * n * 8)}


def test_scale_falls_and_the_bound_allows_for_rounding() -> None:
    x = Given(torch.tensor([(5 << 30) - 1, 1 - (5 << 30)]), 30, 5.0)
    outcome = evaluate(2, truncate(20), x)
    result = outcome.results[0]
    assert (result.scale, result.bound) == (10, 5.0 + 2.0**-10)
    assert all(abs(v) / 2**10 <= result.bound for v in outcome.ring().tolist())


def test_shape_is_kept_for_parties_with_and_without_shares() -> None:
    outcome = evaluate(2, truncate(8), given(torch.arange(24).reshape(2, 3, 4)))
    assert [result.shape for result in outcome.results] == [(2, 3, 4)] * 3
    assert evaluate(2, truncate(8), given(torch.empty(0, 4, dtype=torch.int64))).ring().shape == (0, 4)


@pytest.mark.parametrize(("bound", "scale"), [(2.0**42 * 1.01, 20), (2.0**43, 20), (1.01, 62), (2.0**33, 30)])
def test_a_value_that_might_not_fit_is_refused_in_the_plan(bound: float, scale: int) -> None:
    share = dry(bound, scale=scale)
    with pytest.raises(HeadroomError, match="truncated might need 1 bits more"):
        run(share.session, truncation(share, 20))


def test_a_value_of_62_bits_is_accepted() -> None:
    share = dry(1.0, scale=62)
    assert run(share.session, truncation(share, 20)).scale == 42


@pytest.mark.parametrize("bits", [-1, 0, 31, 62, 64])
def test_a_number_of_bits_that_makes_no_sense_is_refused(bits: int) -> None:
    share: Share = dry(1.0, scale=30)
    session: Session = share.session
    with pytest.raises(ValueError, match=f"cannot drop {bits} bits at scale 30"):
        run(session, truncation(share, bits))


@pytest.mark.parametrize("bits", [1, 8, 32, 63])
def test_logical_shift_reads_int64_as_unsigned(bits: int) -> None:
    values = [0, 1, -1, 2**62, 2**63 - 1, -(2**63), -(2**62), -12345678901234567]
    assert logical_shift(torch.tensor(values), bits).tolist() == [(v % 2**64) >> bits for v in values]


@pytest.mark.parametrize("parties", PARTIES)
def test_what_is_symmetric_stays_so_at_half_the_price(parties: int) -> None:
    d, bits = 7, 20
    upper = torch.from_numpy(np.random.default_rng(3).integers(-(2**50), 2**50, (d, d)))
    x = upper + upper.T

    def program(session: Session, x: Share) -> Share:
        return run(session, symmetric_truncation(x, bits))

    outcome = evaluate(parties, program, Given(x, 30, 2.0**22))
    found = outcome.ring()
    assert torch.equal(found, found.T)
    assert ((found == x >> bits) | (found == (x >> bits) + 1)).all()
    others, pairs = parties - 1, d * (d + 1) // 2
    assert outcome.cost("online") == {"truncation": (1, others, 8 * pairs * others)}
    assert outcome.cost("offline", parties) == {"truncation": (0, 1, 16 * pairs)}
