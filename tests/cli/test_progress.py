"""The line of progress: on terminals only, ten times a second at most, and gone at the end."""

import io

import pytest

from mpcfl.cli.progress import Progress


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
    assert terminal.line == "doubling [" + "-" * 24 + "]   0%"
    clock.now = 2.0
    progress("doubling", 4, 16)
    assert terminal.line == "doubling [" + "#" * 6 + "-" * 18 + "]  25% 6 s left"
    clock.now = 8.0
    progress("doubling", 16, 16)
    assert terminal.line == "doubling [" + "#" * 24 + "] 100%"


def test_time_left_counts_from_the_first_call_of_each_stage(terminal: Terminal) -> None:
    clock = Clock()
    progress = Progress(terminal, clock)
    progress("offline", 0, 10)
    clock.now = 100.0
    progress("online", 5, 10)
    clock.now = 101.0
    progress("online", 6, 10)
    assert terminal.line.endswith("60% 4 s left")


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
        assert terminal.line == "short [" + "#" * 12 + "-" * 12 + "]  50%"
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
    assert terminal.line.endswith(f" {part}") and len(terminal.line) == len("x [] 100%") + 24


def test_a_stream_that_was_closed_stops_nothing(terminal: Terminal) -> None:
    progress = Progress(terminal, Clock())
    terminal.close()
    progress("x", 1, 2)
    progress.close()
    assert terminal.closed
