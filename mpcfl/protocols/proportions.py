"""Secret weights as fractions of their secret sum, to 54 bits: what a weighted mean multiplies by.

A result that is revealed shows its own rounding errors, and where these depend on the sum of the weights so does the
result. So the fractions are computed to far more bits than are kept, and rounded at random: what is kept depends on the
fractions alone, up to a probability of 2^(scale - 54).
"""

from __future__ import annotations

from mpcfl.protocols.leading_power import leading_power
from mpcfl.protocols.product import product
from mpcfl.protocols.reciprocal import as_fraction, fraction_bits, quarters, reciprocal
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, concatenate

WEIGHT_BITS = 60  # of the ring, for the sum of the weights
_START = 30  # bits of the reciprocal that the spline gives
_FINE = 61  # scale of a fraction before it is rounded
_ROUGH = 28  # bits of a fraction that its correction needs


def proportions(weights: Share, *, scale: int) -> Protocol:
    """w_i / sum(w), (M,), for w > 0 (M,) of which M times the bound has at most 60 bits in the ring; scale <= 50.

    Each is rounded to a neighbour at random, the last so that all add up to 1 exactly. Cost: 11 rounds and some 12
    elements each, besides a comparison of one element with 30 thresholds.
    """
    (count,) = weights.shape
    if count < 2 or not 0 < scale <= 50:
        raise ValueError(f"no proportions of {count} weights at scale {scale}")
    total = weights.sum(0).reshape(1)
    spare = WEIGHT_BITS - fraction_bits(total)
    if spare < 0:
        raise ValueError(f"a sum of weights of {WEIGHT_BITS - spare} bits is too long: {WEIGHT_BITS} at most")
    weights, total = weights.at_scale(weights.scale + spare), total.at_scale(total.scale + spare)
    power, _, _ = yield from leading_power(total, quarters(WEIGHT_BITS), 2)
    taken = as_fraction((yield from product(weights, power.expand(count))), WEIGHT_BITS)
    whole = taken.sum(0).reshape(1).within(1.0)  # in [1/4, 1], exact, and so are its parts

    high, inverse = yield from parallel(truncation(taken, WEIGHT_BITS - _FINE + _START), reciprocal(whole))
    low = (taken - high.at_scale(WEIGHT_BITS)).within(2.0**-high.scale)  # what the truncation dropped
    inverse = inverse.within(4.001).expand(count)
    first, rest = yield from parallel(product(high, inverse), product(low, inverse))
    first = first.within(1.001)
    rest, rough = yield from parallel(truncation(rest, rest.scale - _FINE), truncation(first, _FINE - _ROUGH))
    start = (first + rest).within(1.001)

    # start = w / sum(w) * (1 - error) with an error below 2^-28 that is the same for all: one step makes it its square
    error = (-start.sum(0) + 1.0).reshape(1).within(2.0**-28)
    correction = yield from product(rough, error.expand(count))
    correction = yield from truncation(correction, _ROUGH)
    fine = (start + correction).within(1.001)
    rounded = yield from truncation(fine[:-1], _FINE - scale)
    last = (-rounded.sum(0) + 1.0).reshape(1)
    return concatenate([rounded, last]).within(1.0 + count * 2.0**-scale)
