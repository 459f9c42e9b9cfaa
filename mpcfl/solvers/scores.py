"""How good a classifier is on rows that it was not trained on, from shares of their scores z = X w and labels.

All results are sums over rows, still shared: divide by the number of rows once they are revealed. So the scores of
several folds add up.
"""

from __future__ import annotations

import math

from mpcfl.protocols.inner import inner_product
from mpcfl.protocols.log_cosh import SCALE, log_cosh
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.steps import Words, steps
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share
from mpcfl.solvers.deviance import LOSS_SCALE, rounded

_UNDECIDED = 2.0**-13  # a row whose |z| is less may count as either class
_NEAR = 16  # more than `log_cosh` is near 0
_BITS = 61  # of a sum before its truncation


def correct(z: Share, y: Share) -> Protocol:
    """Number of rows (), scale 0, in which [z >= 0] is y; over the rows that is the accuracy.

    z (n,) at any scale; y (n,) 0 or 1, scale 0. Rows with |z| < 2^-13 count either way; HeadroomError unless
    |ring value| of z < 2^62 by its bound. Cost: 2 rounds, 17 bytes a row; offline 36 elements a row where z is bounded
    by 20, 40 by 2^6, 104 by 2^18.
    """
    hits, positives, predicted = yield from _counted(z, y)
    n = y.shape[0]
    return (hits * 2 - positives - predicted + float(n)).within(n)


def confusion(z: Share, y: Share) -> Protocol:
    """(true negatives, false positives, false negatives, true positives), () each, scale 0. Else as `correct`."""
    hits, positives, predicted = yield from _counted(z, y)
    n = y.shape[0]
    counts = (hits - positives - predicted + float(n), predicted - hits, positives - hits, hits)
    return tuple(count.within(n) for count in counts)


def log_loss(z: Share, y: Share) -> Protocol:
    """sum over rows of log(1 + e^z) - y z, (), at scale 20, wrong by less than 3e-5 a row.

    z (n,) at any scale, |ring value| < 2^61 by its bound; y (n,) 0 or 1, scale 0. Any size of z is right: no guard.
    Cost: 4 rounds (2 where z is bounded by 20) and 30 (20) bytes a row; offline as `log_cosh`. Where the sum would not
    fit the ring, z is truncated first: 1 round, 8 bytes and 2 elements a row more.
    """
    _require_labels(z, y)
    n = y.shape[0]
    room = _BITS - 1 - math.ceil(math.log2(2 * n * (z.bound + 1)))
    if z.scale > room:
        z = yield from truncation(z, z.scale - room)
    scale = min(SCALE, _BITS - math.ceil(math.log2(n * _NEAR)))
    (near, beyond), signed = yield from parallel(log_cosh(z, scale=scale), inner_product(z, y * -2 + 1.0))
    rest = beyond.sum(0) + signed.within(n * z.bound).divided_by_power(1)
    near, rest = yield from parallel(*[rounded(part, LOSS_SCALE) for part in (near.sum(0), rest)])
    return near + rest


def _counted(z: Share, y: Share) -> Protocol:
    """How many rows are predicted 1 and are, are 1, are predicted 1."""
    _require_labels(z, y)
    predicted, hits = yield from steps(z, [0], Words.of_error(z, [0], _UNDECIDED), y)
    return hits[:, 0].sum(0), y.sum(0), predicted[:, 0].sum(0)


def _require_labels(z: Share, y: Share) -> None:
    if y.scale != 0 or len(y.shape) != 1 or z.shape != y.shape:
        raise ValueError(f"scores (n,) and labels (n,) at scale 0 are needed, not {z.shape} and {y.shape}")
