"""Derivatives that are piecewise linear in z, with a guard that counts the rows beyond a public range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.steps import Words, watched_steps
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, add_public
from mpcfl.solvers.objective import GUARD_SCALE

_FACTOR_BITS = 12
_TURNS = 6  # bits
_ERROR = 2.0**-9  # of z, within which of a kink the derivative is that of the other side


def predictor_bits(range: float, bound: float) -> int:
    """That z may have in front of its point, so that they are many turns, and a truncation holds f times a factor."""
    return max(_turn_bits(range) + _TURNS, math.ceil(math.log2(bound)) + _FACTOR_BITS + 3)


def _turn_bits(range: float) -> int:
    """Of a turn of z, of which the range is at most 3/8."""
    return math.ceil(math.log2(range * 8 / 3))


def bent(
    z: Share,
    kinks: Sequence[float],
    slopes: Sequence[int],
    *,
    offset: float,
    range: float,
    bound: float,
    bits: int,
    factor: float,
    slope: bool = False,
) -> Protocol:
    """(factor * f(z) at scale 2 bits, guard at scale bits + 16), z (n,) with |z| <= range where the guard is 0; with
    `slope`, and at no cost, factor * f'(z) at scale 2 bits besides. `bound`: of |f| on twice the range.

    f as in `piecewise_linear`. The guard is 1 for a row beyond the range, and a random element for one where words end.
    Cost: 3 rounds, 16 bytes and one for each kink and two more an element; offline that of `watched_steps`, and 2
    elements.
    """
    turn = _turn_bits(range)
    x = z.within(5 / 8 * 2.0**turn)
    places = [round(kink * 2.0**x.scale) for kink in (*kinks, -range, range)]
    count = len(kinks)
    words = Words.of_error(x, places, _ERROR, products=count)
    ones, parts, away = yield from watched_steps(x, places, words, products=count, turn=turn + x.scale)
    ring = x._ring * slopes[0]
    for k, (before, after) in enumerate(pairwise(slopes)):
        ring = ring + (parts._ring[..., k] - ones._ring[..., k] * places[k]) * (after - before)
    value = x._like(add_public(x.session, ring, round(offset * 2.0**x.scale)), bound)
    scaled = (value * round(factor * 2**_FACTOR_BITS)).divided_by_power(_FACTOR_BITS)
    result = yield from truncation(scaled, scaled.scale - 2 * bits)
    beyond = ones[..., count + 1] - ones[..., count] + 1.0
    scale = bits + GUARD_SCALE
    found = result, beyond.at_scale(scale) + away.divided_by_power(scale)
    if not slope:
        return found
    bends = [ones[..., k] * (after - before) for k, (before, after) in enumerate(pairwise(slopes))]
    steep = sum(bends[1:], bends[0]) + float(slopes[0])
    scaled = (steep * round(factor * 4.0**bits)).divided_by_power(2 * bits)
    return *found, scaled.within(1.001 * factor * max(map(abs, slopes)))
