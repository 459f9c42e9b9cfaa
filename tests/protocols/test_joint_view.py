"""What N - 1 compute parties see together, all that they expand and receive, says nothing of what others share.

By execution: whatever the others' data are, there are masks that give the same joint view, to the last bit, over all
kinds of opening (tests/coalition.py says why that is enough). What would break it is noticed.
"""

from contextlib import nullcontext

import pytest
import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.aggregate import aggregate
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, run
from mpcfl.sharing import opening
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.coalition import NARROW, Coalition, Seen
from tests.evaluation import UNLIKELY, sum_of_shares, uniformity
from tests.parties import plain, roster
from tests.protocols.test_view import LARGE, ZERO, D, program

NONE = "no masks give this view"


@pytest.mark.parametrize(("parties", "honest"), [(2, 1), (3, 2), (5, 3)])
def test_all_but_one_see_the_same_of_zeros_and_of_large_numbers(parties: int, honest: int) -> None:
    """`program` opens a bit of everything; the data are an owner's who does not compute."""
    coalition = Coalition.against(roster(parties, owners=parties + 2), honest)
    seen = coalition.run(program, ZERO)
    other = coalition.simulated(seen, program, LARGE)
    assert not seen.differences(other)
    assert set(other.streams) == set(seen.streams) and len(seen.places) >= 14
    assert any(not torch.equal(other.streams[key], stream) for key, stream in seen.streams.items())


def test_the_same_where_long_messages_go_by_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LONG_MESSAGE", 64)
    coalition = Coalition.against(roster(3, owners=5), 0)
    seen = coalition.run(program, LARGE)
    coalition.simulated(seen, program, ZERO)


def test_the_way_back_ends_at_the_masks_that_it_began_with() -> None:
    """So that to each stream of the honest party belongs exactly one with other data, and both are as likely."""
    coalition = Coalition.against(roster(3, owners=5), 0)
    seen = coalition.run(program, ZERO)
    back = coalition.simulated(coalition.simulated(seen, program, LARGE), program, ZERO)
    assert set(back.streams) == set(seen.streams)
    assert all(torch.equal(back.streams[key], stream) for key, stream in seen.streams.items())


@pytest.mark.parametrize("weighted", [False, True], ids=["sum", "weighted mean"])
def test_of_aggregation_all_but_one_and_owners_see_the_same_of_other_tensors(weighted: bool) -> None:
    """One of three compute parties stands alone. Of the owners who do not compute one is with the others; the dealer is
    not, nor is who gets the result."""
    who = roster(3, owners=6)
    coalition, honest = Coalition.against(who, 1, 4), {1, who.dealer, 5}

    def averaging(session: Session, others: tuple[float, float]) -> torch.Tensor | None:
        value, weight = others if session.rank in honest else (1.5, 2.0)
        own = torch.full((40,), value + session.rank, dtype=torch.float64)
        return aggregate(session, own, weight=weight if weighted else None, to=["o5"])

    seen = coalition.run(averaging, (0.0, 1.0))
    other = coalition.simulated(seen, averaging, (1000.0, 7.0))
    assert not seen.differences(other)
    for found, (value, weight) in ((seen, (0.0, 1.0)), (other, (1000.0, 7.0))):
        of_owners = [(value, weight) if rank in honest else (1.5, 2.0) for rank in who.owners]
        weights = [weight if weighted else 1.0 for _, weight in of_owners]
        wanted = sum(w * (v + rank) for rank, (v, _), w in zip(who.owners, of_owners, weights, strict=True))
        assert found.results[5].tolist() == pytest.approx(
            [wanted / sum(weights) if weighted else wanted] * 40, abs=1e-3
        )


@pytest.mark.parametrize("parties", [3, 5])
@pytest.mark.parametrize("data", [ZERO, LARGE], ids=["zeros", "large"])
def test_what_a_coalition_can_add_up_is_uniform(data: torch.Tensor, parties: int) -> None:
    """Sums over its members of their shares of an owner's data, of masks and of what depends on them; opened values
    less its part of their masks; what the honest party has sent."""
    who = roster(parties, owners=parties + 2)
    coalition = Coalition.against(who, 1)
    assert uniformity([sum_of_shares(coalition.run(sharing, data).results[r] for r in coalition.members)]) > UNLIKELY
    seen = coalition.run(program, data)
    dealt = dict(zip(sorted(seen.deals), sums_of_dealt(seen, coalition), strict=True))
    opened = []
    for value, place in zip(seen.opened, seen.places, strict=True):
        less = value.reshape(-1) - place.sign * dealt[place.operation][place.positions]
        opened.append(less.to(NARROW[place.width]))
    sent = [message for what, peer, message in seen.view[0] if peer == 1 and what != "expanded"]
    for kind, count in (([part for part in dealt.values() if part.numel()], 13), (opened, 16), (sent, 8)):
        assert len(kind) == count and uniformity(kind) > UNLIKELY


def sums_of_dealt(seen: Seen, coalition: Coalition) -> list[torch.Tensor]:
    """By operation: the members' shares of all that was dealt in it, added up; the last one has its part by message."""
    dealer, last = coalition.who.dealer, coalition.who.last
    shares = [
        [t.reshape(-1) for what, peer, t in seen.view[r] if (what, peer) == ("expanded", dealer)] for r in seen.view
    ]
    corrections = [
        seen.dealt[operation][0] if operation in seen.dealt else ZERO[:0, 0] for operation in sorted(seen.deals)
    ]
    whole = [torch.cat(parts) for parts in zip(shares[list(seen.view).index(last)], corrections, strict=True)]
    shares[list(seen.view).index(last)] = whole
    return [torch.stack(parts).sum(0) for parts in zip(*shares, strict=True)]


def test_all_compute_parties_together_read_the_data_and_all_but_one_have_the_same_of_any() -> None:
    who = roster(3, owners=5)
    everybody, coalition = Coalition(who, frozenset(who.compute)), Coalition.against(who, 2)
    with pytest.raises(AssertionError, match=NONE):
        everybody.simulated(everybody.run(program, ZERO), program, LARGE, passes=3)
    seen = coalition.run(sharing, ZERO)
    other = coalition.simulated(seen, sharing, LARGE)
    assert torch.equal(plain(seen.results[:3]), ZERO) and torch.equal(plain(other.results[:3]), LARGE)
    assert torch.equal(plain(seen.results[:2]), plain(other.results[:2]))


def test_with_the_dealer_they_see_the_difference() -> None:
    """An owner who is with them brings none."""
    who = roster(3, owners=5)
    for member, notices in ((who.dealer, True), (who.dealer + 1, False)):
        coalition = Coalition.against(who, 1, member)
        seen = coalition.run(of_an_owner_who_computes, ZERO)
        with pytest.raises(AssertionError, match=NONE) if notices else nullcontext():
            coalition.simulated(seen, of_an_owner_who_computes, LARGE, passes=3)


def of_an_owner_who_computes(session: Session, data: torch.Tensor) -> None:
    run(session, Pinned(shared(session, 1, data)).opening())


def sharing(session: Session, data: torch.Tensor) -> Share:
    return shared(session, session.roster.owners[-1], data)


def shared(session: Session, owner: int, data: torch.Tensor) -> Share:
    (x,) = share_inputs(session, [Input("x", owner, (D, D), 28, 4.0, data if session.rank == owner else None)])
    return x


# ---- what would break it ---------------------------------------------------------------------------------------------


def opening_of(x: Share, first: int, second: int) -> Protocol:
    """x and 2 x, under masks a and b (0 and 1), twice a (2), or none (3)."""
    (a, b), _ = deal(x.session, Recipe("opening", [x.shape, x.shape], [], lambda masks: []))
    for ring, mask in ((x._ring, first), (2 * x._ring, second)):
        masked = (ring - a, ring - b, ring - (a << 1), ring)[mask]
        yield [Masked(x._like(masked, 2 * x.bound))]


@pytest.mark.parametrize(
    ("masks", "why"),
    [((0, 1), ""), ((0, 0), "a mask is used twice"), ((0, 2), "without a mask"), ((3, 1), "without a mask")],
    ids=["right", "one mask for two", "a mask without its lowest bit", "no mask"],
)
def test_every_opened_element_has_a_mask_of_its_own(masks: tuple[int, int], why: str) -> None:
    def program(session: Session, data: torch.Tensor) -> None:
        run(session, opening_of(sharing(session, data), *masks))

    coalition = Coalition.against(roster(3, owners=4), 0)
    with pytest.raises(AssertionError, match=why) if why else nullcontext():
        coalition.simulated(coalition.run(program, ZERO), program, LARGE)


def test_a_share_that_is_sent_is_noticed() -> None:
    def program(session: Session, data: torch.Tensor) -> None:
        x = sharing(session, data)
        if session.rank == 0:
            session.exchange({1: x._ring}, {})
        if session.rank == 1:
            session.exchange({}, {0: (x.shape, torch.int64)})

    coalition = Coalition.against(roster(3, owners=4), 0)
    with pytest.raises(AssertionError, match=f"{NONE}.*rank 1: setup with 0"):
        coalition.simulated(coalition.run(program, ZERO), program, LARGE, passes=3)
