"""Is anybody there? Asked before torch is, whose store prints a page of C++ for every host that does not answer."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable

_PAUSE = 0.2  # seconds between two attempts
SILENCE = 5.0  # seconds of waiting before it is said for whom
log = logging.getLogger(__name__)


class Waiting:
    """Says once, when a wait has lasted for a while, what it is for: `mpcfl train` prints it."""

    def __init__(self, limit: float) -> None:
        self._limit, self._due = limit, time.monotonic() + SILENCE

    def say(self, what: Callable[[], str]) -> None:
        if time.monotonic() > self._due:
            self._due = float("inf")
            log.info("waiting for %s (%.4g s at most)", what(), self._limit)


def answer(host: str, port: int, timeout: float, *, who: str, listens: bool) -> str | None:
    """None as soon as `host` is known here and, if it `listens`, accepts connections on `port`; else, after `timeout`
    seconds, why not, in the words of the operating system. `who`: what is waited for."""
    deadline, waiting = time.monotonic() + timeout, Waiting(timeout)
    while True:
        try:
            if not listens:
                socket.getaddrinfo(host, port)
                return None
            with socket.create_connection((host, port), timeout=max(deadline - time.monotonic(), _PAUSE)):
                return None
        except OSError as error:
            reason = error.strerror or str(error)
        if time.monotonic() + _PAUSE > deadline:
            return reason
        waiting.say(lambda: who)
        time.sleep(_PAUSE)
