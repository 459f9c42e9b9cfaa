"""A party's place in a run: agreement before anything else, keys of pairs, one program for all, and a plan."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from mpcfl.errors import AgreementError, PartyError
from mpcfl.ring.prg import ReuseError
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from mpcfl.world.wire import DryWire, Expected
from tests.evaluation import PARTIES
from tests.parties import roster, run_parties, run_with_sessions

AGREEMENT = 64  # bytes: a digest and a nonce


# -- agreement ---------------------------------------------------------------------------------------------------------


def disagreeing(who: Roster, odd: int) -> list[str]:
    """What each party says when `odd` runs another job."""

    def program(session: Session) -> str:
        try:
            session.agree(b"job 2" if session.rank == odd else b"job 1")
        except AgreementError as error:
            return str(error)
        return "agreed"

    return run_parties(who, program)


@pytest.mark.parametrize("odd", [0, 1, 2, 3])
def test_a_party_with_another_job_is_named_by_all_its_peers(odd: int) -> None:
    who = roster(2, owners=4)
    said = disagreeing(who, odd)
    for rank in range(who.size):
        if rank == odd:
            assert said[rank].startswith(f"{who.names[odd]} and {who.names[who.peers(odd)[0]]} do not run the same job")
        elif odd in who.peers(rank):
            assert said[rank].startswith(f"{who.names[rank]} and {who.names[odd]} do not run the same job")
        else:
            assert said[rank] == "agreed", "no link; the compute parties stop"
    assert "hint: give all parties the same job file" in said[odd]


def test_a_party_that_takes_the_others_for_gpus_is_noticed() -> None:
    """It would have other pieces dealt than they, under other numbers."""

    def program(session: Session) -> None:
        session.roster = copy.copy(session.roster)
        session.roster.gpus = session.rank == 1
        session.agree(b"job")

    with pytest.raises(AgreementError, match="do not run the same job"):
        run_parties(roster(2), program)


def test_the_same_job_is_agreed_on() -> None:
    assert disagreeing(roster(3), odd=-1) == ["agreed"] * 4


@pytest.mark.parametrize("parties", PARTIES)
def test_agreement_is_one_round_of_64_bytes_to_each_peer(parties: int) -> None:
    who = roster(parties, owners=parties + 2)
    _, sessions = run_with_sessions(who, lambda session: None)
    for rank, session in enumerate(sessions):
        peers = len(who.peers(rank))
        expected = {"setup": {"agreement": {"rounds": 1, "messages": peers, "bytes": AGREEMENT * peers}}}
        assert session.meter.exact() == expected
        dry = Session.dry(who, rank)
        dry.agree(b"any digest: a plan is made before there is one")
        assert dry.meter.exact() == expected


# -- keys --------------------------------------------------------------------------------------------------------------


def draws(who: Roster) -> dict[tuple[int, int], list[int]]:
    """(rank, peer) -> what rank expands for operation 1 from the stream that it has with that peer."""

    def program(session: Session) -> dict[tuple[int, int], list[int]]:
        peers = who.peers(session.rank)
        return {(session.rank, peer): session.draw(peer, 1).elements(4).tolist() for peer in peers}

    return {pair: values for result in run_parties(who, program) for pair, values in result.items()}


def test_linked_pairs_expand_the_same_and_no_two_pairs_do() -> None:
    who = roster(3, owners=5)
    found = draws(who)
    assert {frozenset(pair) for pair in found} == who.links()
    assert all(found[i, j] == found[j, i] for i, j in found)
    values = {value for pair in found.values() for value in pair}
    assert len(values) == 4 * len(who.links())


def test_every_run_has_its_own_keys() -> None:
    who = roster(2)
    first, second = draws(who), draws(who)
    assert all(first[pair] != second[pair] for pair in first)


def test_an_operation_is_drawn_once_for_each_pair() -> None:
    def program(session: Session) -> None:
        for peer in session.roster.peers(session.rank):
            session.draw(peer, 7)
            with pytest.raises(ReuseError):
                session.draw(peer, 7)
            with pytest.raises(ReuseError):
                session.draw(peer, 6)
            session.draw(peer, 8)

    run_parties(2, program)


def test_operation_numbers_only_grow() -> None:
    session = Session.dry(roster(2), 0)
    assert [session.next_operation() for _ in range(4)] == [1, 2, 3, 4]


def test_nothing_can_be_drawn_before_the_agreement_or_in_a_dry_run() -> None:
    session = Session.dry(roster(2), 0)
    session.agree(b"")
    with pytest.raises(KeyError):
        session.draw(1, 1)


# -- who holds what ----------------------------------------------------------------------------------------------------


def test_only_compute_parties_hold_shares_and_nobody_in_a_dry_run() -> None:
    who = roster(2, owners=4)
    _, sessions = run_with_sessions(who, lambda session: None)
    assert [s.is_compute for s in sessions] == [True, True, False, False]
    assert [s.is_dealer for s in sessions] == [False, False, True, False]
    assert [s.holds_shares for s in sessions] == [True, True, False, False]
    assert [s.device.type for s in sessions] == ["cpu", "cpu", "meta", "meta"]
    dry = [Session.dry(who, rank) for rank in range(4)]
    assert [s.is_compute for s in dry] == [True, True, False, False]
    assert not any(s.holds_shares for s in dry) and {s.device.type for s in dry} == {"meta"}
    assert [s.dry_run for s in sessions + dry] == [False] * 4 + [True] * 4


def test_text_names_the_party_and_no_key() -> None:
    sessions = run_with_sessions(2, lambda session: None)[1]
    assert [repr(s) for s in sessions] == [
        "Session(p0, rank 0 of 3)",
        "Session(p1, rank 1 of 3)",
        "Session(dealer, rank 2 of 3)",
    ]


# -- exchange ----------------------------------------------------------------------------------------------------------


class Told(DryWire):
    """Remembers what a session told it."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def exchange(self, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Expected]) -> dict[int, torch.Tensor]:
        self.calls.append(("exchange", self.phase, sorted(sends), sorted(receives)))
        return super().exchange(sends, receives)

    def advance(self) -> None:
        self.calls.append("advance")

    def abort(self, reason: str, culprit: int | None = None) -> None:
        self.calls.append(("abort", reason, culprit))

    def close(self) -> None:
        self.calls.append("close")


def test_an_exchange_counts_what_is_sent_and_tells_the_wire_the_phase() -> None:
    wire = Told()
    session = Session(roster(3), 0, wire)
    tensor = torch.zeros(5, dtype=torch.int32)
    with session.phase("online"), session.protocol("p"):
        received = session.exchange({1: tensor, 2: tensor}, {2: ((3, 2), torch.int64)})
        session.exchange({1: tensor}, {}, rounds=0)
    assert received[2].shape == (3, 2) and received[2].dtype == torch.int64 and received[2].is_meta
    assert wire.calls == [("exchange", "online", [1, 2], [2]), ("exchange", "online", [1], [])]
    assert session.meter.exact() == {"online": {"p": {"rounds": 1, "messages": 3, "bytes": 60}}}


def test_a_step_tells_the_others_and_whoever_listens() -> None:
    wire, heard = Told(), []
    session = Session(roster(2), 0, wire)
    session.step("doubling", 1, 14)
    session.on_step = lambda *what: heard.append(what)
    session.step("doubling", 2, 14)
    assert wire.calls == ["advance", "advance"] and heard == [("doubling", 2, 14)]


# -- the end -----------------------------------------------------------------------------------------------------------


def test_the_wire_is_closed_at_the_end() -> None:
    wire = Told()
    session = Session(roster(2), 1, wire)
    with session.closing() as same:
        assert same is session and wire.calls == []
    assert wire.calls == ["close"]


@pytest.mark.parametrize("error", [ValueError("wage 12345 of row 7"), KeyboardInterrupt(12345), PartyError("12345")])
def test_an_error_is_told_to_the_others_without_its_content_and_raised_here(error: BaseException) -> None:
    wire = Told()
    with pytest.raises(type(error)) as raised, Session(roster(2), 1, wire).closing():
        raise error
    assert raised.value is error
    (told, reason, *_), last = wire.calls
    assert (told, last) == ("abort", "close")
    assert reason == type(error).__name__
    assert "12345" not in reason and "wage" not in reason


# -- public facts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [0, 1, 3])
@pytest.mark.parametrize("parties", PARTIES)
def test_everybody_learns_what_everybody_publishes(parties: int, extra: int) -> None:
    """Also those who have no link with each other, also nothing, also any bytes."""
    who = roster(parties, owners=parties + extra)
    facts = [b"", bytes(range(256)), b"\x00" * 9, "column: größe".encode()]

    def program(session: Session) -> list[bytes]:
        return session.publish(facts[session.rank % 4])

    assert run_parties(who, program) == [[facts[rank % 4] for rank in range(who.size)]] * who.size


def test_publishing_is_counted_in_phase_setup_wherever_it_happens() -> None:
    def program(session: Session) -> None:
        with session.phase("online"):
            session.publish(b"12345")

    sessions = run_with_sessions(roster(2, owners=4), program)[1]
    rounds = [session.meter.exact()["setup"]["publish"]["rounds"] for session in sessions]
    assert rounds == [4, 2, 4, 4]
    assert all("online" not in session.meter.exact() for session in sessions)
