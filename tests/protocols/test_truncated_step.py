"""A value is truncated as by `truncation`, its sign found as by `steps`, and both are multiplied, in two rounds."""

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.rounds import run
from mpcfl.protocols.steps import Words
from mpcfl.protocols.truncated_step import Truncated, truncated_step
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate, uniformity

SCALE, BITS, BOUND = 50, 30, 2.0**11.9
EXACT = 2.0**-60


def stepped(x: torch.Tensor, who: int = 2, *, error: float = EXACT, bits: int = BITS) -> Outcome:
    def program(_: Session, x: Share) -> Truncated:
        return run(x.session, truncated_step(x, bits, Words.of_error(x, [0], error)))

    return evaluate(who, program, Given(x, SCALE, BOUND))


def values() -> torch.Tensor:
    """Every size of either sign up to the bound, the neighbourhood of zero, and noise over the whole range."""
    top = int(BOUND * 2.0**SCALE)
    sizes = torch.tensor([sign * k for e in range(61) for k in (1 << e, 3 << e) for sign in (1, -1) if k <= top])
    many = torch.from_numpy(np.random.default_rng(0).integers(-top, top, 2000, endpoint=True))
    return torch.cat([sizes, torch.tensor([0, top, -top]), many])


@pytest.mark.parametrize("parties", PARTIES)
def test_bit_value_and_part_belong_together(parties: int) -> None:
    x = values()
    outcome = stepped(x, parties)
    bit, value, part = (outcome.ring(k) for k in range(3))
    assert torch.equal(bit, (x >= 0).long())
    assert torch.equal(part, bit * value)


@pytest.mark.parametrize("parties", PARTIES)
def test_a_value_is_rounded_down_or_up_and_never_further_off(parties: int) -> None:
    x = values()
    value = stepped(x, parties).ring(1)
    assert ((value == x >> BITS) | (value == -(-x >> BITS))).all()


def test_what_needs_no_rounding_is_exact() -> None:
    x = torch.arange(-1000, 1000) << BITS
    assert torch.equal(stepped(x).ring(1), x >> BITS)


def test_rounding_is_up_as_often_as_the_dropped_fraction_says() -> None:
    n = 4000
    x = torch.full((n,), (5 << BITS) + (1 << (BITS - 2)))
    up = float((stepped(x).ring(1) - 5).double().mean())
    assert abs(up - 0.25) < 6 * (0.1875 / n) ** 0.5


def test_a_bit_is_wrong_near_zero_only_and_no_further_off_than_asked_for() -> None:
    x, error = values(), 2.0**-10
    outcome = stepped(x, error=error)
    bit, value, part = (outcome.ring(k) for k in range(3))
    wrong = bit != (x >= 0)
    assert wrong.any(), "there is something that could be wrong"
    assert (x[wrong].abs() < error * 2.0**SCALE).all()
    assert torch.equal(part, bit * value)


@pytest.mark.parametrize("parties", PARTIES)
def test_cost_is_two_rounds_and_nine_bytes(parties: int) -> None:
    n, others = 6, parties - 1
    x = Given(torch.arange(n), SCALE, BOUND)
    words = Words.of_error(dry(BOUND, scale=SCALE), [0], 2.0**-14)

    def program(_: Session, x: Share) -> Truncated:
        return run(x.session, truncated_step(x, BITS, words))

    outcome = evaluate(parties, program, x)
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"truncated step": (2, 2 * others, 9 * n * others)}
    elements = words.elements + 3 * words.half + 2
    assert outcome.cost("offline", parties) == {"truncated step": (0, 1, 8 * n * elements)}


@pytest.mark.parametrize("value", [0, 12345 << BITS, -(1 << 60)])
def test_what_a_party_sees_is_uniform_whatever_the_value(value: int) -> None:
    outcome = stepped(torch.full((4000,), value))
    for rank in (0, 1):
        first, second = [m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-2:]
        assert uniformity([first]) > UNLIKELY and uniformity([second]) > UNLIKELY


def test_results_have_the_smaller_scale_and_a_bound_that_holds() -> None:
    bit, value, part = stepped(values()).results[0]
    assert (bit.scale, value.scale, part.scale) == (0, SCALE - BITS, SCALE - BITS)
    assert value.bound == part.bound == BOUND + 2.0 ** (BITS - SCALE)


def test_what_might_leave_the_ring_is_refused_in_the_plan() -> None:
    x = dry(2.0**12.1, scale=SCALE)
    with pytest.raises(HeadroomError, match="a value to be truncated might need 1 bits"):
        next(truncated_step(x, BITS, Words(0, (4, 4))))


@pytest.mark.parametrize("bits", [0, 51, 62])
def test_more_bits_than_there_are_cannot_be_dropped(bits: int) -> None:
    with pytest.raises(ValueError, match=f"cannot drop {bits} bits"):
        next(truncated_step(dry(1.0, scale=SCALE), bits, Words(0, (4, 4))))
