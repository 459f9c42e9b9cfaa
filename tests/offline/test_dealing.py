"""A dealer makes correlated randomness: seeds for everybody, corrections for one, and it is told nothing."""

import functools
from operator import xor

import pytest
import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import run
from mpcfl.ring.prg import ReuseError
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, plan, uniformity
from tests.parties import roster, run_parties, run_with_sessions

N = 500
PRODUCTS = Recipe("products", [(N,), (N, 2)], [(N, 2), (N,)], lambda m: [m[0][:, None] * m[1], m[0] * m[0]])
BITS = Recipe("bits", [(N,), (N,)], [(N,)], lambda m: [m[0] & m[1]], xor=True)
MASKS_ONLY = Recipe("masks", [(N,)], [], lambda m: [])
CONSTANT = Recipe("constant", [], [(N,)], lambda m: [torch.zeros(N, dtype=torch.int64)])


def simulation(compute: int, *, dealing: int = 0) -> Roster:
    """Compute parties only, of which one deals: for experiments."""
    roles = [{"data", "compute"} | ({"dealer"} if k == dealing else set()) for k in range(compute)]
    return Roster([Party.of(f"p{k}", r) for k, r in enumerate(roles)], insecure_simulation=True)


ROSTERS = {f"{n} and a dealer": roster(n) for n in PARTIES}
ROSTERS |= {f"{n}, insecure simulation": simulation(n) for n in PARTIES}
ROSTERS |= {"3, the second deals": simulation(3, dealing=1), "2, the last deals": simulation(2, dealing=1)}
every_roster = pytest.mark.parametrize("who", ROSTERS.values(), ids=ROSTERS.keys())

Dealt = tuple[list[torch.Tensor], list[torch.Tensor]]


def dealing(*recipes: Recipe):
    return lambda session: [deal(session, recipe) for recipe in recipes]


def wholes(who: Roster, results: list[list[Dealt]], k: int, combine=torch.add) -> Dealt:
    """Masks and derived values of the k-th recipe, all shares combined."""
    dealt = [results[rank][k] for rank in who.compute]
    masks, derived = ([functools.reduce(combine, column) for column in zip(*[d[i] for d in dealt], strict=True)]
                      for i in (0, 1))  # fmt: skip
    return masks, derived


# -- what is dealt -----------------------------------------------------------------------------------------------------


@every_roster
def test_derived_values_are_what_the_recipe_says_of_the_masks(who: Roster) -> None:
    results = run_parties(who, dealing(PRODUCTS, PRODUCTS))
    for k in range(2):
        (a, b), (ab, aa) = wholes(who, results, k)
        assert torch.equal(ab, a[:, None] * b) and torch.equal(aa, a * a)


@every_roster
def test_an_xor_recipe_is_shared_by_exclusive_or(who: Roster) -> None:
    (a, b), (both,) = wholes(who, run_parties(who, dealing(BITS)), 0, xor)
    assert torch.equal(both, a & b)


@every_roster
@pytest.mark.parametrize("lanes", [(8,), (16,), (64, 8, 16), (16, 64, 16)])
def test_a_derived_tensor_with_lanes_is_shared_lane_by_lane(who: Roster, lanes: tuple[int, ...]) -> None:
    """Several values in an element, in every tensor as many as it says, and all in one message."""
    shapes = [(N, k + 1) for k in range(len(lanes))]
    recipe = Recipe(
        "lanes", [(N,)], shapes, lambda m: [m[0][:, None] ^ torch.arange(s[1]) for s in shapes], lanes=lanes
    )
    results, sessions = run_with_sessions(who, dealing(recipe))
    mask = wholes(who, results, 0)[0][0]
    for k, lane in enumerate(lanes):
        dtype = {8: torch.int8, 16: torch.int16, 64: torch.int64}[lane]
        parts = [results[rank][0][1][k].view(dtype) for rank in who.compute]
        assert torch.equal(functools.reduce(torch.add, parts).view(torch.int64), mask[:, None] ^ torch.arange(k + 1))
    assert all(uniformity(results[rank][0][1]) > UNLIKELY for rank in who.compute)
    assert sessions[who.dealer].meter.exact()["offline"]["lanes"]["messages"] == 1


def test_a_mask_that_is_dealt_as_it_is_stays_what_it_was() -> None:
    """The correction is worked out in memory of its own."""
    kept: list[torch.Tensor] = []
    recipe = Recipe("lanes", [(N,)], [(N,)], lambda m: kept.extend(m) or m, lanes=(8,))
    who = roster(3)
    results = run_parties(who, dealing(recipe))
    assert torch.equal(kept[0], wholes(who, results, 0)[0][0])


@every_roster
def test_masks_and_every_single_share_are_uniform(who: Roster) -> None:
    """Also where the derived value is a constant: its shares hide it."""
    results = run_parties(who, dealing(PRODUCTS, CONSTANT))
    masks, _ = wholes(who, results, 0)
    assert uniformity(masks) > UNLIKELY
    for rank in who.compute:
        for own, derived in results[rank]:
            assert uniformity([*own, *derived]) > UNLIKELY


@every_roster
def test_no_mask_comes_twice(who: Roster) -> None:
    first, second = run_parties(who, dealing(MASKS_ONLY, MASKS_ONLY)), run_parties(who, dealing(MASKS_ONLY))
    seen = [wholes(who, results, k)[0][0] for results, k in ((first, 0), (first, 1), (second, 0))]
    shares = [first[rank][k][0][0] for rank in who.compute for k in range(2)]
    values = torch.cat([*seen, *shares])
    assert len(values.unique()) == len(values), "64-bit values, so that a coincidence is as good as impossible"


def test_parties_without_shares_get_shapes() -> None:
    who = roster(2, owners=4)
    results = run_parties(who, dealing(PRODUCTS))
    for rank in (2, 3):
        ((masks, derived),) = results[rank]
        assert all(tensor.is_meta for tensor in [*masks, *derived])
        assert [tuple(t.shape) for t in masks] == [(N,), (N, 2)]
        assert [tuple(t.shape) for t in derived] == [(N, 2), (N,)]


@every_roster
def test_nothing_to_derive_from_is_nothing(who: Roster) -> None:
    empty = Recipe("empty", [(0, 3)], [(0, 3)], lambda m: [m[0]])
    results, sessions = run_with_sessions(who, dealing(empty))
    (mask,), (derived,) = wholes(who, results, 0)
    assert mask.shape == derived.shape == (0, 3)
    assert all("offline" not in session.meter.exact() for session in sessions)


# -- cost and what the dealer is told ----------------------------------------------------------------------------------


@every_roster
def test_one_message_of_the_derived_elements_to_the_last_party_and_no_round(who: Roster) -> None:
    program = dealing(PRODUCTS, MASKS_ONLY, BITS)
    _, sessions = run_with_sessions(who, program)
    sent = {
        "products": {"rounds": 0, "messages": 1, "bytes": 3 * N * 8},
        "bits": {"rounds": 0, "messages": 1, "bytes": N * 8},
    }
    for rank, session in enumerate(sessions):
        assert session.meter.exact().get("offline", {}) == (sent if rank == who.dealer else {})
        assert plan(who, rank, program) == session.meter.exact()
        handshakes = len(who.peers(rank))
        assert len(session.wire.view) - handshakes == (2 if rank == who.last else 0)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("extra", [0, 1], ids=["helper", "data owner"])
def test_the_dealer_receives_nothing_after_the_handshake(extra: int, parties: int) -> None:
    who = roster(parties, owners=parties + extra)

    def program(session: Session) -> Share:
        ring = torch.arange(5) if session.rank == who.owners[-1] else None
        (x,) = share_inputs(session, [Input("x", who.owners[-1], (5,), 0, 8.0, ring)])
        return run(session, at_least(run(session, product(x, x)), torch.tensor([4])))

    results, sessions = run_with_sessions(who, program)
    assert results[who.dealer]._ring.is_meta
    view = sessions[who.dealer].wire.view
    assert [(tuple(message.shape), message.dtype) for message in view] == [((64,), torch.uint8)] * parties


def test_what_the_last_party_is_sent_is_uniform() -> None:
    """Of values that are not: the correction is all of them minus shares that it does not know."""
    for who in (roster(2), roster(3), simulation(2)):
        _, sessions = run_with_sessions(who, dealing(CONSTANT))
        assert uniformity(sessions[who.last].wire.view[len(who.peers(who.last)) :]) > UNLIKELY


def test_a_simulated_dealer_computes_with_the_others() -> None:
    def program(session: Session) -> Share:
        ring = torch.tensor([3, -4]) if session.rank == 0 else None
        (x,) = share_inputs(session, [Input("x", 0, (2,), 0, 4.0, ring)])
        return run(session, product(x, x))

    for who in (simulation(2), simulation(3), simulation(3, dealing=1), simulation(2, dealing=1)):
        results = run_parties(who, program)
        assert sum(results[rank]._ring for rank in who.compute).tolist() == [9, 16]


# -- operation numbers -------------------------------------------------------------------------------------------------


@every_roster
def test_operation_numbers_are_equal_at_all_parties_and_never_repeat(who: Roster) -> None:
    def program(session: Session) -> list[int]:
        numbers = []
        for recipe in (PRODUCTS, MASKS_ONLY, BITS):
            deal(session, recipe)
            numbers.append(session._operation)
        return numbers

    assert run_parties(who, program) == [[1, 2, 3]] * who.size


@pytest.mark.parametrize("parties", PARTIES)
def test_a_second_draw_of_an_operation_is_refused(parties: int) -> None:
    def program(session: Session) -> None:
        deal(session, MASKS_ONLY)
        if not session.is_compute:
            return
        for number in (session._operation, 0):
            with pytest.raises(ReuseError, match=f"operation {number} was used or passed"):
                session.draw(session.roster.dealer, number)

    run_parties(parties, program)
