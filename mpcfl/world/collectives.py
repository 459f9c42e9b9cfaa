"""CrypTen's collectives over a session's own connections: encrypted, with time limits, counted.

CrypTen would use Gloo, which is plaintext on the wire and waits for a stalled party for half an hour. The methods and
their odd contracts (who gets None, what changes in place) are those of its `DistributedCommunicator`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import torch
from torch.distributed import ReduceOp

from mpcfl.errors import SetupError
from mpcfl.world import _crypten
from mpcfl.world.session import Session

_OPERATIONS: list[tuple[Any, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]]] = [
    (ReduceOp.SUM, torch.add),
    (ReduceOp.BXOR, torch.bitwise_xor),
    (ReduceOp.PRODUCT, torch.mul),
    (ReduceOp.MIN, torch.minimum),
    (ReduceOp.MAX, torch.maximum),
]


class Collectives:
    """A CrypTen communicator among the compute parties of `session`; one message a peer and call, 1 round each."""

    def __init__(self, session: Session) -> None:
        self._session, self._name = session, session.name
        self._others = [rank for rank in session.roster.compute if rank != session.rank]
        self.reset_communication_stats()

    def all_reduce(self, input: Any, op: Any = ReduceOp.SUM, batched: bool = False) -> Any:
        """The combination of all parties' tensors (`batched`: lists of them), at every party."""
        tensors = input if batched else [input]
        combined = self._combined(tensors, self._exchange(dict.fromkeys(self._others, tensors), self._others), op)
        return combined if batched else combined[0]

    def reduce(self, input: Any, dst: int, op: Any = ReduceOp.SUM, batched: bool = False) -> Any:
        """`all_reduce` at party `dst` alone; None at the others."""
        tensors = input if batched else [input]
        if self.get_rank() != dst:
            self._exchange({dst: tensors}, [])
            return None
        combined = self._combined(tensors, self._exchange({}, self._others, like=tensors), op)
        return combined if batched else combined[0]

    def gather(self, tensor: torch.Tensor, dst: int) -> list[torch.Tensor | None]:
        """All parties' tensors by rank, at party `dst`; [None] at the others."""
        if self.get_rank() != dst:
            self._exchange({dst: [tensor]}, [])
            return [None]
        received = self._exchange({}, self._others, like=[tensor])
        return [tensor.clone() if rank == dst else received[rank][0] for rank in self._session.roster.compute]

    def all_gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """All parties' tensors by rank, at every party."""
        received = self._exchange(dict.fromkeys(self._others, [tensor]), self._others)
        own = self.get_rank()
        return [tensor.clone() if rank == own else received[rank][0] for rank in self._session.roster.compute]

    def scatter(self, scatter_list: Any, src: int, size: Any = None, device: Any = None) -> torch.Tensor:
        """The tensor of `scatter_list` that party `src` has at this party's place; int64."""
        rank = self.get_rank()
        if rank == src:
            self._exchange({other: [scatter_list[other]] for other in self._others}, [])
            own: torch.Tensor = scatter_list[rank]
            return own
        like = torch.empty(scatter_list[rank].size() if size is None else size, dtype=torch.int64)
        return self._exchange({}, [src], like=[like])[src][0]

    def broadcast(self, input: Any, src: int, group: Any = None, batched: bool = False) -> Any:
        """The tensors of party `src`, written into `input` at the others."""
        tensors = input if batched else [input]
        if self.get_rank() == src:
            self._exchange(dict.fromkeys(self._others, tensors), [])
        else:
            for tensor, received in zip(tensors, self._exchange({}, [src], like=tensors)[src], strict=True):
                tensor.data.copy_(received)
        return input

    def broadcast_obj(self, obj: Any, src: int, group: Any = None) -> Any:
        """The object of party `src`; elsewhere only classes that CrypTen lists as harmless are made from it."""
        if self.get_rank() == src:
            data = torch.frombuffer(bytearray(pickle.dumps(obj)), dtype=torch.uint8)
            self._exchange(dict.fromkeys(self._others, [torch.tensor([data.numel()])]), [])
            self._exchange(dict.fromkeys(self._others, [data]), [])
            return obj
        size = self._exchange({}, [src], like=[torch.empty(1, dtype=torch.int64)])[src][0]
        received = self._exchange({}, [src], like=[torch.empty(int(size), dtype=torch.uint8)])[src][0]
        return _crypten.restricted_loads(received.numpy().tobytes())

    def send(self, tensor: torch.Tensor, dst: int) -> None:
        self._exchange({dst: [tensor]}, [])

    def recv(self, tensor: torch.Tensor, src: int) -> torch.Tensor:
        """A tensor from party `src`, of the shape and dtype of `tensor`."""
        return self._exchange({}, [src], like=[tensor])[src][0]

    def barrier(self) -> None:
        """Return when every party has called this."""
        self.all_gather(torch.zeros(1, dtype=torch.uint8))

    def _no(self, *_: Any, **__: Any) -> NoReturn:
        raise SetupError(
            "this method of CrypTen's communicator is not there: mpcfl sends and receives in step",
            hint="use all_reduce, gather, broadcast, send or recv",
        )

    isend = irecv = send_obj = recv_obj = _no

    def get_world_size(self) -> int:
        return len(self._session.roster.compute)

    def get_rank(self) -> int:
        return self._session.rank

    def get_name(self) -> str:
        return self._name

    def set_name(self, name: str) -> None:
        self._name = name

    def get_distributed_backend(self) -> str:
        return "mpcfl"

    def reset_communication_stats(self) -> None:
        self._rounds = self._bytes = 0

    def get_communication_stats(self) -> dict[str, float]:
        return {"rounds": self._rounds, "bytes": self._bytes, "time": 0.0}

    def print_communication_stats(self) -> None:
        _crypten.load().log(f"rounds {self._rounds}, bytes sent {self._bytes}")

    def _exchange(
        self,
        sends: dict[int, Sequence[torch.Tensor]],
        sources: Sequence[int],
        like: Sequence[torch.Tensor] | None = None,
    ) -> dict[int, list[torch.Tensor]]:
        """One flat message to each peer in `sends`, and one from each of `sources`, split like `like` (or as sent)."""
        flat = {peer: _flatten(tensors) for peer, tensors in sends.items()}
        if like is None:
            like = next(iter(sends.values()), [])
        size = sum(tensor.numel() * tensor.element_size() for tensor in like)
        with self._session.protocol("crypten"):
            received = self._session.exchange(flat, dict.fromkeys(sources, ((size,), torch.uint8)))
        self._rounds += 1
        self._bytes += sum(buffer.numel() for buffer in flat.values())
        return {peer: _split(buffer, like) for peer, buffer in received.items()}

    def _combined(
        self, own: Sequence[torch.Tensor], received: dict[int, list[torch.Tensor]], op: Any
    ) -> list[torch.Tensor]:
        """In the order of ranks, so that rounding of real numbers is the same at every party."""
        combine = next((function for known, function in _OPERATIONS if known == op), None)
        if combine is None:
            raise SetupError(f"CrypTen's collectives cannot combine by {op} here")
        first, *rest = [own if rank == self.get_rank() else received[rank] for rank in self._session.roster.compute]
        totals = [tensor.clone() for tensor in first]
        for tensors in rest:
            totals = [combine(total, tensor) for total, tensor in zip(totals, tensors, strict=True)]
        return totals


def _flatten(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in tensors])


def _split(buffer: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    pieces = buffer.split([tensor.numel() * tensor.element_size() for tensor in like])
    return [piece.clone().view(t.dtype).reshape(t.shape) for piece, t in zip(pieces, like, strict=True)]
