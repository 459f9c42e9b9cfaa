"""Share: a data owner splits its values into shares, one for each compute party.

Owner and compute party have a common stream, so all shares but one are expanded from it and cost nothing. The one that
is left, value minus all others, stays with an owner who computes and is sent to the last compute party otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mpcfl.ring.blank import blank
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session


@dataclass(frozen=True, slots=True)
class Input:
    """What one owner brings. `ring`: encoded elements at the owner, None at everyone else; the rest is public."""

    name: str
    owner: int
    shape: tuple[int, ...]
    scale: int
    bound: float
    ring: torch.Tensor | None = None

    def __repr__(self) -> str:
        return f"Input({self.name}, shape={self.shape}, scale={self.scale})"


def share_inputs(session: Session, inputs: Sequence[Input]) -> list[Share]:
    """All inputs at once: one round, or none where all owners compute; another owner sends each element once, to the
    last compute party."""
    roster = session.roster
    rings: list[torch.Tensor] = []
    outgoing: list[torch.Tensor] = []
    incoming: dict[int, int] = {}
    for item in inputs:
        operation = session.next_operation()
        session.footprint.inputs += math.prod(item.shape)
        holder = item.owner if item.owner in roster.compute else roster.last
        own = blank(item.shape)
        if session.rank == item.owner and not session.dry_run:
            if item.ring is None or tuple(item.ring.shape) != item.shape:
                raise ValueError(f"input '{item.name}' needs its owner's ring elements of shape {item.shape}")
            own = item.ring.to(session.own_device)
            for rank in roster.compute:
                if rank not in (holder, session.rank):
                    own = own - session.draw(rank, operation).elements(item.shape)
        elif session.holds_shares and session.rank != holder:
            own = session.draw(item.owner, operation).elements(item.shape)
        if item.owner not in roster.compute:
            if session.rank == item.owner:
                outgoing.append(own.reshape(-1))
                own = blank(item.shape)
            elif session.rank == holder:
                incoming[item.owner] = incoming.get(item.owner, 0) + own.numel()
        rings.append(own)
    if session.is_compute or outgoing:
        sends = {roster.last: torch.cat(outgoing)} if outgoing else {}
        with session.protocol("share"):
            rounds = int(any(item.owner not in roster.compute for item in inputs))
            expected = {owner: ((size,), torch.int64) for owner, size in incoming.items()}
            received = session.exchange(sends, expected, rounds=rounds, on_device=True)
        cursor = dict.fromkeys(incoming, 0)
        for index, item in enumerate(inputs):
            if item.owner in received:
                start = cursor[item.owner]
                cursor[item.owner] += rings[index].numel()
                rings[index] = received[item.owner][start : cursor[item.owner]].reshape(item.shape)
    return [Share(session, ring, scale=item.scale, bound=item.bound) for ring, item in zip(rings, inputs, strict=True)]
