"""From shares modulo 2^32 to shares modulo 2^64: exact to both ends of what words hold."""

import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.extension import extension
from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate, uniformity

LIMIT = 2**30
EDGES = [0, 1, -1, LIMIT - 1, LIMIT, -LIMIT + 1, -LIMIT]
VALUES = torch.tensor(EDGES + torch.linspace(-LIMIT, LIMIT, 2000, dtype=torch.float64).round().long().tolist())


def extended(parties: int, ring: torch.Tensor, scale: int = 0) -> Outcome:
    """Of shares whose upper halves say nothing: each party fills its own with what belongs to no sum."""

    def program(session: Session, x: Share) -> object:
        upper = (torch.arange(ring.numel()).reshape(ring.shape) * 2654435761 + session.rank + 1) << 32
        return run(session, extension(x._like(x._ring + upper if session.holds_shares else x._ring, x.bound)))

    return evaluate(parties, program, Given(ring, scale))


@pytest.mark.parametrize("parties", PARTIES)
def test_every_value_that_words_hold_comes_out_exactly(parties: int) -> None:
    for _ in range(3):
        assert torch.equal(extended(parties, VALUES).ring(), VALUES)


@pytest.mark.parametrize("parties", PARTIES)
def test_words_may_have_16_bits(parties: int) -> None:
    every = torch.arange(-(1 << 14), (1 << 14) + 1)
    outcome = evaluate(parties, lambda session, x: run(session, extension(x, 16)), Given(every))
    assert torch.equal(outcome.ring(), every)
    assert outcome.cost("online")["extension"][2] == 2 * len(every) * (parties - 1)


def test_scale_bound_and_shape_are_those_of_the_value() -> None:
    outcome = extended(2, VALUES[:6].reshape(3, 2), scale=20)
    (share, *_) = outcome.results
    assert (share.shape, share.scale, share.bound) == ((3, 2), 20, 2.0**10)
    assert torch.equal(outcome.ring(), VALUES[:6].reshape(3, 2))


def test_a_value_that_words_may_not_hold_is_refused_in_the_plan() -> None:
    next(extension(dry(1.0, scale=30)))
    with pytest.raises(HeadroomError, match="words of 32 bits"):
        next(extension(dry(1.01, scale=30)))


@pytest.mark.parametrize("parties", PARTIES)
def test_it_costs_a_word_online_and_two_elements_offline(parties: int) -> None:
    outcome, n, others = extended(parties, VALUES), len(VALUES), parties - 1
    assert outcome.cost("online") == {"extension": (1, others, 4 * n * others)}
    assert outcome.cost("offline", parties) == {"extension": (0, 1, 2 * 8 * n)}


@pytest.mark.parametrize("value", [-LIMIT, 0, LIMIT])
def test_what_is_opened_is_uniform_whatever_the_value_is(value: int) -> None:
    outcome = extended(2, torch.full((4000,), value))
    theirs, ours = ([m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-1] for rank in (0, 1))
    assert len(theirs) == len(ours) == 4 * 4000
    for seen in (theirs, ours, theirs.view(torch.int32) + ours.view(torch.int32)):
        assert uniformity([seen]) > UNLIKELY
