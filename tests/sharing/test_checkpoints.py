"""Runs that are cut off and started again, each party a thread: what is lost, refused, and never put together.

The program counts w <- 3 w + 1 on integers, so that a state that is right is exactly right.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mpcfl.errors import CheckpointError, MpcflError, PartyError
from mpcfl.ring.prg import derive
from mpcfl.sharing.checkpoints import Checkpoints, agree_on_checkpoints
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.opening import Masked, open_masked
from mpcfl.sharing.own_key import own_key
from mpcfl.sharing.reveal import reveal, zero_share
from mpcfl.sharing.share import Share, zeros
from mpcfl.sharing.shelf import Owner, Shelf
from mpcfl.world.session import Session
from tests.parties import plain, roster, run_parties, run_with_sessions

ITERATIONS, EVERY = 5, 2
START = torch.tensor([1.0, -2.0, 5.0], dtype=torch.float64)


class Killed(BaseException):
    """kill -9, as far as a thread can be killed."""


class Lost(Exception):
    """A run that did not come to its end."""


class Run:
    """One run of the counting program over the checkpoints in `folder`; `victim` is killed at its event number `at`,
    all parties after `stop` iterations."""

    def __init__(self, folder: Path, parties: int = 2, *, victim: str = "", at: int = 0, stop: int = -1) -> None:
        self.folder, self.who, self.stop = folder, roster(parties), stop
        self.victim, self.at, self.events = victim, at, 0
        self.begun = 0
        self.finished = dict.fromkeys(self.who.names, 0)  # iterations, by party
        self.delivered: set[str] = set()
        self.notes: list[str] = []
        self.looks = False  # whether the state is revealed in every iteration
        self.learned = dict.fromkeys(self.who.names, 0)  # how often, by party
        self.settings: dict[str, object] = {}

    def go(self) -> torch.Tensor:
        """The final state; Lost if the run was cut off."""
        try:
            results, self.sessions = run_with_sessions(self.who, self.program)
        except (Killed, PartyError):
            raise Lost from None
        return plain(results[: len(self.who.compute)])

    def program(self, session: Session) -> Share:
        threading.current_thread().name = session.name
        settings = {"folder": self.folder, "keys": self.folder / "keys", "job": "counting", "every": EVERY}
        with agree_on_checkpoints(session, **settings | self.settings) as keeper:
            self.notes.append(keeper.note)
            w = zeros(session, (3,), scale=0) + START
            begun, state = keeper.resume({"w": w})
            self.begun = begun
            for i in range(begun, ITERATIONS):
                self.leave_after(i)
                self.event()
                nothing = Share(session, zero_share(session, (3,)), scale=0, bound=1.0)
                with session.phase("online"):
                    open_masked(session, [Masked(nothing)])
                if self.looks:
                    reveal({f"look {i}": state["w"]}, to=session.roster.names, reason="to look")
                    self.learned[session.name] += 1
                state = {"w": (state["w"] * 3 + torch.ones(3, dtype=torch.float64)).within(1e6)}
                if session.is_compute:
                    self.finished[session.name] = i + 1
                keeper.offer(i + 1, state)
            self.leave_after(ITERATIONS)
            self.delivered.add(session.name)
            self.event()
            keeper.settle(done=True)
        return state["w"]

    def leave_after(self, iterations: int) -> None:
        if iterations == self.stop:
            raise Killed

    def event(self) -> None:
        if threading.current_thread().name == self.victim:
            self.events += 1
            if self.events == self.at:
                raise Killed


WANTED = START.to(torch.int64) * 3**ITERATIONS + (3**ITERATIONS - 1) // 2


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Makes an event of all that a party does to its disk, too: before each sync, rename and removal."""
    real = {name: getattr(os, name) for name in ("fsync", "replace", "unlink")}

    def watch(run: Run) -> None:
        for name, call in real.items():
            monkeypatch.setattr(os, name, lambda *args, call=call, **more: (run.event(), call(*args, **more))[1])

    return watch


def shelf_of(folder: Path, rank: int) -> Shelf:
    names = roster(2).names
    key = own_key(folder / "keys" / f"{names[rank]}.key")
    return Shelf(folder / names[rank], derive(key, "checkpoint"), Owner(names[rank], rank, names, "counting"))


def cut_off(folder: Path, *, stop: int, **settings: object) -> Run:
    run = Run(folder, stop=stop)
    run.settings = settings
    with pytest.raises(Lost):
        run.go()
    return run


def resumed(folder: Path, **settings: object) -> Run:
    run = Run(folder)
    run.settings = settings
    assert torch.equal(run.go(), WANTED)
    return run


# ---- what a killed party costs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties, victim, before", [(2, "p0", 0), (3, "p2", 0), (2, "dealer", 0), (2, "p1", 3)])
def test_a_kill_at_any_moment_costs_at_most_k_iterations(
    parties: int, victim: str, before: int, tmp_path: Path, watched: Callable[[Run], None]
) -> None:
    """At every message and every step of every write, one after the other; then the run is started again. `before`: it
    had been cut off once already, after so many iterations."""
    moments = 0
    while True:
        folder = tmp_path / str(moments)
        if before:
            cut_off(folder, stop=before)
        first = Run(folder, parties, victim=victim, at=moments + 1)
        watched(first)
        try:
            first.go()
            break
        except Lost:
            pass
        second = Run(folder, parties)
        watched(second)
        assert torch.equal(second.go(), WANTED)
        if first.delivered != set(first.who.names):  # otherwise nobody needs the rest
            assert max(first.finished.values()) - second.begun <= EVERY
            assert second.begun >= first.begun
        moments += 1
    assert moments >= ITERATIONS - before + (victim != "dealer") * 2 * 3  # two writes at least, in three steps each


def test_a_run_that_is_killed_again_and_again_gets_on(tmp_path: Path, watched: Callable[[Run], None]) -> None:
    """Each time at another party and a later moment, from the second on within what a resumed run writes first."""
    begun = []
    for at in range(1, 30):
        run = Run(tmp_path, victim=f"p{at % 2}", at=at)
        watched(run)
        try:
            assert torch.equal(run.go(), WANTED)
            break
        except Lost:
            begun.append(run.begun)
    assert begun == sorted(begun) and len(begun) > 5
    assert begun[0] == 0 and begun[-1] > 0


def test_a_run_that_comes_to_its_end_leaves_nothing_but_keys(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=3)
    resumed(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
    assert resumed(tmp_path).begun == 0


def test_who_did_not_get_the_result_keeps_everybodys_checkpoints(tmp_path: Path) -> None:
    """As when one party could not write its model: the last state is there, and the next run is done at once."""

    def program(session: Session) -> None:
        with agree_on_checkpoints(session, folder=tmp_path, keys=tmp_path / "keys", job="counting", every=1) as keeper:
            _, state = keeper.resume({"w": zeros(session, (3,), scale=0) + START})
            keeper.offer(1, state)
            keeper.settle(done=session.rank != 1)

    run_parties(2, program)
    for rank in (0, 1):
        shelf = shelf_of(tmp_path, rank)
        assert [checkpoint.step for checkpoint in shelf.held()] == [1]
        shelf.close()


def test_two_checkpoints_are_kept_and_no_others(tmp_path: Path) -> None:
    run = cut_off(tmp_path, stop=4, every=1)
    assert run.finished["p0"] == 4
    for rank in (0, 1):
        shelf = shelf_of(tmp_path, rank)
        assert [checkpoint.step for checkpoint in shelf.held()] == [3, 4]
        shelf.close()


# ---- what is never put together --------------------------------------------------------------------------------------


def shares_on_disk(folder: Path) -> dict[int, dict[int, torch.Tensor]]:
    """By generation and rank, the shares of iteration 2."""
    found: dict[int, dict[int, torch.Tensor]] = {}
    for rank in (0, 1):
        shelf = shelf_of(folder, rank)
        for checkpoint in shelf.held():
            if checkpoint.step == 2:
                found.setdefault(checkpoint.generation, {})[rank] = shelf.read(checkpoint)["w"]
        shelf.close()
    return found


def test_old_shares_of_one_party_and_new_ones_of_another_say_nothing(tmp_path: Path) -> None:
    """A run that resumes makes the state's shares random anew, so disks that were read at different times do not add
    up: neither run's shares go with the other's."""
    state = START.to(torch.int64) * 9 + 4
    cut_off(tmp_path, stop=2)
    old = shares_on_disk(tmp_path)[1]
    assert torch.equal(old[0] + old[1], state)
    cut_off(tmp_path, stop=2)  # resumes after 2, writes, and is cut off
    new = shares_on_disk(tmp_path)[2]
    assert torch.equal(new[0] + new[1], state)
    for one, other in ((old[0], new[1]), (new[0], old[1])):
        assert not (one + other == state).any()


def test_the_shares_of_the_run_before_are_removed_once_all_have_newer_ones(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=2)
    cut_off(tmp_path, stop=2)
    assert set(shares_on_disk(tmp_path)) == {1, 2}  # another party may not have written yet
    cut_off(tmp_path, stop=4)
    assert set(shares_on_disk(tmp_path)) == {3}


def test_iterations_of_different_runs_are_never_combined(tmp_path: Path) -> None:
    """p1's disk comes back from a backup: the same iteration under the same name, and not the same sharing."""
    cut_off(tmp_path, stop=2)
    (tmp_path / "p1").rename(tmp_path / "backup")
    shutil.rmtree(tmp_path / "p0")
    cut_off(tmp_path, stop=2)
    assert os.listdir(tmp_path / "p1") == os.listdir(tmp_path / "backup")
    shutil.rmtree(tmp_path / "p1")
    (tmp_path / "backup").rename(tmp_path / "p1")
    run = resumed(tmp_path)
    assert run.begun == 0
    assert run.notes[0] == (
        "starting anew: no checkpoint of one run is held by all compute parties "
        "(p0 holds iterations 2; p1 holds iterations 2)"
    )


def test_no_key_of_a_run_serves_another(tmp_path: Path) -> None:
    """So no mask comes twice, though operations are numbered from 1 in every run: the numbers count under one key, and
    there none is given twice (tests/ring/test_prg.py)."""
    keys = []

    class Keys(Run):
        def program(self, session: Session) -> Share:
            keys.append({stream._key for stream in session._streams.values()})
            return super().program(session)

    with pytest.raises(Lost):
        Keys(tmp_path, stop=3).go()
    Keys(tmp_path).go()
    first, second = set().union(*keys[:3]), set().union(*keys[3:])
    assert len(first) == len(second) == 3  # pairs of two compute parties and the dealer
    assert not first & second


# ---- what the parties agree on ---------------------------------------------------------------------------------------


def test_where_it_begins_is_said_by_all(tmp_path: Path) -> None:
    assert set(cut_off(tmp_path, stop=3).notes) == {""}
    assert set(resumed(tmp_path).notes) == {"resuming after iteration 2, from the checkpoints of an earlier run"}


def test_starting_anew_where_one_should(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=5)
    run = resumed(tmp_path, resume=False)
    assert run.begun == 0 and set(run.notes) == {""}


def test_what_was_started_anew_on_purpose_is_what_is_resumed(tmp_path: Path) -> None:
    """Not the older run, though that had come further."""
    cut_off(tmp_path, stop=5)
    cut_off(tmp_path, stop=3, resume=False)
    assert resumed(tmp_path).begun == 2


def refused(folder: Path, **settings: object) -> list[str]:
    """What each party says; all must refuse."""
    run, said = Run(folder), []
    run.settings = settings

    def program(session: Session) -> None:
        try:
            run.program(session)
        except MpcflError as error:
            said.append(f"{type(error).__name__}: {error}")
            raise

    with pytest.raises(MpcflError):
        run_parties(run.who, program)
    return said


def test_a_checkpoint_can_be_required(tmp_path: Path) -> None:
    said = refused(tmp_path, resume="require")
    assert len(said) == 3
    assert all(
        "CheckpointError: no checkpoint of one run is held by all compute parties (p0 holds none; p1" in s for s in said
    )
    cut_off(tmp_path, stop=3)
    assert resumed(tmp_path, resume="require").begun == 2


def test_a_party_that_lost_its_checkpoints_is_named_where_one_is_required(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=5)
    (tmp_path / "p1").rename(tmp_path / "elsewhere")
    assert "(p0 holds iterations 4, 2; p1 holds none)" in refused(tmp_path, resume="require")[0]
    (tmp_path / "elsewhere").rename(tmp_path / "p1")
    assert resumed(tmp_path, resume="require").begun == 4


def test_a_damaged_checkpoint_stops_the_run_until_somebody_has_looked(tmp_path: Path) -> None:
    """A kill damages none, so something else has; without the file the older one is taken."""
    cut_off(tmp_path, stop=5)
    path = sorted((tmp_path / "p1").iterdir())[-1]
    path.write_bytes(path.read_bytes()[:-1])
    said = refused(tmp_path)
    assert any(s.startswith(f"CheckpointError: checkpoint {path} is damaged") for s in said)
    path.unlink()
    assert resumed(tmp_path).begun == 2


def test_another_job_is_refused_and_its_checkpoints_are_left_alone(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=3)
    for resume in (True, False, "require"):
        said = refused(tmp_path, job="another", resume=resume)
        assert any("000002.checkpoint is of another job" in s for s in said)
    assert resumed(tmp_path).begun == 2


def test_a_table_that_changed_is_named_by_all(tmp_path: Path) -> None:
    """The state of a run on other rows would lead to weights that are those of no table."""
    tables = {"p0": b"rows of p0", "p1": b"", "dealer": b"rows of the dealer"}

    def program(session: Session) -> int:
        with agree_on_checkpoints(
            session, folder=tmp_path, keys=tmp_path / "keys", job="j", every=1, table=tables[session.name]
        ) as keeper:
            begun, state = keeper.resume({"w": zeros(session, (3,), scale=0) + START})
            if not begun:
                keeper.offer(1, state)
        return begun

    assert run_parties(2, program) == [0, 0, 0]
    assert run_parties(2, program) == [1, 1, 1]
    tables["dealer"] = b"other rows"
    with pytest.raises(CheckpointError, match="made with another table of dealer, or another key file"):
        run_parties(2, program)
    tables["dealer"] = b"rows of the dealer"
    assert run_parties(2, program) == [1, 1, 1]
    assert not (tmp_path / "dealer").exists()  # it keeps a key, and no shares


def test_what_is_published_says_nothing_of_a_table(tmp_path: Path) -> None:
    """Two parties with the same table have different tags, and so has one party with another key."""
    said: list[list[bytes]] = []

    def program(session: Session) -> None:
        publish = session.publish
        session.publish = lambda data: said.append(publish(data)) or said[-1]  # type: ignore[method-assign]
        agree_on_checkpoints(
            session, folder=tmp_path, keys=tmp_path / "keys", job="j", every=1, table=b"the same rows"
        ).close()

    def tags() -> set[str]:
        said.clear()
        run_parties(2, program)
        return {text.split(b'"table": "')[1][:64].decode() for text in said[0]}

    first = tags()
    assert len(first) == 3 and tags() == first
    (tmp_path / "keys" / "p1.key").unlink()
    assert len(tags() & first) == 2


# ---- what was revealed -----------------------------------------------------------------------------------------------


def looking(folder: Path, **more: Any) -> Run:
    run = Run(folder, **more)
    run.looks = True
    return run


def looks(run: Run, *, earlier: bool) -> list[str]:
    """What the ledger of all parties, which is the same, says of this run or those before it."""
    (ledger,) = {json.dumps(session.ledger) for session in run.sessions}
    return [entry["what"] for entry in json.loads(ledger) if bool(entry.get("earlier_run")) == earlier]


def test_whatever_moment_a_run_is_killed_at_the_next_has_all_that_it_revealed_in_its_ledger(
    tmp_path: Path, watched: Callable[[Run], None]
) -> None:
    """And at most one thing more, which nobody got any more."""
    moments, most = 0, 0
    while True:
        folder = tmp_path / str(moments)
        first = looking(folder, victim="p1", at=moments + 1)
        watched(first)
        try:
            first.go()
            break
        except Lost:
            pass
        second = looking(folder)
        assert torch.equal(second.go(), WANTED)
        revealed = max(first.learned.values())
        if first.delivered != set(first.who.names):  # otherwise it came to its end
            assert looks(second, earlier=True) in ([f"look {i}" for i in range(n)] for n in (revealed, revealed + 1))
            most = max(most, revealed - second.begun)
        assert looks(second, earlier=False) == [f"look {i}" for i in range(second.begun, ITERATIONS)]
        moments += 1
    assert moments > 4 * ITERATIONS and most == EVERY


def test_of_several_killed_runs_all_is_in_the_ledger_also_of_one_that_starts_anew(tmp_path: Path) -> None:
    for stop in (3, 4):
        with pytest.raises(Lost):
            looking(tmp_path, stop=stop).go()
    run = looking(tmp_path)
    run.settings = {"resume": False}
    run.go()
    assert run.begun == 0 and looks(run, earlier=True) == ["look 0", "look 1", "look 2", "look 2", "look 3"]
    again = looking(tmp_path)
    again.go()
    assert looks(again, earlier=True) == [], "a run that came to its end has a ledger of its own"


def test_what_one_party_has_lost_another_has(tmp_path: Path) -> None:
    with pytest.raises(Lost):
        looking(tmp_path, stop=3).go()
    (path,) = (tmp_path / "p0").glob("ledger-*.jsonl")
    path.unlink()
    run = looking(tmp_path)
    run.go()
    assert looks(run, earlier=True) == ["look 0", "look 1", "look 2"]
    assert len(looks(run, earlier=False)) == ITERATIONS - 2


def test_a_damaged_ledger_and_one_of_another_job(tmp_path: Path) -> None:
    with pytest.raises(Lost):
        looking(tmp_path, stop=1).go()  # before the first checkpoint
    (path,) = (tmp_path / "p1").glob("ledger-*.jsonl")
    path.write_text("nothing\n")
    with pytest.raises(CheckpointError, match=re.escape(f"{path} is damaged")):
        looking(tmp_path).go()
    other = looking(tmp_path)
    other.settings = {"job": "another"}
    other.go()
    assert looks(other, earlier=True) == [] and path.exists()


def test_another_state_is_refused(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=3)

    def program(session: Session) -> None:
        with agree_on_checkpoints(session, folder=tmp_path, keys=tmp_path / "keys", job="counting", every=2) as keeper:
            keeper.resume({"w": zeros(session, (3,), scale=7)})

    with pytest.raises(CheckpointError, match="hold another state than this solver's"):
        run_parties(2, program)


def test_a_second_loop_is_not_taken_for_the_first(tmp_path: Path) -> None:
    def program(session: Session) -> None:
        with agree_on_checkpoints(session, folder=tmp_path, keys=tmp_path / "keys", job="j", every=2) as keeper:
            keeper.resume({"w": zeros(session, (3,), scale=0)})
            keeper.resume({"w": zeros(session, (3,), scale=0)})

    with pytest.raises(ValueError, match="serves one loop"):
        run_parties(2, program)


# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_it_costs_no_round_but_those_of_the_setup(tmp_path: Path) -> None:
    cut_off(tmp_path, stop=3)
    run = resumed(tmp_path)
    for session in run.sessions:
        assert set(session.meter.exact()) == ({"setup"} if session.is_dealer else {"setup", "online"})
        assert session.meter.total("online").rounds == 3 * session.is_compute  # iterations 3, 4 and 5


def test_a_keeper_that_keeps_nothing_begins_where_it_is_told() -> None:
    session = Session.dry(roster(2), 0)
    state = {"w": Share(session, zeros(session, (3,), scale=5)._ring, scale=5, bound=1.0)}
    assert Keeper().resume(state)[0] == 0
    begun, again = Keeper(7, {"w": 4.0}).planned().resume(state)
    assert (begun, again["w"].bound, again["w"].scale) == (7, 4.0, 5)


def test_the_plan_of_a_resumed_run_has_its_bounds(tmp_path: Path) -> None:
    """Bounds decide on headroom, and might on how something is computed: the plan has those of the run."""
    cut_off(tmp_path, stop=3)
    seen: list[tuple[int, float]] = []

    class Planned(Run):
        def program(self, session: Session) -> Share:
            with agree_on_checkpoints(
                session, folder=tmp_path, keys=tmp_path / "keys", job="counting", every=2
            ) as keeper:
                assert isinstance(keeper, Checkpoints)
                state = {"w": zeros(session, (3,), scale=0) + START}
                begun, real = keeper.resume(state)
                planned, plan = keeper.planned().resume(state)
                seen.append((begun, real["w"].bound))
                assert (planned, plan["w"].bound) == seen[-1]
                return real["w"]

    Planned(tmp_path).go()
    assert len(seen) == 3 and set(seen) == {(2, 49.0)}  # 5 * 9 + 4
