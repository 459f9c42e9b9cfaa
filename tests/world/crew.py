"""Parties as real processes, linked by a real mesh, for tests about connections, delay and loss."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.distributed as dist

from mpcfl.errors import MpcflError
from mpcfl.world.tls import Credentials
from mpcfl.world.transport import Mesh
from tests.forked import processes

NAMES = ("north", "south", "east", "west", "centre")
# As in a run with two compute parties, a dealer and an owner: dealer and owner are linked with compute parties only.
DEALT = frozenset(frozenset(pair) for pair in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3)))
_HEARING = 30.0

Program = Callable[[Mesh, Callable[[Any], None]], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a party ended: with `value`, or with an error of class `error`; `at` is the time of the monotonic clock."""

    value: Any
    error: str | None
    message: str
    party: str | None
    at: float


class Crew:
    """The processes of one run, by rank; a rank whose program is None does not exist."""

    def __init__(
        self, store: dist.TCPStore, processes: Mapping[int, BaseProcess], pipes: Mapping[int, Connection]
    ) -> None:
        self.store, self.processes, self._pipes = store, processes, pipes

    def hear(self, rank: int) -> Any:
        """The next thing that party `rank` says."""
        kind, news = self._next(rank)
        assert kind == "said", f"{NAMES[rank]} ended: {news}"
        return news

    def outcome(self, rank: int) -> Outcome:
        """How party `rank` ended, skipping what else it says."""
        while True:
            kind, news = self._next(rank)
            if kind == "ended":
                return news

    def values(self) -> list[Any]:
        """The results of all parties, none of which may have failed."""
        outcomes = [self.outcome(rank) for rank in self.processes]
        assert not [o for o in outcomes if o.error], outcomes
        return [o.value for o in outcomes]

    def signal(self, rank: int, number: signal.Signals) -> float:
        """Send a signal to a party; returns the time of it."""
        pid = self.processes[rank].pid
        assert pid is not None
        at = time.monotonic()
        os.kill(pid, number)
        return at

    def _next(self, rank: int) -> tuple[str, Any]:
        assert self._pipes[rank].poll(_HEARING), f"{NAMES[rank]} says nothing for {_HEARING} s"
        return self._pipes[rank].recv()


@contextmanager
def crew(
    programs: Program | Sequence[Program | None],
    size: int,
    *,
    timeout: float = 20.0,
    settings: Callable[[int], dict[str, Any]] | None = None,
    **common: Any,
) -> Iterator[Crew]:
    """Start a party for each rank below `size`, each with `Mesh.connect(**common, **settings(rank))`.

    `certificates` are the paths of certificate and key, by rank.
    """
    forked = processes()
    store = dist.TCPStore("127.0.0.1", 0, size, True, timedelta(seconds=30), wait_for_workers=False)
    listed = list(programs) if isinstance(programs, Sequence) else [programs] * size
    started: dict[int, BaseProcess] = {}
    pipes: dict[int, Connection] = {}
    for rank, program in enumerate(listed):
        if program is None:
            continue
        pipes[rank], theirs = forked.Pipe()
        extra = {"links": everybody, "timeout": timeout} | common | (settings(rank) if settings else {})
        started[rank] = forked.Process(target=_party, args=(program, rank, size, store.port, extra, theirs))
        started[rank].start()
        theirs.close()
    try:
        yield Crew(store, started, pipes)
    finally:
        for process in started.values():
            process.kill()
            process.join()
            process.close()
        for pipe in pipes.values():
            pipe.close()


def everybody(i: int, j: int) -> bool:
    """Everybody with everybody."""
    return i != j


def _party(program: Program, rank: int, size: int, port: int, extra: dict[str, Any], pipe: Connection) -> None:
    torch.set_num_threads(1)
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    os.environ["MASTER_PORT"] = str(port)
    ended: Outcome
    mesh: Mesh | None = None
    certificates = extra.pop("certificates", None)
    try:
        if certificates:
            extra["credentials"] = Credentials.load(*certificates[rank])
        store = dist.TCPStore("127.0.0.1", port, size, False, timedelta(seconds=30), wait_for_workers=False)
        mesh = Mesh.connect(store, rank=rank, names=NAMES[:size], **extra)
        value = program(mesh, lambda news: pipe.send(("said", news)))
        ended = Outcome(value, None, "", None, time.monotonic())
    except (MpcflError, ValueError) as error:
        party = getattr(error, "party", None)
        ended = Outcome(None, type(error).__name__, str(error), party, time.monotonic())
    if mesh is not None:
        mesh.close()
    pipe.send(("ended", ended))
