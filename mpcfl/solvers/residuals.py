"""How good a regression is on rows that it was not trained on, from shares of its predictions and the targets.

For models whose rows are shared; those that know moments only have `mpcfl.solvers.quality`, and the same outputs.

Differences are rounded so that the sum of their squares fits the ring: to 2^-22 of their bound for n = 10^5, 2^-25 for
1000. Each is wrong by one unit of that at most, so that a bound which is much too large costs precision.
"""

from __future__ import annotations

import math

from mpcfl.protocols.inner import sum_of_squares
from mpcfl.protocols.leading_power import normalised
from mpcfl.protocols.product import product
from mpcfl.protocols.reciprocal import normalised_reciprocal, to_fraction
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.deviance import rounded
from mpcfl.solvers.quality import fit_for_output

_BITS = 61  # of a sum before its truncation
_MEAN_BITS = 18  # of 1 / n
_PART_BITS = 28  # of a mantissa that is multiplied by one of 30


def squared_error(z: Share, y: Share) -> Protocol:
    """(mantissa, exponent), (1,) each, of the *sum* of (y - z)^2, z and y (n,) at any scales: divide by n once it is
    revealed. Cost: 7 rounds, 16 bytes a row; offline 2 elements a row."""
    total, power = yield from _residuals(z, y)
    short = yield from fit_for_output(total)
    return (yield from normalised(short, zeros(z.session, (1,), scale=0) + float(power)))


def sum_of_squared_errors(z: Share, y: Share) -> Protocol:
    """(1,): the sum of (y - z)^2 in fixed point, z and y (n,) at any scales; of the same shapes, scales and bounds at
    the same scale. Cost: 2 rounds, or 3; 16 bytes a row."""
    total, power = yield from _residuals(z, y)
    return total._like(total._ring, total.bound * 2.0**power, total.scale - power)


def unexplained(z: Share, y: Share) -> Protocol:
    """(mantissa, exponent), (1,) each, of 1 - R^2: sum (y - z)^2 / sum (y - mean of y)^2; y must not be constant.

    z and y (n,) at any scales. 1 / n is rounded to 18 bits, so that the second sum is too large by up to
    n (2^-19 mean)^2. Both sums are brought to size before they are divided, so that it does not matter how far they are
    below their bounds. Cost: 15 rounds, 32 bytes a row; offline 4 elements a row.
    """
    (left, power), (whole, unit) = yield from parallel(_residuals(z, y), _spread(y))
    (part, place), (inverse, exponent) = yield from parallel(_mantissa(left), normalised_reciprocal(whole))
    ratio = yield from product(part, inverse)
    short = yield from fit_for_output(ratio)
    mantissa, exponent = yield from normalised(short, exponent + place)
    return mantissa, exponent + float(power - unit)


def _mantissa(v: Share) -> Protocol:
    """(mantissa, exponent) with v = mantissa 2^exponent, the mantissa in [1/4, 1] at scale 28 and 0 for v = 0. Five
    rounds."""
    fraction, places, bits = yield from to_fraction(v)
    short = yield from rounded(fraction, _PART_BITS)
    return short, -places + float(bits - v.scale)


def _residuals(z: Share, y: Share) -> Protocol:
    """((1,), power): their product with 2^power is the sum of (y - z)^2. Two rounds, or three."""
    if len(y.shape) != 1 or z.shape != y.shape:
        raise ValueError(f"predictions (n,) and targets (n,) are needed, not {z.shape} and {y.shape}")
    coarse, fine = sorted((z.scale, y.scale))
    if fine + math.log2(z.bound + y.bound) > _BITS:
        z, y = yield from parallel(rounded(z, coarse), rounded(y, coarse))
        fine = coarse
    difference, power = yield from _fitting(y.at_scale(fine) - z.at_scale(fine))
    total = yield from sum_of_squares(difference)
    return total.reshape(1), 2 * power


def _spread(y: Share) -> Protocol:
    """((1,), power): their product with 2^power is the sum of (y - mean of y)^2. Three rounds."""
    n = y.shape[0]
    y, power = yield from _fitting(y, 1)  # a bit for what the mean adds
    shift = math.ceil(math.log2(n)) + _MEAN_BITS
    weighted = (y.sum(0) * round(2**shift / n)).divided_by_power(shift)
    mean = yield from truncation(weighted.within(1.001 * y.bound), shift)
    total = yield from sum_of_squares((y - mean.expand(n)).within(2.01 * y.bound))
    return total.reshape(1), 2 * power


def _fitting(x: Share, spare: int = 0) -> Protocol:
    """(v, power) with x = v 2^power, v at a scale at which the sum of its squares times 4^spare fits the ring."""
    power = max(0, math.ceil(math.log2(x.bound)))
    x = x.divided_by_power(power)
    room = math.floor((_BITS - math.log2(x.shape[0])) / 2 - spare - math.log2(1.01 * x.bound))
    if x.scale > room:
        x = yield from truncation(x, x.scale - room)
    return x, power
