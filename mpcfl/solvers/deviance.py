"""Deviances of Poisson and gamma regression with a log link, from shares of z = log(mean), of its exponential, and y.

Sums over rows, still shared, at scale 20: divide by the number of rows once they are revealed. What depends on the
targets alone is a sum that their owners compute and share; without it the result is the deviance but for a constant
that is the same for all models.
"""

from __future__ import annotations

import math

from mpcfl.protocols.inner import inner_product
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share

LOSS_SCALE = 20
_BITS = 61  # of a sum before its truncation


def poisson_deviance(z: Share, mean: Share, y: Share, own: Share | None = None) -> Protocol:
    """2 sum (y log(y / mean) - y + mean), (), of z, mean = exp(z) and counts y, (n,) at any scales.

    own: shared sum of y log y - y, (), at any scale. Cost: 2 rounds and 16 bytes a row, offline 1 element in all; where
    the sum would not fit the ring, z is truncated first (1 round, 8 bytes and 2 elements a row).
    """
    scores = yield from _sum_of_products(z, y)
    parts = [-scores, mean.sum(0), *([own] if own is not None else [])]
    return (yield from _doubled_sum(parts))


def gamma_deviance(z: Share, inverse: Share, y: Share, own: Share | None = None) -> Protocol:
    """2 sum (y / mean - 1 - log(y / mean)), (), of z, inverse = exp(-z) and y > 0, (n,) at any scales.

    own: shared sum of log y, (), at any scale. Cost: as `poisson_deviance`, with inverse in the place of z.
    """
    quotients = yield from _sum_of_products(inverse, y)
    parts = [quotients, z.sum(0) - float(z.shape[0]), *([-own] if own is not None else [])]
    return (yield from _doubled_sum(parts))


def _sum_of_products(x: Share, y: Share) -> Protocol:
    n = y.shape[0]
    room = _BITS - y.scale - math.ceil(math.log2(n * 1.001 * x.bound * y.bound))
    if x.scale > room:
        x = yield from truncation(x, x.scale - max(room, 0))
    return (yield from inner_product(x, y))


def _doubled_sum(parts: list[Share]) -> Protocol:
    first, *rest = yield from parallel(*[rounded(part, LOSS_SCALE) for part in parts])
    for part in rest:
        first = first + part
    return first * 2


def rounded(x: Share, scale: int) -> Protocol:
    """x at `scale`, up or down. Cost: 1 round, 1 element each, where that is down; offline 2 elements each."""
    if x.scale <= scale:
        return x.at_scale(scale)
    return (yield from truncation(x, x.scale - scale))
