"""How many rows each class has, shared; and whether both classes occur at all, which is one bit."""

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


def ones_of(session: Session, facts: Facts, own: Source | None) -> Share:
    """(1,), scale 0: training rows of the joint table whose label is 1. Cost: 1 round where an owner does not
    compute."""
    inputs = []
    for rank in (facts.holders[-1],) if facts.holders else facts.owners:
        ring = None
        if own is not None and rank == session.rank:
            place = own.columns.index(facts.target)
            labels = np.concatenate([block[:, place] for block in own.chunks()])[~facts.held_out_of(rank)]
            ring = torch.tensor([int((labels == 1).sum())])
        inputs.append(Input(COUNTS, rank, (1,), 0, float(facts.training_rows), ring))
    total, *others = share_inputs(session, inputs)
    for other in others:
        total = total + other
    return total.within(float(facts.training_rows))


def both_occur(ones: Share, rows: int) -> Protocol:
    """Bit (1,): neither 0 nor all of the rows are of class 1. Cost: 3 rounds."""
    reached = yield from at_least(ones, torch.tensor([1, rows]))
    return reached[..., 0] - reached[..., 1]
