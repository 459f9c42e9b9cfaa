"""The line of progress: on terminals only, ten times a second at most, and gone at the end."""

import io

import pytest

from mpcfl.cli.progress import Progress
from mpcfl.world.meter import Meter


class Terminal(io.StringIO):
    """A terminal of 80 columns: what its one line shows after all that was written."""

    def isatty(self) -> bool:
        return True

    @property
    def drawings(self) -> list[str]:
        return [drawing for drawing in self.getvalue().split("\r") if drawing.strip()]

    @property
    def line(self) -> str:
        cells, at = [" "] * 200, 0
        for letter in self.getvalue():
            if letter == "\r":
                at = 0
            else:
                cells[at], at = letter, at + 1
        return "".join(cells).rstrip()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


def test_bar_percentage_and_seconds_left(terminal: Terminal) -> None:
    clock = Clock()
    progress = Progress(terminal, clock)
    progress("doubling", 0, 16)
    assert terminal.line == "doubling 0/16 [" + "-" * 12 + "]   0%"
    clock.now = 2.0
    progress("doubling", 4, 16)
    assert terminal.line == "doubling 4/16 [" + "#" * 3 + "-" * 9 + "]  25% 6 s left"
    clock.now = 8.0
    progress("doubling", 16, 16)
    assert terminal.line == "doubling 16/16 [" + "#" * 12 + "] 100%"


def test_time_left_counts_from_the_first_call_of_each_stage(terminal: Terminal) -> None:
    clock = Clock()
    progress = Progress(terminal, clock)
    progress("offline", 0, 10)
    clock.now = 100.0
    progress("online", 5, 10)
    clock.now = 101.0
    progress("online", 6, 10)
    assert terminal.line.endswith("60% 4 s left")


def test_what_the_run_has_cost_so_far(terminal: Terminal) -> None:
    """Rounds and bytes that this party has sent online, as counted; it all fits a terminal of 80 columns."""
    meter, clock = Meter(), Clock()
    progress = Progress(terminal, clock, cost=lambda: meter.total("online"))
    progress("gradient descent", 0, 1000)
    assert terminal.line.endswith("]   0% 0 rounds, 0 B")
    clock.now = 4.0
    with meter.phase("online"):
        meter.count(rounds=3200, messages=3200, payload=12_300_000)
    with meter.phase("offline"):
        meter.count(rounds=1, messages=1, payload=10**9)
    progress("gradient descent", 800, 1000)
    assert terminal.line == "gradient descent 800/1,000 [#########---]  80% 1 s left, 3,200 rounds, 12.3 MB"


def test_news_stand_before_the_costs(terminal: Terminal) -> None:
    told = [""]
    progress = Progress(terminal, Clock(), cost=lambda: Meter().total("online"), news=lambda: told[0])
    progress("Newton", 1, 4)
    assert terminal.line.endswith("25% 0 rounds, 0 B")
    told[0] = "loss 0.25"
    progress("Newton", 4, 4)
    assert terminal.line.endswith("100% loss 0.25, 0 rounds, 0 B")


def test_ten_drawings_a_second_at_most_but_the_last_is_always_drawn(terminal: Terminal) -> None:
    clock = Clock()
    progress = Progress(terminal, clock)
    for done in range(1001):
        clock.now = done / 1000
        progress("gradient", done, 1000)
    assert 10 <= len(terminal.drawings) <= 12
    assert terminal.line.endswith("100%")


def test_close_clears_the_line_and_a_shorter_one_covers_a_longer_one(terminal: Terminal) -> None:
    with Progress(terminal, Clock()) as progress:
        progress("a very long stage", 1, 2)
        progress("short", 1, 2)
        assert terminal.line == "short 1/2 [" + "#" * 6 + "-" * 6 + "]  50%"
    assert terminal.line == "" and terminal.getvalue().endswith("\r")


def test_nothing_where_nobody_looks() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        progress("doubling", 1, 2)
    assert stream.getvalue() == ""


def test_a_narrow_terminal_is_not_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    Progress(terminal, Clock())("doubling", 1, 2)
    assert len(terminal.line) == 19


@pytest.mark.parametrize("done, total, part", [(0, 0, "100%"), (5, 4, "100%"), (-1, 4, "0%")])
def test_odd_counts_are_drawn_within_bounds(terminal: Terminal, done: int, total: int, part: str) -> None:
    Progress(terminal, Clock())("x", done, total)
    assert terminal.line.endswith(f" {part}") and len(terminal.line) == len(f"x {done}/{total} [] 100%") + 12


def test_a_stream_that_was_closed_stops_nothing(terminal: Terminal) -> None:
    progress = Progress(terminal, Clock())
    terminal.close()
    progress("x", 1, 2)
    progress.close()
    assert terminal.closed
