"""Reveal: named parties learn an output. The only exit for a secret, and every use is in the ledger.

Before they leave, shares are re-randomised by a fresh sharing of zero that each pair of compute parties expands from
its own stream: whoever receives them learns the sum and nothing else, also when the shares were special (one party
held the value, the others zero) or when the receiver dealt the masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mpcfl.ring.fixed import decode
from mpcfl.sharing.share import Share, require_headroom
from mpcfl.world.session import Session

REVEALED_BITS = 63


def zero_share(session: Session, shape: tuple[int, ...]) -> torch.Tensor:
    """This party's part of a fresh random sharing of zero; no communication (pairwise streams)."""
    operation = session.next_operation()
    total = torch.zeros(shape, dtype=torch.int64, device=session.device)
    if not session.holds_shares:
        return total
    for rank in session.roster.compute:
        if rank != session.rank:
            part = session.draw(rank, operation).elements(shape)
            total = total + part if rank > session.rank else total - part
    return total


def reveal(shares: Mapping[str, Share], *, to: Sequence[str] | None = None, reason: str) -> dict[str, torch.Tensor]:
    """Real values (float64) of `shares` by name, at the parties named in `to` (default: all that own data or compute).

    At other parties, and in a dry run, the tensors have no content. Writes one ledger entry a value, at every party.
    Cost: 1 round, every element once from each compute party to each receiver.
    """
    session = next(iter(shares.values())).session
    names = list(to) if to is not None else default_receivers(session)
    targets = [session.roster.rank_of(name) for name in names]
    rings = []
    for name, share in shares.items():
        require_headroom(share, REVEALED_BITS, name)
        rings.append((share._ring + zero_share(session, share.shape)).reshape(-1))
        write_ledger(session, name, share.shape, names, reason)
    total = _sum_at(session, torch.cat(rings), targets)
    pieces = total.split([ring.numel() for ring in rings])
    return {
        name: decode(piece.reshape(share.shape), share.scale)
        for (name, share), piece in zip(shares.items(), pieces, strict=True)
    }


def _sum_at(session: Session, ring: torch.Tensor, targets: Sequence[int]) -> torch.Tensor:
    compute = session.roster.compute
    sends = {rank: ring for rank in targets if rank != session.rank} if session.is_compute else {}
    sources = [rank for rank in compute if rank != session.rank] if session.rank in targets else []
    with session.protocol("reveal"):
        received = session.exchange(sends, {rank: (tuple(ring.shape), torch.int64) for rank in sources})
    if session.rank not in targets:
        return torch.empty(ring.shape, dtype=torch.int64, device="meta")
    total = ring if session.is_compute else torch.zeros(ring.shape, dtype=torch.int64, device="meta")
    for part in received.values():
        total = part if total.device.type == "meta" and part.device.type != "meta" else total + part
    return total


def default_receivers(session: Session) -> list[str]:
    """All parties that own data or compute."""
    return [party.name for party in session.roster.parties if party.roles & {"data", "compute"}]


def write_ledger(session: Session, what: str, shape: Sequence[int], to: Sequence[str], reason: str) -> None:
    """One line of the ledger: what left the shares, who learned it, why. Never its value."""
    entry: dict[str, Any] = {"what": what, "shape": list(shape), "to": list(to), "reason": reason}
    session.ledger.append(entry)
