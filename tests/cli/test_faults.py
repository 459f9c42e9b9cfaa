"""A party that is killed or stalls: every other party names it and exits within the time limit, at each phase of a run.

With torchrun's variables and real processes, `timeout = 3` in the job.
"""

import signal
from itertools import cycle
from pathlib import Path

import pytest

from mpcfl.cli.main import INTERRUPTED, guarded
from tests.cli.jobs import tables
from tests.cli.parties import OWNERS, PLACES, Fault, train, write_job, write_tables

LIMIT = 3.0
SLACK = 1.5  # of a busy machine
LOADING = 3.0  # by which one party may come to the start later than another: a wait begins when a party is there
WHOLE = LIMIT + 40  # seconds for all of a run, after which a party that hangs is put an end to
SIGNALS = (signal.SIGKILL, signal.SIGSTOP)
ALL = [(number, place, party) for number in SIGNALS for place in PLACES for party in OWNERS]
SOME = [(number, place, party) for (number, place), party in zip(
    [(number, place) for number in SIGNALS for place in PLACES], cycle(["south", "north", "east"]))]  # fmt: skip


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_tables(folder)
    return write_job(folder, tables(job__timeout=LIMIT))


def cases() -> list[object]:
    """All pairs of signal and phase, the party in turn; every party at each of them if asked for slow tests."""
    return [
        pytest.param(*case, id=f"{case[0].name}-{case[1]}-{case[2]}", marks=[] if case in SOME else [pytest.mark.slow])
        for case in ALL
    ]


@pytest.mark.parametrize("number, place, party", cases())
def test_the_others_name_it_in_time_and_write_nothing(
    number: signal.Signals, place: str, party: str, job: Path, tmp_path: Path
) -> None:
    noted, out = tmp_path / "noted", tmp_path / "run"
    ended = train(job, out=out, fault=Fault(party, place, number, noted), limit=WHOLE)
    at = float(noted.read_text())
    for name in set(OWNERS) - {party}:
        assert ended[name].code == 5
        assert party in ended[name].err.splitlines()[-2], ended[name].err  # the line above the hint
        assert ended[name].at - at < LIMIT + SLACK + (LOADING if place == "start" else 0)
    assert list(tmp_path.iterdir()) == [noted]


def test_who_is_missing_from_the_start_is_named(job: Path, tmp_path: Path) -> None:
    """North and south come, east never does."""
    ended = train(job, names=("north", "south"), world_size=3, out=tmp_path / "run", limit=WHOLE)
    for party in ended.values():
        assert party.code == 5
        assert "east (rank 2) did not arrive within 3 s" in party.err
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_told_to_the_others(job: Path, tmp_path: Path) -> None:
    """Ctrl-C at south, in the middle."""
    noted, out = tmp_path / "noted", tmp_path / "run"
    ended = train(job, out=out, fault=Fault("south", "online", signal.SIGINT, noted), limit=WHOLE)
    for name in ("north", "east"):
        assert ended[name].code == 5 and "south stopped: KeyboardInterrupt" in ended[name].err
    assert list(tmp_path.iterdir()) == [noted]


def test_an_interrupt_has_an_exit_code_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    assert guarded(interrupted) == INTERRUPTED
    assert capsys.readouterr().err == "mpcfl: interrupted\n"
