"""Who takes part: the roles that may be mixed and those that may not, ranks, and who is linked with whom."""

import pytest

import mpcfl
from mpcfl.errors import JobError
from mpcfl.world.party import Party, Roster

NORTH = Party.of("north", {"data", "compute"})
SOUTH = Party.of("south", {"data", "compute"})
THIRD = Party.of("third", ["compute"])
EAST = Party.of("east", {"data", "dealer"})
HELPER = Party.of("helper", {"dealer"})
WEST = Party.of("west", {"data"})
ALONE = Party.of("alone", {"data", "compute", "dealer"})


# -- order -------------------------------------------------------------------------------------------------------------


def test_ranks_are_compute_parties_then_the_dealer_then_owners_each_as_in_the_job() -> None:
    first, second = Party.of("o1", {"data"}), Party.of("o2", {"data"})
    who = Roster([second, SOUTH, HELPER, THIRD, first, NORTH])
    assert who.names == ("south", "third", "north", "helper", "o2", "o1")
    assert (who.compute, who.dealer, who.owners, who.last, who.size) == ((0, 1, 2), 3, (0, 2, 4, 5), 2, 6)
    assert [who.rank_of(name) for name in who.names] == list(range(6))


def test_three_organisations_of_which_one_deals_and_owns_data() -> None:
    who = Roster([EAST, NORTH, SOUTH])
    assert who.names == ("north", "south", "east")
    assert (who.compute, who.dealer, who.owners, who.last) == ((0, 1), 2, (0, 1, 2), 1)


def test_the_order_of_the_other_roles_does_not_matter_to_ranks() -> None:
    assert Roster([NORTH, SOUTH, WEST, HELPER]).names == Roster([HELPER, NORTH, WEST, SOUTH]).names


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(JobError, match="no party is called 'nort'") as error:
        Roster([NORTH, SOUTH, EAST]).rank_of("nort")
    assert error.value.hint == "the parties are north, south, east"


# -- links -------------------------------------------------------------------------------------------------------------


def test_compute_parties_are_linked_with_all_and_the_others_with_compute_parties_only() -> None:
    who = Roster([NORTH, SOUTH, HELPER, WEST])
    pairs = {("north", "south"), ("north", "helper"), ("north", "west"), ("south", "helper"), ("south", "west")}
    assert who.links() == {frozenset(map(who.rank_of, pair)) for pair in pairs}
    assert [who.peers(rank) for rank in range(4)] == [(1, 2, 3), (0, 2, 3), (0, 1), (0, 1)]


def test_the_dealer_has_no_link_with_a_data_owner() -> None:
    """It knows the masks: what owner and compute party tell each other must not pass it."""
    who = Roster([NORTH, SOUTH, THIRD, HELPER, WEST])
    assert frozenset((who.rank_of("helper"), who.rank_of("west"))) not in who.links()
    assert who.peers(who.dealer) == who.compute


# -- mixes -------------------------------------------------------------------------------------------------------------

REFUSED = {
    "nobody": ([], "no party deals"),
    "no dealer": ([NORTH, SOUTH, WEST], "no party deals"),
    "a name twice": ([NORTH, SOUTH, HELPER, Party.of("south", {"data"})], "party 'south' is named twice"),
    "two dealers": ([NORTH, SOUTH, HELPER, EAST], "two dealers: 'helper' and 'east'"),
    "a dealer who computes": ([SOUTH, ALONE], "party 'alone' is both compute party and dealer"),
    "one compute party": ([NORTH, HELPER, WEST], "1 compute party: at least two"),
    "no compute party": ([HELPER, WEST], "0 compute party: at least two"),
    "nobody with data": ([THIRD, Party.of("fourth", {"compute"}), HELPER], "no party brings data"),
}


@pytest.mark.parametrize(("parties", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_roster_that_makes_no_sense_or_no_secret_is_refused(parties: list[Party], said: str) -> None:
    with pytest.raises(JobError, match=said) as error:
        Roster(parties)
    assert error.value.hint, "and says what to do"


def test_dealer_and_compute_party_in_one_only_in_an_insecure_simulation() -> None:
    who = Roster([SOUTH, ALONE], insecure_simulation=True)
    assert (who.names, who.dealer, who.last) == (("south", "alone"), 1, 0)
    assert who.insecure_simulation and not Roster([NORTH, SOUTH, EAST]).insecure_simulation


def test_that_the_parties_compute_on_gpus_is_said_in_the_roster() -> None:
    parties = {"north": ["data", "compute"], "south": ["compute"], "helper": ["dealer"]}
    assert mpcfl.roster(parties, gpus=True).gpus and not mpcfl.roster(parties).gpus


def test_without_a_dealer_the_first_compute_party_deals_in_an_insecure_simulation() -> None:
    who = Roster([NORTH, SOUTH, THIRD], insecure_simulation=True)
    assert (who.dealer, who.last) == (0, 2)


def test_a_real_dealer_deals_in_an_insecure_simulation_too() -> None:
    assert Roster([NORTH, SOUTH, HELPER], insecure_simulation=True).dealer == 2


def test_an_insecure_simulation_still_needs_two_compute_parties_and_data() -> None:
    with pytest.raises(JobError, match="at least two"):
        Roster([ALONE], insecure_simulation=True)
    with pytest.raises(JobError, match="no party brings data"):
        Roster([THIRD, Party.of("fourth", {"compute"})], insecure_simulation=True)


def test_an_unknown_role_is_named_with_its_party() -> None:
    with pytest.raises(JobError, match="party 'north': unknown role 'server'") as error:
        Party.of("north", ["data", "server"])
    assert error.value.hint == "roles are data, compute, dealer"


def test_a_party_without_a_role_is_named() -> None:
    with pytest.raises(JobError, match="party 'north' has no role"):
        Party.of("north", [])


def test_a_party_and_its_place_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        NORTH.roles = frozenset({"dealer"})  # type: ignore[misc]
    assert isinstance(Roster([NORTH, SOUTH, EAST]).parties, tuple)
