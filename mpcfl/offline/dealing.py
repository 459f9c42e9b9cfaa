"""Correlated randomness from a dealer: seeds for everybody, corrections for one.

A *recipe* says which uniform masks a protocol needs and which values depend on them. Each compute party expands its
share of the masks from the stream it has in common with the dealer. So does the dealer, for every party; it adds the
shares up, computes what depends on them, and sends to the last compute party the one share that cannot be expanded.

Dealer and parties meet the same requests in the same order because they run the same program. The dealer waits for
nobody: it runs ahead until the connection is full, so memory stays bounded on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add, sub, xor

import torch

from mpcfl.ring.blank import blank
from mpcfl.ring.prg import Draw
from mpcfl.world.session import Session

Shape = tuple[int, ...]
Tensors = list[torch.Tensor]
Combination = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LANES = {8: torch.int8, 16: torch.int16}
_FOR_GPUS = 1 << 26  # elements, 512 MB


@dataclass(frozen=True, slots=True)
class Recipe:
    """`masks`: shapes of uniform ring tensors. `derive(masks)`: the dealer computes what depends on them, `derived`
    being its shapes. `xor`: shares are combined by exclusive or instead of addition (CrypTen's binary sharing).
    `lane`: bits of a value, 8, 16 or 64; below 64 an element holds several, each shared by itself modulo 2^lane.
    `apart`: derive gets the masks of every compute party, one after the other, instead of their sums."""

    name: str
    masks: Sequence[Shape]
    derived: Sequence[Shape]
    derive: Callable[[Tensors], Tensors]
    xor: bool = False
    lane: int = 64
    apart: bool = False


def at_a_time(session: Session, elements: int) -> int:
    """How many elements a protocol has dealt at a time that may choose, at all parties alike: `elements`, which stay in
    a CPU's cache; among GPUs, where every piece costs its launches and memory is fast, as many as 512 MB hold."""
    return max(elements, _FOR_GPUS) if session.roster.gpus else elements


def deal(session: Session, recipe: Recipe) -> tuple[Tensors, Tensors]:
    """This party's shares of the masks and of the derived values, each a fresh one.

    Cost, offline: one message of sum(derived) elements from the dealer to the last compute party; 0 rounds online.
    """
    operation = session.next_operation()
    if session.dry_run:
        session.footprint.deals(recipe.name, recipe.masks, _count(recipe.masks), _count(recipe.derived))
    with session.phase("offline"), session.protocol(recipe.name):
        if session.is_dealer:
            correction = _correct(session, recipe, operation)
            if not session.is_compute:
                return _empty(recipe.masks), _empty(recipe.derived)
            return correction
        if not session.is_compute:
            return _empty(recipe.masks), _empty(recipe.derived)
        return _receive(session, recipe, operation)


def _receive(session: Session, recipe: Recipe, operation: int) -> tuple[Tensors, Tensors]:
    dealer, count = session.roster.dealer, _count(recipe.derived)
    awaited = session.rank == session.roster.last and count > 0
    if session.dry_run:
        masks, derived = _empty(recipe.masks), _empty(recipe.derived)
    else:
        draw = session.draw(dealer, operation)
        drawn = _elements(draw, [*recipe.masks, *([] if awaited else recipe.derived)])
        masks, derived = drawn[: len(recipe.masks)], drawn[len(recipe.masks) :]
    if awaited:
        flat = session.exchange({}, {dealer: ((count,), torch.int64)}, rounds=0, on_device=True)[dealer]
        derived = _shaped(flat, recipe.derived)
    return masks, derived


def _correct(session: Session, recipe: Recipe, operation: int) -> tuple[Tensors, Tensors]:
    """Deal: expand everybody's shares, derive, send the correction. Returns the dealer's own share in a simulation."""
    last, count = session.roster.last, _count(recipe.derived)
    combine, part = _arithmetic(recipe)
    own: tuple[Tensors, Tensors] = _empty(recipe.masks), _empty(recipe.derived)
    correction = blank((count,))
    if not session.dry_run:
        totals: Tensors = []
        every: Tensors = []
        rest: list[tuple[int, Draw]] = []
        for rank in session.roster.compute:
            draw = _own_draw(session) if rank == session.rank else session.draw(rank, operation)
            masks = _elements(draw, recipe.masks)
            totals = [combine(total, mask) for total, mask in zip(totals, masks, strict=True)] if totals else masks
            every += masks if recipe.apart else []
            if rank == session.rank:
                own = masks, _elements(draw, recipe.derived)
            elif rank != last:
                rest.append((rank, draw))
        derived = recipe.derive(every if recipe.apart else totals)
        if count:
            correction = _flat(derived)
            if session.is_compute:
                correction = part(correction, _flat(own[1]))
            # put together from several it is nobody else's, and new memory costs as much as the subtraction
            fresh = len(derived) > 1 and part is sub
            for _, draw in rest:
                drawn = draw.elements(count)
                correction = correction.sub_(drawn) if fresh else part(correction, drawn)
    if count:
        session.exchange({last: correction}, {}, rounds=0)
    return own


def _arithmetic(recipe: Recipe) -> tuple[Combination, Combination]:
    """How shares are put together, and one of them is taken away."""
    if recipe.xor:
        return xor, xor
    return (add, sub) if recipe.lane == 64 else (_by_lanes(add, recipe.lane), _by_lanes(sub, recipe.lane))


def _by_lanes(combination: Combination, bits: int) -> Combination:
    dtype = LANES[bits]

    def split(x: torch.Tensor) -> torch.Tensor:
        # as_strided: torch takes a tensor of at most one element for contiguous whatever its stride, and then cannot
        return x.reshape(-1).as_strided((x.numel(),), (1,)).view(dtype)

    def combine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return combination(split(a), split(b)).view(torch.int64).reshape(a.shape)

    return combine


def _own_draw(session: Session) -> Draw:
    """Only in an insecure simulation: the dealer's own share, under a key that nobody else needs."""
    from mpcfl.ring.prg import Stream, fresh_key

    return Stream(fresh_key(), session.device).operation(1)


def _elements(draw: Draw, shapes: Sequence[Shape]) -> Tensors:
    """All in one draw: the key stream goes on from one to the next."""
    return [draw.elements(shapes[0])] if len(shapes) == 1 else _shaped(draw.elements(_count(shapes)), shapes)


def _empty(shapes: Sequence[Shape]) -> Tensors:
    return [blank(shape) for shape in shapes]


def _count(shapes: Sequence[Shape]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _flat(tensors: Tensors) -> torch.Tensor:
    if len(tensors) == 1:
        return tensors[0].reshape(-1)
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _shaped(flat: torch.Tensor, shapes: Sequence[Shape]) -> Tensors:
    pieces = torch.split_with_sizes(flat, [math.prod(shape) for shape in shapes]) if shapes else ()
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]
