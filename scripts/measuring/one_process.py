"""All parties of a run as threads of one process, joined by queues: for a thousand owners, too many for processes.

What is computed and sent is what processes compute and send, and the meters count it; TLS and sockets are left out, and
seconds are those of all parties together on one core or little more, since Python runs one thread at a time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mpcfl.errors import PartyError
from mpcfl.world.party import Roster
from mpcfl.world.session import Session

_FEW = 16  # parties
_STACK = 1 << 20  # bytes of a thread; a thousand of the usual 8 MiB would be much address space


class MemoryWire:
    """A wire between threads."""

    phase = "memory"

    def __init__(self, rank: int, queues: Mapping[tuple[int, int], Any], failed: threading.Event) -> None:
        self._rank, self._queues, self._failed = rank, queues, failed

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Any],
        into: Mapping[int, torch.Tensor] | None = None,
    ) -> dict[int, torch.Tensor]:
        for peer, tensor in sends.items():
            self._put(peer, tensor.clone())
        return landed({peer: self._next(peer) for peer in receives}, into)

    def _put(self, peer: int, tensor: torch.Tensor) -> None:
        while True:
            try:
                return self._queues[self._rank, peer].put(tensor, timeout=1.0)
            except queue.Full:
                self._others_go_on()

    def _next(self, peer: int) -> torch.Tensor:
        while True:
            try:
                return self._queues[peer, self._rank].get(timeout=1.0)
            except queue.Empty:
                self._others_go_on()

    def _others_go_on(self) -> None:
        if self._failed.is_set():
            raise PartyError("another party failed") from None

    def advance(self) -> None: ...

    def abort(self, reason: str, culprit: int | None = None) -> None: ...

    def close(self) -> None: ...


def landed(messages: dict[int, torch.Tensor], into: Mapping[int, torch.Tensor] | None) -> dict[int, torch.Tensor]:
    """The messages, or the tensors `into`, which now hold them."""
    for peer, place in (into or {}).items():
        messages[peer] = place.copy_(messages[peer].view(place.dtype).reshape(place.shape))
    return messages


def run_threads(roster: Roster, program: Callable[[Session], Any], device: str = "cpu", ahead: int = 0) -> list[Any]:
    """Results by rank; the first party's error is raised. `device`: of all parties. `ahead`: how many messages
    may lie on a way before whoever sends waits; 0: any number."""
    pairs = [tuple(link) for link in roster.links()]
    queues: dict[tuple[int, ...], Any]
    queues = {pair: queue.Queue(ahead) if ahead else queue.SimpleQueue() for i, j in pairs for pair in ((i, j), (j, i))}
    failed, results, errors = threading.Event(), [None] * roster.size, []

    def party(rank: int) -> None:
        session = Session(roster, rank, MemoryWire(rank, queues, failed), device=device)
        try:
            session.agree(b"sweep")
            results[rank] = program(session)
            session.flush()
        except BaseException as error:
            errors.append(error)
            failed.set()

    before = threading.stack_size(_STACK if roster.size > _FEW else 0)  # 0: the usual one, which compilers need
    try:
        threads = [threading.Thread(target=party, args=(rank,)) for rank in range(roster.size)]
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
