"""Open: all compute parties learn a value that is uniformly masked, so it says nothing.

One flat buffer a round, whatever number of tensors. Elements whose mask lives in a smaller ring travel in fewer bytes
(`width`), since x + r mod 2^width needs the low bits of each share only.

Routes: each party sends to each other one (1 round, N-1 times the bytes), or, for long messages among three or more,
each party sums one stretch and hands the sum on (2 rounds, 2(N-1)/N times the bytes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from mpcfl.ring.blank import blank
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session

LONG_MESSAGE = 1 << 20  # bytes; above it, and with three or more compute parties, bytes cost more than a round
_TYPES = {64: torch.int64, 32: torch.int32, 16: torch.int16, 8: torch.int8}


class Masked(NamedTuple):
    """A share to which a uniform mask has been added. `width`: bits of the ring that the mask lives in; `protocol`:
    whose cost it is."""

    share: Share
    width: int = 64
    protocol: str = ""


def open_masked(session: Session, items: Sequence[Masked]) -> list[torch.Tensor]:
    """Public ring elements of all items, int64, in [0, 2^width) where width < 64.

    Cost: 1 round (2 by the long route); an element goes as width/8 bytes to each other compute party. Parties without
    shares get tensors without content.
    """
    if not session.holds_shares:
        if session.dry_run:
            session.footprint.opens(sum(math.prod(item.share.shape) * item.width // 8 for item in items))
        if session.is_compute:
            _count(session, items)
        return [blank(item.share.shape) for item in items]
    parts = [item.share._ring.to(_TYPES[item.width]).reshape(-1) for item in items]
    opened = []
    for (share, width, _), part in zip(items, _sum_over_parties(session, parts), strict=True):
        whole = part.to(torch.int64).reshape(share.shape)
        opened.append(whole if width == 64 else whole & ((1 << width) - 1))
    return opened


def _count(session: Session, items: Sequence[Masked]) -> None:
    """The exchanges of a dry run: messages of the right length, without the work on what they would hold."""
    sizes = [(math.prod(item.share.shape), item.width // 8) for item in items]
    compute = session.roster.compute
    others = [rank for rank in compute if rank != session.rank]
    total = sum(count * width for count, width in sizes)
    if len(compute) == 2 or total <= LONG_MESSAGE:
        session.exchange(dict.fromkeys(others, _blank(total)), {})
        return
    stretch = {
        r: sum((n * (r + 1) // len(compute) - n * r // len(compute)) * width for n, width in sizes) for r in compute
    }
    session.exchange({rank: _blank(stretch[rank]) for rank in others}, {})
    session.exchange(dict.fromkeys(others, _blank(stretch[session.rank])), {})


def _blank(size: int) -> torch.Tensor:
    return blank((size,), torch.uint8)


def _sum_over_parties(session: Session, parts: list[torch.Tensor]) -> list[torch.Tensor]:
    size = sum(part.numel() * part.element_size() for part in parts)
    if len(session.roster.compute) > 2 and size > LONG_MESSAGE:
        return _sum_by_stretches(session, parts)
    others = [rank for rank in session.roster.compute if rank != session.rank]
    buffer = _flatten(parts)
    expected = {rank: ((buffer.numel(),), torch.uint8) for rank in others}
    received = session.exchange_masked(dict.fromkeys(others, buffer), expected)
    return _add_up(parts, received, parts)


def _sum_by_stretches(session: Session, parts: list[torch.Tensor]) -> list[torch.Tensor]:
    compute = session.roster.compute
    others = [rank for rank in compute if rank != session.rank]
    stretches = {rank: [_stretch(part, rank, len(compute)) for part in parts] for rank in compute}
    sends = {rank: _flatten(stretches[rank]) for rank in others}
    mine = stretches[session.rank]
    size = sum(part.numel() * part.element_size() for part in mine)
    received = session.exchange_masked(sends, dict.fromkeys(others, ((size,), torch.uint8)))
    sums = _add_up(mine, received, mine)
    expected = {rank: ((sends[rank].numel(),), torch.uint8) for rank in others}
    whole = session.exchange_masked(dict.fromkeys(others, _flatten(sums)), expected)
    pieces = {rank: sums if rank == session.rank else _split(whole[rank], stretches[rank]) for rank in compute}
    return [torch.cat([pieces[rank][index] for rank in compute]) for index in range(len(parts))]


def _add_up(
    own: Sequence[torch.Tensor], received: dict[int, torch.Tensor], like: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    first, *rest = (_split(buffer, like) for buffer in received.values())
    sums = [mine + theirs for mine, theirs in zip(own, first, strict=True)]
    for parts in rest:
        for total, part in zip(sums, parts, strict=True):
            total += part
    return sums


def _stretch(part: torch.Tensor, index: int, count: int) -> torch.Tensor:
    return part[part.numel() * index // count : part.numel() * (index + 1) // count]


def _flatten(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    # as_strided: torch takes a tensor of at most one element for contiguous whatever its stride, and then has no bytes
    flat = [part.contiguous().as_strided((part.numel(),), (1,)).view(torch.uint8) for part in parts]
    return flat[0] if len(flat) == 1 else torch.cat(flat)


def _split(buffer: torch.Tensor, like: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    if len(like) == 1:
        return [buffer.view(like[0].dtype)]
    sizes = [part.numel() * part.element_size() for part in like]
    pieces = zip(buffer.split(sizes), like, strict=True)
    return [_aligned(piece, part.element_size()).view(part.dtype) for piece, part in pieces]


def _aligned(piece: torch.Tensor, size: int) -> torch.Tensor:
    return piece if piece.storage_offset() % size == 0 else piece.clone()
