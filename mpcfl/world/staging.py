"""Messages of a party whose tensors live on a GPU: through page-locked memory, one flat buffer each way a round.

What leaves is copied into a buffer, and the host waits for that copy alone. What arrives is received into another,
and goes over in one copy on a stream of its own, while what was asked of the device before is still computed; whoever
uses it on the device waits there, the host does not. Messages that nobody waits for in turn, a dealer's, are sent once
the next one is under way: the device makes the one after while they travel. Buffers grow and are used again; there are
two each way, so that the next message can come in, or be made, while the last one is on its way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from mpcfl.world.wire import Expected, Wire

_ALIGNED = 16  # bytes: where a message may start, so that it can be read as elements of any size


@dataclass(slots=True)
class _Buffer:
    """Page-locked memory that grows; `busy`: the last copy from it."""

    memory: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))
    busy: torch.cuda.Event | None = None

    def take(self, size: int) -> torch.Tensor:
        """Its first `size` bytes, once nobody reads them any more."""
        if self.busy is not None:
            self.busy.synchronize()
            self.busy = None
        if self.memory.numel() < size:
            with torch.inference_mode(False):  # it is written in protocols and outside of them
                self.memory = torch.empty(size, dtype=torch.uint8, pin_memory=True)
        return self.memory[:size]


@dataclass(frozen=True, slots=True)
class _Leaving:
    """Messages by rank, in the host's memory once `copied` is reached."""

    sends: dict[int, torch.Tensor]
    copied: torch.cuda.Event


class Staging:
    """The way of messages between `device` and a wire, which knows the memory of the host only."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._copies = torch.cuda.Stream(device)
        self._leaving, self._left = _Buffer(), _Buffer()
        self._arriving, self._next = _Buffer(), _Buffer()
        self._posted: _Leaving | None = None

    def exchange(
        self, wire: Wire, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Expected], *, on_device: bool
    ) -> dict[int, torch.Tensor]:
        """As `Wire.exchange`, for tensors here and there; on_device: what arrives is wanted on the device."""
        leaving = self._leave(sends)
        self.flush(wire)
        leaving.copied.synchronize()
        if not on_device or not receives:
            return wire.exchange(leaving.sends, receives)
        places, end = {}, 0
        for rank, (shape, dtype) in receives.items():
            size = math.prod(shape) * dtype.itemsize
            places[rank], end = (end, size), end + -(-size // _ALIGNED) * _ALIGNED
        self._arriving, self._next = self._next, self._arriving
        memory = self._arriving.take(end)
        into = {rank: _read(memory, places[rank], expected) for rank, expected in receives.items()}
        wire.exchange(leaving.sends, receives, into)
        there = self._arrive(memory)
        return {rank: _read(there, places[rank], expected) for rank, expected in receives.items()}

    def post(self, wire: Wire, sends: Mapping[int, torch.Tensor]) -> None:
        """Send, but not before the next message or `flush`: in order, and while the device goes on."""
        leaving = self._leave(sends)
        self.flush(wire)
        self._posted = leaving

    def flush(self, wire: Wire) -> None:
        """Send what was posted."""
        posted, self._posted = self._posted, None
        if posted is not None:
            posted.copied.synchronize()
            wire.exchange(posted.sends, {})

    def _leave(self, sends: Mapping[int, torch.Tensor]) -> _Leaving:
        """Begin to copy to the host's memory; what several parties get is copied once."""
        self._leaving, self._left = self._left, self._leaving
        there = {id(tensor): tensor for tensor in sends.values() if tensor.device.type == self.device.type}
        sizes = [tensor.numel() * tensor.element_size() for tensor in there.values()]
        memory, copies, start = self._leaving.take(sum(-(-s // _ALIGNED) * _ALIGNED for s in sizes)), {}, 0
        for (key, tensor), size in zip(there.items(), sizes, strict=True):
            copies[key] = _read(memory, (start, size), (tuple(tensor.shape), tensor.dtype))
            copies[key].copy_(tensor, non_blocking=True)
            start += -(-size // _ALIGNED) * _ALIGNED
        copied = torch.cuda.Event()
        copied.record(torch.cuda.current_stream(self.device))
        return _Leaving({rank: copies.get(id(tensor), tensor) for rank, tensor in sends.items()}, copied)

    def _arrive(self, memory: torch.Tensor) -> torch.Tensor:
        main = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._copies):
            there = memory.to(self.device, non_blocking=True)
            self._arriving.busy = self._copies.record_event()
        main.wait_event(self._arriving.busy)
        there.record_stream(main)  # its memory is not given away before the main stream is done with it
        return there


def _read(memory: torch.Tensor, place: tuple[int, int], expected: Expected) -> torch.Tensor:
    (start, size), (shape, dtype) = place, expected
    return memory[start : start + size].view(dtype).reshape(shape)
