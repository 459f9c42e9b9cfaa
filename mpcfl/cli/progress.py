"""One line on a terminal: what is being done, how far it is, how long it may take, and what it has cost so far."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from mpcfl.report.units import count, duration, plural, shortened, size
from mpcfl.world.meter import Cost

EVERY = 0.1
"""Seconds between two drawings at least."""
BAR = 12


class Progress:
    """Call it as `progress("doubling", 3, 16)`, from one party only. Silent where `stream` is no terminal.

    stream: standard error by default. clock: seconds, for tests. cost, news: what this party has sent so far, and
    whatever else there is to be said, if that is to be shown. Never raises: a closed terminal stops no run.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        cost: Callable[[], Cost] | None = None,
        news: Callable[[], str] | None = None,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock, self._cost, self._news = clock, cost, news
        self._shown = bool(self._stream is not None and self._stream.isatty())
        self._what: str | None = None
        self._since = 0.0
        self._first = 0
        self._drawn = float("-inf")
        self._length = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        if not self._shown:
            return
        now = self._clock()
        if what != self._what:
            self._what, self._since, self._first, self._drawn = what, now, done, float("-inf")
        if now - self._drawn < EVERY and done < total:
            return
        self._drawn = now
        self._draw(self._line(what, done, total, now))

    def close(self) -> None:
        """Clear the line, so that what is printed next starts on a clean one."""
        if self._length:
            self._draw("")
        self._what = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self, what: str, done: int, total: int, now: float) -> str:
        part = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        filled = int(part * BAR)
        moved = done - self._first
        left = (now - self._since) * (total - done) / moved if moved > 0 else None
        ending = [f"{duration(left)} left"] if left is not None and done < total else []
        if self._cost is not None:
            cost = self._cost()
            ending += [plural(cost.rounds, "round"), f"{size(cost.bytes)}"]
        if self._news is not None and (news := self._news()):
            ending.insert(0, news)
        place = f"{shortened(what, 28)} {count(done)}/{count(total)}"
        return f"{place} [{'#' * filled}{'-' * (BAR - filled)}] {part:4.0%} {', '.join(ending)}".rstrip()

    def _draw(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns
        line = line[: max(columns - 1, 1)]
        with contextlib.suppress(OSError, ValueError):
            blanks = " " * (self._length - len(line))
            self._stream.write(f"\r{line}{blanks}{'' if line else chr(13)}")
            self._stream.flush()
        self._length = len(line)
