"""How the owners' tensors become ring elements that can be added up: flat buffers, at scales that public bounds give.

Real tensors share one buffer at the largest scale at which the sum still fits, integers another at scale 0. For a
weighted mean all are real, at the largest scale that a product with a weight leaves, and the owner's weight follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from mpcfl.errors import DataError, HeadroomError, JobError
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input
from mpcfl.sharing.share import Share
from mpcfl.sharing.structure import Entry, Structure

SUM_BOUND = 2.0**20
MEAN_BOUND = 2.0**10
LARGEST_WEIGHT = 2.0**20
WEIGHT_RANGE = 2.0**30  # of the largest weight over the smallest
WEIGHT_SCALE = 24  # of a weight as a fraction of the sum of all

_RING_BITS = 61  # for a sum, and for a weighted mean before its truncation
_WEIGHT_BITS = 60  # for the sum of the weights
_MOST_SCALE = 52
_LEAST_SCALE = 8
_EXACT = 2**53  # integers up to here are what they were, as float64


@dataclass(frozen=True, slots=True)
class Flat:
    """How tensors of `owners` parties are laid out. `bound` and `largest`: of an element and of a weight, public."""

    owners: int
    weighted: bool
    bound: float
    largest: float

    @classmethod
    def of(cls, owners: int, weighted: bool, bound: float | None, largest: float) -> Flat:
        """JobError for bounds that are no bounds, or leave too little precision."""
        chosen = bound if bound is not None else MEAN_BOUND if weighted else SUM_BOUND
        for name, value in (("bound", chosen), ("largest_weight", largest)):
            if not (math.isfinite(value) and value > 0):
                raise JobError(f"{name} = {value} is not a positive number")
        flat = cls(owners, weighted, float(chosen), float(largest))
        if flat.scale < _LEAST_SCALE or flat.weight_scale < 0:
            name = "largest_weight" if flat.weight_scale < 0 else "bound"
            raise JobError(f"{name} leaves no bits after the point", hint="choose a smaller one")
        return flat

    @property
    def scale(self) -> int:
        """Of real tensors."""
        room = _RING_BITS - (_bits(self.bound) + WEIGHT_SCALE if self.weighted else _bits(self.bound * self.owners))
        return min(_MOST_SCALE, room)

    @property
    def weight_scale(self) -> int:
        """At which the sum of the weights fits 60 bits."""
        return min(_WEIGHT_BITS, _WEIGHT_BITS - _bits(self.largest * self.owners))

    def encode(
        self, structure: Structure, own: Mapping[str, torch.Tensor], weight: float | None
    ) -> dict[str, torch.Tensor]:
        """This owner's buffers by kind. DataError for NaN and infinity, HeadroomError for what exceeds its bound."""
        parts: dict[str, list[torch.Tensor]] = {}
        for entry in structure.entries:
            tensor, kind = own[entry.name].detach(), self._kind(entry)
            ring = _whole(tensor, entry, self.owners) if kind == "integers" else self._real(tensor, entry)
            parts.setdefault(kind, []).append(ring.reshape(-1).cpu())
        rings = {kind: torch.cat(part) for kind, part in parts.items()}
        if weight is not None:
            _check_weight(weight, self.largest)
            rings["weight"] = encode(torch.tensor([weight], dtype=torch.float64), self.weight_scale, name="weight")
        return rings

    def inputs(
        self, structure: Structure, owners: Sequence[int], rank: int, rings: Mapping[str, torch.Tensor]
    ) -> list[Input]:
        """All buffers of all owners; those of party `rank` with their content `rings`."""
        kinds = {"values": (self.scale, self.bound), "integers": (0, _EXACT / self.owners)}
        kinds["weight"] = (self.weight_scale, self.largest)
        counts = {"weight": 1} if self.weighted else {}
        for entry in structure.entries:
            counts[self._kind(entry)] = counts.get(self._kind(entry), 0) + entry.count
        return [
            Input(kind, owner, (count,), *kinds[kind], rings.get(kind) if owner == rank else None)
            for owner in owners
            for kind, count in counts.items()
        ]

    def cut(self, structure: Structure, totals: dict[str, Share]) -> Iterable[tuple[Entry, Share]]:
        """The entries that the buffers are made of, each in its shape."""
        places = dict.fromkeys(totals, 0)
        for entry in structure.entries:
            kind = self._kind(entry)
            start, places[kind] = places[kind], places[kind] + entry.count
            flat = totals[kind]
            yield entry, flat[start : places[kind]].reshape(*entry.shape) if entry.shape else flat[start]

    def _kind(self, entry: Entry) -> str:
        return "values" if self.weighted or entry.is_real else "integers"

    def _real(self, tensor: torch.Tensor, entry: Entry) -> torch.Tensor:
        limit = self.bound
        if entry.is_real and not self.weighted:
            limit = min(limit, torch.finfo(entry.dtype).max / self.owners)
        return encode(tensor, self.scale, bound=limit, name=entry.name)


def _bits(bound: float) -> int:
    """Bits before the point."""
    return math.ceil(math.log2(bound))


def _whole(tensor: torch.Tensor, entry: Entry, owners: int) -> torch.Tensor:
    """Integers as they are; refused where the sum over owners might leave their dtype, or 53 bits."""
    limit = min(torch.iinfo(entry.dtype).max, _EXACT) // owners
    ring = tensor.to(torch.int64)
    if ring.numel() and (int(ring.max()) > limit or int(ring.min()) < -limit):
        kind = str(entry.dtype).removeprefix("torch.")
        raise HeadroomError(
            f"{entry.name} holds an integer beyond {limit}: a sum over {owners} owners might not fit {kind}",
            hint="convert it to a wider integer, or to float64 if about 53 bits are enough",
        )
    return ring


def _check_weight(weight: float, largest: float) -> None:
    """No message repeats the weight: it is secret."""
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight <= 0:
        raise DataError("the weight is no positive number", hint="an owner without data takes no part")
    if weight > largest:
        raise HeadroomError(f"the weight is above largest_weight = {largest:g}", hint="raise it at all parties")
    if weight * WEIGHT_RANGE < largest:
        raise HeadroomError(
            f"the weight is below largest_weight / 2^30 = {largest / WEIGHT_RANGE:g} and would lose its precision",
            hint="multiply all weights by one factor, or choose a smaller largest_weight at all parties",
        )
