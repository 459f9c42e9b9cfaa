"""Reveal: named parties learn an output. The only exit for a secret, and every use is in the ledger.

Before they leave, shares are re-randomised by a fresh sharing of zero that each pair of compute parties expands from
its own stream: whoever receives them learns the sum and nothing else, also when the shares were special (one party
held the value, the others zero) or when the receiver dealt the masks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from mpcfl.ring.blank import blank
from mpcfl.ring.fixed import decode
from mpcfl.sharing.share import Share, require_headroom
from mpcfl.world.session import Session

REVEALED_BITS = 63


def zero_share(session: Session, shape: tuple[int, ...]) -> torch.Tensor:
    """This party's part of a fresh random sharing of zero; no communication (pairwise streams)."""
    operation = session.next_operation()
    if not session.holds_shares:
        return blank(shape)
    total = torch.zeros(shape, dtype=torch.int64, device=session.device)
    for rank in session.roster.compute:
        if rank != session.rank:
            part = session.draw(rank, operation).elements(shape)
            total = total + part if rank > session.rank else total - part
    return total


Floating = tuple[Share, Share]
"""Mantissa and exponent of a value of secret size: mantissa * 2^exponent, revealed together as one value."""


def reveal(
    shares: Mapping[str, Share | Floating],
    *,
    to: Sequence[str] | None = None,
    reason: str,
    reasons: Mapping[str, str] | None = None,
) -> dict[str, torch.Tensor]:
    """Real values (float64, on the CPU) of `shares` by name, at the parties in `to` (default: all that own data or
    compute).

    At other parties, and in a dry run, the tensors have no content. Writes one ledger entry a value, at every party,
    with `reason`, or what `reasons` says for a name.
    Cost: 1 round, every element once from each compute party to each receiver.
    """
    parts = {name: value if isinstance(value, tuple) else (value,) for name, value in shares.items()}
    session = next(iter(parts.values()))[0].session
    names = list(to) if to is not None else default_receivers(session)
    targets = [session.roster.rank_of(name) for name in names]
    for name, pieces in parts.items():  # what is refused must not stand in the ledger
        for share in pieces:
            require_headroom(share, REVEALED_BITS, name)
    rings = []
    for name, pieces in parts.items():
        write_ledger(session, name, pieces[0].shape, names, (reasons or {}).get(name, reason))
        rings += [(share._ring + zero_share(session, share.shape)).reshape(-1) for share in pieces]
    total = _sum_at(session, torch.cat(rings), targets)
    flat = iter(total.split([ring.numel() for ring in rings]))
    return {
        name: _real([decode(next(flat).reshape(s.shape), s.scale) for s in pieces]) for name, pieces in parts.items()
    }


def _real(parts: list[torch.Tensor]) -> torch.Tensor:
    if len(parts) == 1 or parts[0].device.type == "meta":
        return parts[0]
    return torch.ldexp(parts[0], parts[1].round())


def _sum_at(session: Session, ring: torch.Tensor, targets: Sequence[int]) -> torch.Tensor:
    compute = session.roster.compute
    sends = {rank: ring for rank in targets if rank != session.rank} if session.is_compute else {}
    sources = [rank for rank in compute if rank != session.rank] if session.rank in targets else []
    with session.protocol("reveal"):
        rounds = int(session.is_compute or bool(sources))  # a dealer who is told nothing has no round
        received = session.exchange(sends, {rank: (tuple(ring.shape), torch.int64) for rank in sources}, rounds=rounds)
    if session.rank not in targets:
        return blank(ring.shape)
    total = ring.cpu() if session.holds_shares else blank(ring.shape)
    for part in received.values():
        total = part if total.device.type == "meta" and part.device.type != "meta" else total + part
    return total


def default_receivers(session: Session) -> list[str]:
    """All parties that own data or compute."""
    return [party.name for party in session.roster.parties if party.roles & {"data", "compute"}]


def write_ledger(session: Session, what: str, shape: Sequence[int], to: Sequence[str], reason: str) -> None:
    """One line of the ledger: what is to leave the shares, who learns it, why. Never its value."""
    entry: dict[str, Any] = {"what": what, "shape": list(shape), "to": list(to), "reason": reason}
    session.ledger.append(entry)
    if session.on_reveal is not None:
        session.on_reveal(entry)
