"""Openings over NCCL, in the clear: for compute parties that have a GPU each, in one cluster that all of them trust.

NCCL goes from GPU to GPU, without the host's memory and without TLS. It encrypts nothing, asks nobody who he is, and
waits for ever. So

- what goes this way is masked (`Session.exchange_masked`), and nothing else does;
- nobody calls NCCL before all are there: each round begins with an empty message to every peer on the mesh, so that
  who is gone, stalled or late is found and named as always, and `Mesh.wait_until` ends the wait for the rest;
- torch's watchdog over NCCL, which would end the process instead, is told not to.

A round is one all-to-all of bytes, which is one call and says itself when it is done, in NCCL as in Gloo: tests run
Gloo in the place of NCCL (`Make`), on tensors of the CPU.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from mpcfl.errors import SetupError
from mpcfl.world.frame import one_line
from mpcfl.world.nccl import INSTEAD, SETTING
from mpcfl.world.rendezvous import Store, within
from mpcfl.world.transport import Mesh
from mpcfl.world.wire import Expected

Make = Callable[[Any, int, int, timedelta], Any]
"""Of a store, this party's rank, the number of parties and the longest that a round may take: a backend of torch's."""

_LAST = 10.0  # seconds that the end of a group may take
_NOTHING = torch.empty(0, dtype=torch.uint8)


class Cluster:
    """The group of all compute parties, ranks 0 to size - 1, of which this one is `rank`."""

    def __init__(self, mesh: Mesh, rank: int, size: int, device: torch.device) -> None:
        """Without a group: `start` makes it."""
        self._mesh, self._rank, self._size, self._device = mesh, rank, size, device
        self._others = [other for other in range(size) if other != rank]
        self._group: Any = None

    def __repr__(self) -> str:
        return f"Cluster(rank {self._rank} of {self._size}, {self._device})"

    def start(self, make: Make, store: Store, prefix: str, *, tag: bytes, limit: float) -> None:
        """Make the group, and send a first round through it: everybody's rank.

        `store`: where they find each other, under keys with `prefix`, which must be new for each run. `tag`: of this
        party's GPU, see `gpu_tag`. `limit`: seconds that torch lets a round take; more than the mesh lets it.
        SetupError: two are on one GPU, or NCCL does not start. PartyError: a party is lost meanwhile.
        """
        self._require_own_gpus(tag)  # all are there now
        own = torch.full((self._size - 1,), self._rank, device=self._device)
        arriving, sizes = torch.empty_like(own), [int(rank != self._rank) for rank in range(self._size)]
        outcome: list[Exception | None] = []
        keys = dist.PrefixStore(prefix, store)  # type: ignore[attr-defined, arg-type]

        def begin() -> None:  # waits inside of torch for the others
            try:
                if self._device.type == "cuda":
                    torch.cuda.set_device(self._device)  # of this thread
                self._group = make(keys, self._rank, self._size, timedelta(seconds=limit))
                work = self._group.alltoall_base(arriving, own, sizes, sizes)
                while not work.is_completed():
                    time.sleep(1e-3)
                work.wait()
                outcome.append(None)
            except Exception as error:
                outcome.append(error)

        threading.Thread(target=begin, name="mpcfl-cluster", daemon=True).start()
        self._mesh.wait_until(lambda: bool(outcome), self._others, "NCCL to start")
        if outcome[0] is not None:
            raise self._broken(str(outcome[0]))
        if arriving.tolist() != self._others:
            raise self._broken("what arrived is not what was sent")

    def exchange(self, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Expected]) -> dict[int, torch.Tensor]:
        """As `Wire.exchange`, from device to device, and for all parties at once: each calls it, in the same order, and
        either all messages of the round are empty or none is missing. PartyError as from the mesh.
        SetupError: NCCL failed, and nobody is lost."""
        self._meet()
        parts = {rank: sends[rank].reshape(-1).view(torch.uint8) for rank in sorted(sends)}
        out_sizes = [parts[rank].numel() if rank in parts else 0 for rank in range(self._size)]
        in_sizes = [_bytes_of(receives[rank]) if rank in receives else 0 for rank in range(self._size)]
        leaving = torch.cat(list(parts.values())) if len(parts) > 1 else parts[self._others[0]]
        arriving = torch.empty(sum(in_sizes), dtype=torch.uint8, device=self._device)
        if any(in_sizes):
            self._all_to_all(arriving, leaving, in_sizes, out_sizes)
        pieces = arriving.split(in_sizes)
        return {rank: _read(pieces[rank], expected) for rank, expected in receives.items()}

    def close(self) -> None:
        """Leave in order."""
        try:
            within(_LAST, self._group.shutdown)
        except (RuntimeError, TimeoutError):
            self.abort()

    def abort(self) -> None:
        """End what is under way, so that nothing of it holds this process back."""
        if self._group is not None:
            with suppress(RuntimeError, TimeoutError):
                within(_LAST, self._group.abort)

    def _meet(self) -> None:
        """Everybody is there, or PartyError."""
        self._mesh.exchange(dict.fromkeys(self._others, _NOTHING), dict.fromkeys(self._others, _like(_NOTHING)))

    def _require_own_gpus(self, tag: bytes) -> None:
        """SetupError if two parties are on one GPU, of which NCCL would say something obscure."""
        own = torch.frombuffer(bytearray(tag), dtype=torch.uint8)
        received = self._mesh.exchange(dict.fromkeys(self._others, own), dict.fromkeys(self._others, _like(own)))
        first: dict[bytes, str] = {}
        for rank in range(self._size):
            name = self._mesh.names[rank]
            other = first.setdefault(tag if rank == self._rank else received[rank].numpy().tobytes(), name)
            if other != name:
                raise SetupError(
                    f"{SETTING}: {other} and {name} are on one GPU, and NCCL needs one for each",
                    hint=f'give them others (device = "cuda:0", "cuda:1"), {INSTEAD}',
                )

    def _all_to_all(
        self, arriving: torch.Tensor, leaving: torch.Tensor, in_sizes: list[int], out_sizes: list[int]
    ) -> None:
        try:
            work = self._group.alltoall_base(arriving, leaving, in_sizes, out_sizes)
            self._mesh.wait_until(work.is_completed, self._others, "NCCL")
            work.wait()  # the device's stream is behind NCCL's own now; raises what went wrong
        except RuntimeError as error:
            raise self._broken(str(error)) from None

    def _broken(self, error: str) -> SetupError:
        """The error for what torch says, unless a party is lost: then that one's is raised."""
        self._mesh.settle()
        reason = one_line(error.partition("Exception raised from")[0])
        return SetupError(
            f"{SETTING}: NCCL failed: {reason}", hint=f"NCCL_DEBUG=INFO makes it say more; mend it, {INSTEAD}"
        )


def _read(piece: torch.Tensor, expected: Expected) -> torch.Tensor:
    shape, dtype = expected
    aligned = piece.storage_offset() % dtype.itemsize == 0
    return (piece if aligned else piece.clone()).view(dtype).reshape(shape)


def _like(tensor: torch.Tensor) -> Expected:
    return tuple(tensor.shape), tensor.dtype


def _bytes_of(expected: Expected) -> int:
    shape, dtype = expected
    return math.prod(shape) * dtype.itemsize
