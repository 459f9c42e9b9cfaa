"""What tensors the owners bring: names, shapes and dtypes, public and equal at all of them, agreed before any sharing.

A structure is the layout of one flat buffer: all entries, by name, real ones (floating point) or whole ones (integers).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mpcfl.errors import AgreementError, DataError
from mpcfl.world.session import Session

Tensors = torch.Tensor | Mapping[str, torch.Tensor]

_ONLY = "tensor"  # the name of a tensor that comes alone
_WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor: what is public of it."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def is_real(self) -> bool:
        return self.dtype.is_floating_point


@dataclass(frozen=True, slots=True)
class Structure:
    """Entries in the order of their names; `alone`: one tensor, not a dict."""

    entries: tuple[Entry, ...]
    alone: bool

    @classmethod
    def of(cls, tensors: Tensors) -> Structure:
        """The structure of what an owner brings; DataError names what cannot be aggregated."""
        items = named(tensors)
        if not items:
            raise DataError("there is nothing to aggregate: the dict of tensors is empty")
        entries = [_entry(name, items[name]) for name in sorted(items, key=str)]
        if not any(entry.count for entry in entries):
            raise DataError("there is nothing to aggregate: no tensor has an element")
        return cls(tuple(entries), isinstance(tensors, torch.Tensor))

    def as_json(self) -> dict[str, Any]:
        entries = [[e.name, list(e.shape), str(e.dtype).removeprefix("torch.")] for e in self.entries]
        return {"alone": self.alone, "entries": entries}

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Structure:
        entries = [Entry(name, tuple(shape), getattr(torch, dtype)) for name, shape, dtype in table["entries"]]
        return cls(tuple(entries), bool(table["alone"]))


def named(tensors: Tensors) -> dict[str, torch.Tensor]:
    """The tensors by name, in their own order."""
    if not isinstance(tensors, Mapping | torch.Tensor):
        raise DataError(
            f"{type(tensors).__name__} cannot be aggregated", hint="give a tensor, a dict of tensors or a state_dict"
        )
    return {_ONLY: tensors} if isinstance(tensors, torch.Tensor) else dict(tensors)


def agree_on_structure(
    session: Session, own: Structure | None, settings: Mapping[str, Any]
) -> tuple[Structure, dict[str, Any]]:
    """The structure that all owners bring, and the settings of the first owner.

    `own`: None at parties without data. `settings`: names starting with "owner's" are compared between owners, all
    others between all parties. AgreementError names the tensor or setting and two parties. Cost: that of `publish`;
    nothing in a dry run, where `own` is the structure.
    """
    if session.dry_run:
        if own is None:
            raise ValueError("a dry run needs the tensors, or tensors of the same shapes, at every party")
        return own, dict(settings)
    message = {"settings": dict(settings), "structure": own.as_json() if own else None}
    heard = [json.loads(data) for data in session.publish(json.dumps(message).encode())]
    owners, names = session.roster.owners, session.roster.names
    first = owners[0]
    for rank, other in enumerate(heard):
        for key, value in heard[first]["settings"].items():
            if (rank in owners or not key.startswith("owner's")) and other["settings"][key] != value:
                raise AgreementError(f"{names[first]} and {names[rank]} pass different values of {key}")
    structures = {rank: Structure.from_json(heard[rank]["structure"]) for rank in owners}
    for rank in owners[1:]:
        _compare(structures[first], structures[rank], names[first], names[rank])
    return structures[first], heard[first]["settings"]


def _entry(name: Any, tensor: Any) -> Entry:
    if not isinstance(name, str):
        raise DataError(f"tensors are named by strings, not by {type(name).__name__}")
    if not isinstance(tensor, torch.Tensor):
        raise DataError(f"'{name}' is no tensor but {type(tensor).__name__}", hint="leave it out of the dict")
    if tensor.layout is not torch.strided:
        raise DataError(f"'{name}' is a sparse tensor", hint="make it dense by .to_dense()")
    if not (tensor.dtype.is_floating_point or tensor.dtype in _WHOLE):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise DataError(f"'{name}' holds {kind}: only real numbers and signed integers add up", hint="convert it")
    return Entry(name, tuple(tensor.shape), tensor.dtype)


def _compare(a: Structure, b: Structure, first: str, second: str) -> None:
    if a.alone != b.alone:
        one, many = (first, second) if a.alone else (second, first)
        raise AgreementError(f"{one} brings one tensor, {many} a dict of tensors")
    mine, theirs = ({entry.name: entry for entry in structure.entries} for structure in (a, b))
    for name in sorted(mine.keys() ^ theirs.keys()):
        one, other = (first, second) if name in mine else (second, first)
        raise AgreementError(f"{one} brings '{name}', which {other} lacks")
    for name, entry in mine.items():
        _same(name, "shape", entry.shape, theirs[name].shape, (first, second))
        _same(name, "dtype", entry.dtype, theirs[name].dtype, (first, second))


def _same(name: str, what: str, a: Any, b: Any, who: Sequence[str]) -> None:
    if a != b:
        raise AgreementError(f"'{name}' has {what} {a} at {who[0]} and {b} at {who[1]}")
