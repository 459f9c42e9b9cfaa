"""Runs one program at several parties of this process, each in a thread, joined by queues: for protocols.

What is about processes (loss, delay, sockets) is tested with real ones; see tests/world and tests/cli.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mpcfl.errors import PartyError
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session

WAIT = 60.0
Queues = dict[tuple[int, int], "queue.Queue[torch.Tensor]"]


class QueueWire:
    """A wire between threads."""

    phase = "test"

    def __init__(self, rank: int, queues: Queues, failed: threading.Event) -> None:
        self.rank, self.queues, self.failed = rank, queues, failed
        self.view: list[torch.Tensor] = []

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Any],
        into: Mapping[int, torch.Tensor] | None = None,
    ) -> dict[int, torch.Tensor]:
        for rank, tensor in sends.items():
            assert tensor.device.type == "cpu" and tensor.is_contiguous()
            self.queues[self.rank, rank].put(tensor.clone())
        received = {}
        for rank, (shape, dtype) in receives.items():
            tensor = self._wait(rank)
            assert tuple(tensor.shape) == tuple(shape) and tensor.dtype == dtype
            received[rank] = into[rank].copy_(tensor) if into else tensor
            self.view.append(tensor)
        return received

    def _wait(self, rank: int) -> torch.Tensor:
        for _ in range(int(WAIT / 0.1)):
            try:
                return self.queues[rank, self.rank].get(timeout=0.1)
            except queue.Empty:
                if self.failed.is_set():
                    break
        raise PartyError(f"rank {self.rank} waits for {rank} in vain")

    def advance(self) -> None: ...

    def abort(self, reason: str, culprit: int | None = None) -> None: ...

    def close(self) -> None: ...


def roster(compute: int, *, owners: int | None = None) -> Roster:
    """`compute` parties that own data too, and a dealer, which owns data if `owners` says one more."""
    owners = compute if owners is None else owners
    parties = [Party.of(f"p{i}", {"compute"} | ({"data"} if i < owners else set())) for i in range(compute)]
    parties.append(Party.of("dealer", {"dealer"} | ({"data"} if owners > compute else set())))
    parties += [Party.of(f"o{i}", {"data"}) for i in range(compute + 1, owners)]
    return Roster(parties)


def run_parties(who: Roster | int, program: Callable[[Session], Any]) -> list[Any]:
    """Results by rank; the first party's error is raised. `program` may differ by `session.rank`."""
    results, _ = run_with_sessions(who, program)
    return results


def run_with_sessions(
    who: Roster | int, program: Callable[[Session], Any], devices: Mapping[int, str] | None = None
) -> tuple[list[Any], list[Session]]:
    """As `run_parties`, with the sessions. devices: by rank, of parties that do not work on the CPU."""
    who = roster(who) if isinstance(who, int) else who
    queues: Queues = {(i, j): queue.Queue() for i in range(who.size) for j in range(who.size)}
    failed = threading.Event()
    wires = [QueueWire(rank, queues, failed) for rank in range(who.size)]
    sessions = [Session(who, rank, wire, device=(devices or {}).get(rank, "cpu")) for rank, wire in enumerate(wires)]
    results: list[Any] = [None] * who.size
    errors: list[tuple[int, BaseException]] = []

    def party(rank: int) -> None:
        try:
            sessions[rank].agree(b"test")
            results[rank] = program(sessions[rank])
            sessions[rank].flush()
        except BaseException as error:
            errors.append((rank, error))
            failed.set()

    threads = [threading.Thread(target=party, args=(rank,), daemon=True) for rank in range(who.size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0][1]
    return results, sessions


def plain(sessions_results: Sequence[Any]) -> torch.Tensor:
    """The ring value of shares gathered from the compute parties' results."""
    total = sessions_results[0]._ring.clone()
    for share in sessions_results[1:]:
        total += share._ring
    return total
