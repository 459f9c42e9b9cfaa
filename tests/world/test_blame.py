"""Who is to blame follows from who waits for whom, and from when each was last heard and last got on."""

from __future__ import annotations

import pytest

from mpcfl.world import frame
from mpcfl.world.blame import Board, explain
from mpcfl.world.frame import Beat, Frames, Kind, Verdict

NAMES = ("north", "south", "east", "west")
NORTH, SOUTH, EAST, WEST = range(4)
NOBODY = -1


def board(*beats: Beat, at: float = 0.0) -> Board:
    """North's board, with every other party linked."""
    result = Board(NORTH, [SOUTH, EAST, WEST], 0.0)
    for beat in beats:
        result.note(beat, at)
    return result


def judge(known: Board, *, now: float, since: float = 0.0) -> Verdict | None:
    return known.judge(SOUTH, since, now, timeout=60, interval=1, names=NAMES)


def keep_beating(known: Board, until: int, waits: dict[int, int], progress: dict[int, int] | None = None) -> None:
    for second in range(1, until + 1):
        for rank, waits_for in waits.items():
            moved = (progress or {}).get(rank, 0) * second
            known.note(Beat(rank, second, moved, waits_for), float(second))


def test_the_end_of_the_chain_is_named_not_who_waits_in_turn() -> None:
    known = board()
    keep_beating(known, 61, {SOUTH: EAST, EAST: WEST, WEST: NOBODY})
    assert judge(known, now=60.5) is None  # the first beats, at 1 s, were news
    verdict = judge(known, now=61.5)
    assert verdict == Verdict(NORTH, WEST, "is late: alive but silent for 60 s")


def test_progress_anywhere_on_the_chain_renews_the_wait() -> None:
    known = board()
    keep_beating(known, 200, {SOUTH: EAST, EAST: WEST, WEST: NOBODY}, progress={WEST: 1})
    assert judge(known, now=200) is None
    assert judge(known, now=261) is not None


def test_a_byte_renews_the_wait() -> None:
    known = board()
    keep_beating(known, 200, {SOUTH: NOBODY})
    assert judge(known, since=150, now=200) is None


def test_who_fell_silent_is_stalled_whomever_it_waited_for() -> None:
    known = board()
    keep_beating(known, 30, {SOUTH: EAST})
    keep_beating(known, 70, {EAST: NORTH})
    assert judge(known, now=70) == Verdict(NORTH, SOUTH, "is stalled: no sign of life for 40 s")


def test_a_circle_expires_and_says_so() -> None:
    known = board()
    keep_beating(known, 70, {SOUTH: EAST, EAST: NORTH})
    verdict = judge(known, now=70)
    assert verdict is not None and verdict.culprit == EAST
    assert verdict.fault.endswith("and waits for north: the parties are out of step")


def test_after_an_own_suspension_nobody_else_is_blamed_for_it() -> None:
    known = board()
    keep_beating(known, 30, {SOUTH: NOBODY})
    known.excuse(500)
    assert known.silence(SOUTH, 501) == 1
    assert judge(known, now=501) is None


def test_old_news_passed_on_late_change_nothing() -> None:
    known = board(Beat(SOUTH, 5, 10, EAST), at=5.0)
    known.note(Beat(SOUTH, 4, 9, WEST), 6.0)
    assert known.chain(SOUTH) == [SOUTH, EAST]
    assert known.silence(SOUTH, 7.0) == 2.0


def test_a_waiting_party_passes_on_the_beats_of_its_chain() -> None:
    beats = [Beat(SOUTH, 1, 2, EAST), Beat(EAST, 3, 4, NOBODY)]
    assert board(*beats).passed_on(SOUTH) == beats
    assert board(*beats).passed_on(NOBODY) == []


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        (Verdict(NORTH, SOUTH, "is gone"), "south (rank 1, host:2) is gone while north waited for round 3 (online)"),
        (Verdict(EAST, SOUTH, "is gone"), "south (rank 1, host:2) is gone, says east"),
        (Verdict(EAST, NORTH, "is late"), "north (rank 0, this party) is late, says east"),
        (Verdict(SOUTH, SOUTH, "disk full"), "south stopped: disk full"),
        (Verdict(SOUTH, NOBODY, "disk full"), "south stopped: disk full"),
    ],
)
def test_what_the_error_says(verdict: Verdict, message: str) -> None:
    places = ("host:1", "host:2", "host:3", "")
    assert explain(verdict, NORTH, NAMES, places, "waited for round 3 (online)").args[0] == message


def test_control_frames_survive_any_cutting() -> None:
    beats = [Beat(1, 2**40, 3, NOBODY), Beat(2, 5, 6, 7)]
    verdict = Verdict(1, NOBODY, "stopped\nand\x1b[31m " + "x" * 1000)
    stream = frame.tick(beats) + frame.abort(verdict) + frame.bye()
    frames = Frames()
    found = [piece for byte in stream for piece in frames.feed(bytes([byte]))]
    assert [kind for kind, _ in found] == [Kind.TICK, Kind.ABORT, Kind.BYE]
    assert frame.read_tick(found[0][1]) == beats
    read = frame.read_abort(found[1][1])
    assert (read.origin, read.culprit, len(read.fault)) == (1, NOBODY, 400)
    assert read.fault.startswith("stopped and [31m xxx")


def test_endless_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        list(Frames().feed(b"\x01\xff\xff\xff\xff"))


def test_headers_tell_what_is_wrong() -> None:
    head = frame.header(7, 800)
    assert frame.mismatch(head, 7, 800) is None
    assert frame.mismatch(head, 8, 800) == "message 7 came where message 8 is due"
    assert frame.mismatch(head, 7, 808) == "800 bytes came where 808 are due"
    assert frame.mismatch(b"GET / HTTP/1.1\r\n", 7, 800) == "what came is no message of mpcfl"
