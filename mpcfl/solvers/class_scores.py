"""How good a classifier of more than two classes is on rows that it was not trained on: from shares of the scores of
every class and of labels, one column a class.

A row is predicted right where no class has a higher score than its own. So scores are compared with that one only, as
many as there are classes, and not in pairs. There is no log loss: it takes the logarithm of a sum of sigmoids, which is
near 0 in a row that no class claims, and an error there is as large as one likes.
"""

from __future__ import annotations

import math

import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.lookup import lookup
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.steps import Words, steps
from mpcfl.sharing.share import Share, concatenate, require_headroom
from mpcfl.solvers.ranking import area_under_curve

MOST = 256  # classes
_UNDECIDED = 13  # bits: scores that differ by less than 2^-13 may be in either order
_BITS = 61  # of a score: a difference has one more


def correct_of_classes(z: Share, y: Share) -> Protocol:
    """Number of rows (), scale 0, whose own class has the highest score; over the rows that is the accuracy.

    z (n, K) at any scale; y (n, K), scale 0: 1 for the class of the row, else 0; K from 2 to 256. Where the highest
    scores of a row differ by less than 2^-13 it counts either way; HeadroomError unless |ring value| of z < 2^61 by its
    bound. Cost: 4 rounds, 25 bytes a score and 1 a row; offline a score 1 and what `steps` has for bits of error
    2^-13 and twice the bound of z (28 where that is 2^6, 72 at 2^18), and a row K rounded up to a power of two.
    """
    _require_columns(z, y)
    n, classes = y.shape
    z = z.at_scale(max(z.scale, _UNDECIDED - 1))
    require_headroom(z, _BITS, "a score to be compared")
    own = yield from product(z, y)
    own = own.sum(1).within(z.bound)  # one of a row is not 0
    ahead = own.reshape(n, 1).expand(n, classes) - z
    # 0 for the own class, which wins against itself by as much as decides
    ahead = ahead + y.divided_by_power(_UNDECIDED - 1).at_scale(z.scale)
    words = Words.of_error(ahead, [0], 2.0**-_UNDECIDED, products=0)
    wins, _ = yield from steps(ahead, [0], words, products=0)
    lost = (-wins[..., 0].sum(1) + float(classes)).within(classes - 1)
    right = yield from _is_zero(lost, classes)
    return right.sum(0).within(n)


def areas_of_classes(z: Share, y: Share) -> Protocol:
    """Sum over the classes of the area under the curve of a class against the rest, by its own scores, (), scale 30; 0
    if a class is missing. Divided by K it is scikit-learn's macro average of one column a class.

    z and y (n, K) as in `correct_of_classes`, n >= 2. Error: of each area as of `area_under_curve`. Cost: its rounds
    and one more, its bytes for every class; to notice a missing class 11 bytes each, 72 elements offline.
    """
    _require_columns(z, y)
    classes = y.shape[1]
    areas = [area_under_curve(z[:, k], y[:, k]) for k in range(classes)]
    *found, all_there = yield from parallel(*areas, _all_occur(y))
    total = concatenate([area.reshape(1) for area in found]).sum(0)
    return (yield from product(total, all_there))


def _all_occur(y: Share) -> Protocol:
    """Bit (): each column has a row. Four rounds."""
    n, classes = y.shape
    there = yield from at_least(y.sum(0).within(n), torch.ones(1, dtype=torch.int64))
    missing = (-there[:, 0].sum(0) + float(classes)).within(classes - 1)  # no row is of no class
    return (yield from _is_zero(missing.reshape(1), classes)).reshape(1)[0]


def _is_zero(count: Share, below: int) -> Protocol:
    """Bits [count = 0] of counts less than `below`. One round."""
    table = torch.zeros(1 << math.ceil(math.log2(below)), dtype=torch.int64)
    table[0] = 1
    return (yield from lookup(count, table))


def _require_columns(z: Share, y: Share) -> None:
    if y.scale != 0 or len(y.shape) != 2 or z.shape != y.shape or not 1 < y.shape[1] <= MOST:
        raise ValueError(f"scores and labels (n, K) at scale 0 are needed, not {z.shape} and {y.shape}")
