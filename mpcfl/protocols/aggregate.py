"""Secure aggregation: the sum or the weighted mean of the owners' tensors, of which nothing else is revealed.

The sum needs no correlated randomness: share, add, reveal. For the mean each owner shares its weight too; under MPC the
weights become fractions of their sum, and these multiply the tensors. Neither a weight nor their sum is revealed, nor
can the sum be read off the rounding errors of the result: the fractions are rounded at random to 24 bits, from many
more, and what they give is again rounded at random.

What a result says by itself it says: of two owners, each can subtract its own tensor from the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import torch

from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.proportions import proportions
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.flat import LARGEST_WEIGHT, WEIGHT_SCALE, Flat
from mpcfl.sharing.inputs import share_inputs
from mpcfl.sharing.reveal import default_receivers, reveal
from mpcfl.sharing.share import Share, concatenate
from mpcfl.sharing.structure import Entry, Structure, Tensors, agree_on_structure, named
from mpcfl.world.session import Session

_SLACK = 1.01  # by which rounding might exceed a bound


def aggregate(
    session: Session,
    tensors: Tensors | None = None,
    *,
    weight: float | None = None,
    to: Sequence[str] | None = None,
    bound: float | None = None,
    largest_weight: float = LARGEST_WEIGHT,
) -> torch.Tensor | dict[str, torch.Tensor] | None:
    """The sum of all owners' tensors, or their mean weighted by `weight`, with shapes and dtypes as they were.

    Called by every party. tensors: at a data owner a tensor, a dict of tensors or a `state_dict`, of one structure at
    all owners; None at a party that owns no data. weight: this owner's own, positive, at every owner or at none.
    to: names of the parties that learn the result (default: all that own data or compute); others get None.
    bound: public, no element is larger (default 2^20, with weights 2^10); largest_weight: likewise (default 2^20).

    Error of a sum: rounding to 61 bits, 2^-39 at the default bound with two owners; integers are exact, and limited so
    that the sum fits their dtype. Error of a mean: 2^-24 of the differences between each owner and the last, and
    rounding to 37 bits, 2^-26 at the default bound; integers are then rounded to the nearest.

    DataError: NaN, infinity, a dtype that does not add up, nothing to aggregate. HeadroomError: a value above its
    bound. AgreementError: owners bring different structures, or parties pass other arguments. All before anything is
    shared, naming the tensor.
    Cost of a sum: 2 rounds (1 where all owners compute), each element sent once by an owner who does not compute and
    once to each receiver; no dealing. A mean: 13 rounds more, each element opened once an owner and once more; offline
    3 elements each.
    """
    owners, receivers = session.roster.owners, _receivers(session, to)
    own = _own_structure(session, tensors, weight)
    rings: dict[str, torch.Tensor] = {}
    if own is not None and tensors is not None and not session.dry_run:
        rings = Flat.of(len(owners), weight is not None, bound, largest_weight).encode(own, named(tensors), weight)
    public = {"bound": bound, "largest_weight": largest_weight, "to": receivers, "owner's weight": weight is not None}
    structure, agreed = agree_on_structure(session, own, public)
    flat = Flat.of(len(owners), agreed["owner's weight"], bound, largest_weight)
    what = "weighted mean of" if flat.weighted else "sum of"
    with session.phase("online"):
        kinds: dict[str, list[Share]] = {}
        inputs = flat.inputs(structure, owners, session.rank, rings)
        for item, share in zip(inputs, share_inputs(session, inputs), strict=True):
            kinds.setdefault(item.name, []).append(share)
        if flat.weighted:
            totals = {"values": run(session, _mean(kinds["values"], kinds["weight"]))}
        else:
            totals = {kind: reduce(add, shares) for kind, shares in kinds.items()}
        results = {f"{what} {entry.name}": share for entry, share in flat.cut(structure, totals)}
        names = ", ".join(session.roster.names[rank] for rank in owners)
        values = reveal(results, to=receivers, reason=f"secure aggregation over {names}")
    if session.name not in receivers or session.dry_run:
        return None
    learnt = {entry.name: _restored(values[f"{what} {entry.name}"], entry) for entry in structure.entries}
    if tensors is not None:
        learnt = {name: learnt[name].to(tensor.device) for name, tensor in named(tensors).items()}
    return next(iter(learnt.values())) if structure.alone else learnt


def _receivers(session: Session, to: Sequence[str] | None) -> list[str]:
    if to is None:
        return default_receivers(session)
    if not to or isinstance(to, str):
        raise JobError("to names nobody", hint="give a list of parties, or leave it out")
    for name in to:
        session.roster.rank_of(name)
    return list(to)


def _own_structure(session: Session, tensors: Tensors | None, weight: float | None) -> Structure | None:
    if len(session.roster.owners) < 2:
        raise JobError("one data owner alone has nothing to aggregate: the result would be its tensor")
    if session.dry_run:
        return None if tensors is None else Structure.of(tensors)
    if session.rank in session.roster.owners:
        if tensors is None:
            raise JobError(f"{session.name} owns data and must bring tensors to aggregate")
        return Structure.of(tensors)
    if tensors is not None or weight is not None:
        raise JobError(
            f"{session.name} owns no data: its tensors would not count", hint="pass neither tensors nor weight"
        )
    return None


def _mean(tensors: list[Share], weights: list[Share]) -> Protocol:
    """Of (n,) each, weighted by (1,) each. 13 rounds."""
    columns = Pinned(concatenate([tensor.reshape(-1, 1) for tensor in tensors], dim=1))
    factors, _ = yield from parallel(proportions(concatenate(weights), scale=WEIGHT_SCALE), columns.opening())
    mean = yield from columns.times(factors)
    return (yield from truncation(mean.within(tensors[0].bound * _SLACK), WEIGHT_SCALE))


def _restored(value: torch.Tensor, entry: Entry) -> torch.Tensor:
    return value.to(entry.dtype) if entry.is_real else value.round().to(entry.dtype)
