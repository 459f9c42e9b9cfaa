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
from operator import add, xor

import torch

from mpcfl.ring.blank import blank
from mpcfl.ring.prg import Draw
from mpcfl.world.session import Session

Shape = tuple[int, ...]
Tensors = list[torch.Tensor]
_LANES = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}
_FOR_GPUS = 1 << 26  # elements, 512 MB


@dataclass(frozen=True, slots=True)
class Recipe:
    """`masks`: shapes of uniform ring tensors. `derive(masks)`: the dealer computes what depends on them, `derived`
    being its shapes. `xor`: shares are combined by exclusive or instead of addition (CrypTen's binary sharing).
    `lanes`: bits of a value of each of `derived`, 8, 16, 32 or 64, all 64 without; below 64 an element holds several,
    each shared by itself modulo 2^lane.
    `apart`: derive gets the masks of every compute party, one after the other, instead of their sums."""

    name: str
    masks: Sequence[Shape]
    derived: Sequence[Shape]
    derive: Callable[[Tensors], Tensors]
    xor: bool = False
    lanes: Sequence[int] = ()
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
    combine = xor if recipe.xor else add
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
            # put together from several it is nobody else's, and new memory costs as much as the subtraction
            fresh = len(derived) > 1
            if session.is_compute:
                correction, fresh = _without(_flat(own[1]), correction, recipe, fresh), True
            for _, draw in rest:
                correction, fresh = _without(draw.elements(count), correction, recipe, fresh), True
    if count:
        session.exchange({last: correction}, {}, rounds=0)
    return own


def _without(share: torch.Tensor, whole: torch.Tensor, recipe: Recipe, fresh: bool) -> torch.Tensor:
    """The whole less a share, both flat; in its own memory if it is `fresh`."""
    if recipe.xor:
        return whole ^ share
    if not recipe.lanes:
        return whole.sub_(share) if fresh else whole - share
    whole = whole if fresh else whole.clone()
    sizes = [math.prod(shape) for shape in recipe.derived]
    for left, right, lane in zip(whole.split(sizes), share.split(sizes), recipe.lanes, strict=True):
        _in_lanes(left, lane).sub_(_in_lanes(right, lane))
    return whole


def _in_lanes(flat: torch.Tensor, bits: int) -> torch.Tensor:
    # as_strided: torch takes a tensor of at most one element for contiguous whatever its stride, and then cannot
    return flat.as_strided((flat.numel(),), (1,)).view(_LANES[bits])


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
