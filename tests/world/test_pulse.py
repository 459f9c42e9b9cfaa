"""Whoever holds up a run is named at every other party, linked with it or not, within the time limit.

The crew: north and south compute, east deals, west is a data owner; east and west are not linked with each other.
"""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
import torch

from mpcfl.world.transport import Mesh
from tests.world.crew import DEALT, NAMES, Crew, Outcome, crew

ONE = ((1,), torch.int64)
LIMIT = 2.0
NORTH, SOUTH, EAST, WEST = range(4)


def depend_on_east(mesh: Mesh, say: Any) -> None:
    """West waits for north, north and south wait for east; east goes on being useful until it is stopped."""
    everybody = {peer: torch.ones(1, dtype=torch.int64) for peer in mesh.peers}
    mesh.exchange(everybody, dict.fromkeys(mesh.peers, ONE))
    mesh.phase = "online"
    say("linked")
    if mesh.rank == EAST:
        while True:
            mesh.advance()
            time.sleep(0.02)
    mesh.receive(NORTH if mesh.rank == WEST else EAST, *ONE)


def others_of(run: Crew, absent: int) -> dict[int, Outcome]:
    return {rank: run.outcome(rank) for rank in range(4) if rank != absent}


@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "tls"])
def test_a_killed_party_is_named_everywhere_within_two_seconds(encrypt: bool) -> None:
    with crew(depend_on_east, 4, links=DEALT, encrypt=encrypt) as run:
        assert {run.hear(rank) for rank in range(4)} == {"linked"}
        killed = run.signal(EAST, signal.SIGKILL)
        outcomes = others_of(run, EAST)
    for outcome in outcomes.values():
        assert outcome.party == "east"
        assert "is gone: its connection closed" in outcome.message
        assert outcome.at - killed < 2
    found_it = [o.message for o in outcomes.values() if "waited for round 2 (online)" in o.message]
    assert found_it and all("east (rank 2, 127.0.0.1:" in message for message in found_it)


def test_a_suspended_party_is_named_everywhere_within_the_limit() -> None:
    with crew(depend_on_east, 4, links=DEALT, timeout=LIMIT) as run:
        assert {run.hear(rank) for rank in range(4)} == {"linked"}
        stopped = run.signal(EAST, signal.SIGSTOP)
        for outcome in others_of(run, EAST).values():
            assert outcome.party == "east"
            assert "is stalled: no sign of life for" in outcome.message
            assert LIMIT / 2 < outcome.at - stopped < LIMIT + 1
        run.signal(EAST, signal.SIGCONT)
        resumed = run.outcome(EAST)
    assert resumed.party == "east"
    assert "east (rank 2, this party) is stalled" in resumed.message


def test_a_short_suspension_is_forgiven() -> None:
    with crew(depend_on_east, 4, links=DEALT, timeout=LIMIT) as run:
        assert {run.hear(rank) for rank in range(4)} == {"linked"}
        for rank in (EAST, NORTH):
            run.signal(rank, signal.SIGSTOP)
        time.sleep(LIMIT / 2)
        for rank in (EAST, NORTH):
            run.signal(rank, signal.SIGCONT)
        time.sleep(0.3)
        run.signal(EAST, signal.SIGTERM)
        assert all("is gone" in outcome.message for outcome in others_of(run, EAST).values())


def dawdle(mesh: Mesh, say: Any) -> None:
    mesh.phase = "offline"
    say(time.monotonic())
    if mesh.rank == EAST:
        time.sleep(1.4 * LIMIT)
        mesh.advance()
    mesh.receive(NORTH if mesh.rank == WEST else EAST, *ONE)


def test_a_party_that_lives_but_does_not_get_on_is_named_everywhere() -> None:
    with crew(dawdle, 4, links=DEALT, timeout=LIMIT) as run:
        began = max(run.hear(rank) for rank in range(4))
        for outcome in others_of(run, EAST).values():
            assert outcome.party == "east"
            assert f"is late: alive but silent for {LIMIT:g} s" in outcome.message
            assert outcome.at - began < LIMIT + 1
        late = run.outcome(EAST)
    assert "east (rank 2, this party) is late" in late.message


def work_long(mesh: Mesh, say: Any) -> int:
    """East works for nearly two limits, says so, and then sends to north and south; north sends on to west."""
    if mesh.rank == EAST:
        for _ in range(18):
            time.sleep(0.1)
            mesh.advance()
        mesh.exchange({rank: torch.tensor([7]) for rank in (NORTH, SOUTH)}, {})
        return 7
    got = mesh.receive(NORTH if mesh.rank == WEST else EAST, *ONE)
    if mesh.rank == NORTH:
        mesh.send(WEST, got)
    return int(got)


def test_long_work_that_makes_progress_is_waited_for_along_the_whole_chain() -> None:
    with crew(work_long, 4, links=DEALT, timeout=1.0) as run:
        assert run.values() == [7, 7, 7, 7]


def stop_at_east(mesh: Mesh, say: Any) -> None:
    if mesh.rank == EAST:
        say(time.monotonic())
        mesh.abort("its table was refused")
        mesh.close()
        return
    if mesh.rank == SOUTH:  # is not waiting for anybody, but working
        while True:
            mesh.advance()
            time.sleep(0.02)
    mesh.receive(NORTH if mesh.rank == WEST else EAST, *ONE)


def test_a_party_that_stops_says_why_to_everybody() -> None:
    with crew(stop_at_east, 4, links=DEALT) as run:
        stopped = run.hear(EAST)
        for outcome in others_of(run, EAST).values():
            assert outcome.party == "east"
            assert "east stopped: its table was refused\n  hint: see east's own output" in outcome.message
            assert outcome.at - stopped < 2


def blame_south(mesh: Mesh, say: Any) -> None:
    if mesh.rank == EAST:
        mesh.abort("is not to be trusted", culprit=SOUTH)
    mesh.receive(NORTH if mesh.rank == WEST else EAST, *ONE)


def test_a_party_can_stop_because_of_another_one() -> None:
    with crew(blame_south, 4, links=DEALT) as run:
        messages = [run.outcome(rank).message for rank in range(4)]
    assert "is not to be trusted, says east" in messages[NORTH]
    assert "south (rank 1, this party) is not to be trusted, says east" in messages[SOUTH]
    assert "is not to be trusted while east waited" in messages[EAST]
    assert "is not to be trusted, says east" in messages[WEST]


def wait_in_a_circle(mesh: Mesh, say: Any) -> None:
    mesh.receive((mesh.rank + 1) % 3, *ONE)


def test_parties_that_wait_for_each_other_do_not_wait_for_ever() -> None:
    with crew(wait_in_a_circle, 3, timeout=1.0) as run:
        outcomes = [run.outcome(rank) for rank in range(3)]
    assert all(outcome.party in NAMES[:3] for outcome in outcomes)
    assert all("the parties are out of step" in outcome.message for outcome in outcomes)
