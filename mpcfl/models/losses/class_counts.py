"""How many rows each class has, shared; and whether every class occurs at all, one bit each."""

from __future__ import annotations

import numpy as np
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.source import Source
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session

COUNTS = "rows of class 1"
COUNTS_OF_EACH = "rows of each class"


def counts_of(session: Session, facts: Facts, own: Source | None, classes: int) -> Share:
    """Training rows of the joint table by label, scale 0: (1,) of label 1 where `classes` is 1, as a loss of two
    classes has it; else (classes,) of each. Cost: 1 round where an owner does not compute."""
    labels = np.array([1]) if classes == 1 else np.arange(classes)
    inputs = []
    for rank in (facts.holders[-1],) if facts.holders else facts.owners:
        ring = None
        if own is not None and rank == session.rank:
            place = own.columns.index(facts.target)
            values = np.concatenate([block[:, place] for block in own.chunks()])[~facts.held_out_of(rank)]
            found = np.bincount(values[np.isin(values, labels)].astype(np.int64), minlength=labels[-1] + 1)
            ring = torch.from_numpy(found[labels])
        inputs.append(Input(COUNTS, rank, (len(labels),), 0, float(facts.training_rows), ring))
    total, *others = share_inputs(session, inputs)
    for other in others:
        total = total + other
    return total.within(float(facts.training_rows))


def every_class_occurs(counts: Share, rows: int) -> Protocol:
    """Of two classes one bit (1,): neither 0 nor all of the rows are of class 1. Else (classes,): a bit for each.
    Cost: 3 rounds."""
    if counts.shape == (1,):
        reached = yield from at_least(counts, torch.tensor([1, rows]))
        return reached[..., 0] - reached[..., 1]
    reached = yield from at_least(counts, torch.tensor([1]))
    return reached[..., 0]
