"""How good a classifier of more than two classes is on rows that it was not trained on: from shares of the scores of
every class and of labels, one column a class.

A row is predicted right where no class has a higher score than its own. So scores are compared with that one only, as
many as there are classes, and not in pairs.
"""

from __future__ import annotations

import math

import torch

from mpcfl.protocols.lookup import lookup
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.steps import Words, steps
from mpcfl.sharing.share import Share, require_headroom

MOST = 256  # classes
_UNDECIDED = 13  # bits: scores that differ by less than 2^-13 may be in either order
_BITS = 61  # of a score: a difference has one more


def correct_of_classes(z: Share, y: Share) -> Protocol:
    """Number of rows (), scale 0, whose own class has the highest score; over the rows that is the accuracy.

    z (n, K) at any scale; y (n, K), scale 0: 1 for the class of the row, else 0; K from 2 to 256. Where the highest
    scores of a row differ by less than 2^-13 it counts either way; HeadroomError unless |ring value| of z < 2^61 by its
    bound. Cost: 4 rounds, 25 bytes a score and 1 a row; offline a score 1 and what `steps` has for words of error
    2^-13 and twice the bound of z (40 where that is 2^6, 104 at 2^18), and a row K rounded up to a power of two.
    """
    if y.scale != 0 or len(y.shape) != 2 or z.shape != y.shape or not 1 < y.shape[1] <= MOST:
        raise ValueError(f"scores and labels (n, K) at scale 0 are needed, not {z.shape} and {y.shape}")
    n, classes = y.shape
    z = z.at_scale(max(z.scale, _UNDECIDED - 1))
    require_headroom(z, _BITS, "a score to be compared")
    own = yield from product(z, y)
    own = own.sum(1).within(z.bound)  # one of a row is not 0
    ahead = own.reshape(n, 1).expand(n, classes) - z
    # 0 for the own class, which wins against itself by as much as decides
    ahead = ahead + y.divided_by_power(_UNDECIDED - 1).at_scale(z.scale)
    wins, _ = yield from steps(ahead, [0], Words.of_error(ahead, [0], 2.0**-_UNDECIDED))
    lost = (-wins[..., 0].sum(1) + float(classes)).within(classes - 1)
    table = torch.zeros(1 << math.ceil(math.log2(classes)), dtype=torch.int64)
    table[0] = 1
    right = yield from lookup(lost, table)
    return right.sum(0).within(n)
