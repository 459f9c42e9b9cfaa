"""Area under the ROC curve of shared scores, by a histogram: linear in the rows, and nothing but the area leaves.

The area is the probability that a row of class 1 has a higher score than one of class 0, ties counting half. It does
not change when all scores are moved or scaled, so they are brought to a common size first: the mean is subtracted
(roughly) and the standard deviation brought to [1/2, 1) by a secret power of two. What lies more than four units out
is clipped, the rest falls into 512 bins a class, with the class as the tenth bit of the place, so that one histogram
counts both classes.
"""

from __future__ import annotations

import math

import torch

from mpcfl.protocols.floor import floor
from mpcfl.protocols.histogram import BINS, histogram
from mpcfl.protocols.inner import sum_of_squares
from mpcfl.protocols.leading_power import leading_power
from mpcfl.protocols.piecewise import clip
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.product import product
from mpcfl.protocols.ratio import ratio
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share

LARGEST = 120.0  # scores beyond it are all alike
_BITS = 61
_HALF = BINS // 2
_UNITS = 4  # standard deviations to either side (eight if it is 1/2)
_BINS_A_UNIT = _HALF // (2 * _UNITS)
_INSIDE = _UNITS - 1 / _BINS_A_UNIT  # room for clipping's error of half a bin
_FINEST = 24  # scale of the scores; less where the sum of their squares would not fit
_MEAN_BITS = 12  # of 1 / n


def area_under_curve(z: Share, y: Share) -> Protocol:
    """Area under the ROC curve (), scale 30; 0 if one class is missing.

    z (n,) at any scale, |ring value| < 2^62 by its bound; y (n,) 0 or 1, scale 0; n >= 2.
    Error: pairs of rows of both classes in one bin count half, as if their scores were equal, and a bin is 1/64 to 1/32
    of a standard deviation (one row in 65536 is a bin off; a deviation below 2^-12 for 10^5 rows, 2^-16 for 1000 is too
    small to be brought to size). Where scores spread over many bins, such pairs would have been right and wrong nearly
    as often, so the area is wrong by about 1e-4, or by a few pairs in small tables. Where most scores lie within a few
    bins it is wrong by up to half the share of such pairs (2e-3 was seen). Equal scores count half exactly.
    Cost: 22 rounds (24 where |z| may exceed 120), one more for each further 16384 rows, 45 (55) bytes a row; offline
    about 320 (350 to 390) elements a row.
    """
    if y.scale != 0 or len(y.shape) != 1 or z.shape != y.shape or y.shape[0] < 2:
        raise ValueError(f"two rows and labels (n,) at scale 0 are needed, not {z.shape} and {y.shape}")
    size = yield from _common_size(z)
    inside = yield from clip(size, _INSIDE, error=0.5 / _BINS_A_UNIT)
    low = size.scale - int(math.log2(_BINS_A_UNIT))
    places = yield from floor(inside + float(_UNITS), low)
    counts = yield from histogram(places + y * _HALF)
    n = y.shape[0]
    zeros, ones = counts[:_HALF], counts[_HALF:]
    lower = _sum_below(zeros)
    # twice the area: sum over bins of ones (2 zeros below + zeros in the bin)
    pairs, whole = yield from parallel(
        product(ones, lower * 2 + zeros), product(ones.sum(0).within(n), zeros.sum(0).within(n))
    )
    most = n * n / 4
    return (yield from ratio(pairs.sum(0).within(2 * most), (whole * 2).within(2 * most)))


def _common_size(z: Share) -> Protocol:
    """z moved and scaled so that its standard deviation is in [1/2, 1), at a scale of its own; equal scores stay equal.

    The sum of squares has no room for all bits of z, and is taken of rounded scores."""
    n = z.shape[0]
    bits = math.ceil(math.log2(n))
    if z.bound > LARGEST:
        z = yield from clip(z, LARGEST, error=0.5)
    edge = math.ceil(math.log2(2 * z.bound + 2))  # bits of what differs from the mean
    rough_scale = min((_BITS - bits) // 2 - edge, _FINEST)
    widest = math.sqrt(n) + 1  # no score can differ from the mean by more standard deviations
    finest = _BITS - edge - math.ceil(math.log2(widest + _UNITS))
    if z.scale > finest:
        z = yield from truncation(z, z.scale - finest)
    z = z.at_scale(max(z.scale, rough_scale))
    rough = z if z.scale == rough_scale else (yield from truncation(z, z.scale - rough_scale))
    mean = yield from _mean(rough, bits)
    deviations = (z - mean.at_scale(z.scale).expand(n)).within(2.0**edge)
    pinned = Pinned(deviations.reshape(n, 1))
    squares = sum_of_squares((rough - mean.expand(n)).within(2.0**edge))
    _, total = yield from parallel(pinned.opening(), squares)
    # variance against powers of four, of which the power of two that scales the scores is the root
    levels = torch.tensor([n << (2 * k) for k in range(edge + rough_scale - 1, -1, -1)])
    power, _, _ = yield from leading_power(total.reshape(1), levels, 1)
    scaled = yield from pinned.times(power)
    return Share(z.session, scaled._ring, scale=z.scale + edge, bound=widest)


def _mean(z: Share, bits: int) -> Protocol:
    """(), nearly: 1 / n is rounded to 12 bits."""
    shift = bits + _MEAN_BITS
    weighted = (z.sum(0) * round(2**shift / z.shape[0])).divided_by_power(shift)
    return (yield from truncation(weighted, shift))


def _sum_below(counts: Share) -> Share:
    """Element v: the sum of all elements before v."""
    size = counts.shape[0]
    before = torch.ones(size, size, dtype=torch.int64).triu(1)
    sums = counts.reshape(1, size).matmul_public(before, scale=0, bound=1.0)
    return sums.reshape(size).within(counts.bound)
