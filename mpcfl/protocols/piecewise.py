"""Continuous piecewise linear functions of a secret, in two rounds.

f(x) = s_0 x + c + sum_k (s_k - s_{k-1}) max(x - theta_k, 0), and max(x - theta, 0) = [x >= theta] (x - theta).
Because f is continuous, a wrong bit costs only the distance between x and theta, so the bit is found in short words.

The unit of a 16-bit word (the default) is at most 2^-14 of (bound of x + largest |kink|), and a bit can be wrong within
half a unit of its kink: there, and only there, f is wrong, by at most |s_k - s_{k-1}| times half a unit. A bound that
is needlessly large costs precision near the kinks. `error` asks for a certain one, and pays for it offline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.steps import Words, steps
from mpcfl.sharing.share import Share, add_public

_BITS = 16


def piecewise_linear(
    x: Share, kinks: Sequence[float], slopes: Sequence[int], *, offset: float = 0.0, error: float | None = None
) -> Protocol:
    """f(x), at x's scale: slopes[0] * x + offset left of the first kink, slopes[k] right of kinks[k - 1], continuous.

    kinks: K real numbers, rising; slopes: K + 1 integers. Exact in the ring (kinks and offset rounded to x's scale),
    except that within `error` (real) of kink k it may be off by |slopes[k] - slopes[k - 1]| times the distance from the
    kink. error None: words of 16 bits, error = 2^-15 (bound + largest |kink|) or less. Exact if x has 15 bits or less.

    HeadroomError: |x - kink| might reach 2^62. Cost: 2 rounds, 8 + K bytes an element of x; offline at 16 bits 28
    elements each for one kink, 44 for two, else words.elements + 2 K words.half of `mpcfl.protocols.steps`
    (one kink: 20 at 12 bits, 46 at 20, 60 at 24, 112 at 32).
    """
    if not kinks or len(slopes) != len(kinks) + 1 or any(b < a for a, b in pairwise(kinks)):
        raise ValueError("a piecewise linear function needs rising kinks and one slope more than kinks")
    if error is not None and not error > 0:
        raise ValueError("the error must be more than 0")
    unit = 2.0**-x.scale
    places, start = [round(kink / unit) for kink in kinks], round(offset / unit)
    words = Words.of_bits(x, places, _BITS) if error is None else Words.of_error(x, places, error)
    bits, parts = yield from steps(x, places, words)
    turns = [after - before for before, after in pairwise(slopes)]
    ring = x._ring * slopes[0]
    for k, (turn, place) in enumerate(zip(turns, places, strict=True)):
        ring = ring + (parts._ring[..., k] - bits._ring[..., k] * place) * turn
    wrong = sum(map(abs, turns)) * 2.0 ** (words.drop - 1) * unit if words.drop else 0.0
    largest = _largest(x.bound, [place * unit for place in places], slopes, start * unit)
    return x._like(add_public(x.session, ring, start), largest + wrong)


def positive_part(x: Share, *, error: float | None = None) -> Protocol:
    """max(x, 0). Cost and error: `piecewise_linear` with one kink."""
    return (yield from piecewise_linear(x, [0.0], [0, 1], error=error))


def soft_threshold(x: Share, t: float, *, error: float | None = None) -> Protocol:
    """sign(x) max(|x| - t, 0), t >= 0 public. Cost and error: `piecewise_linear` with two kinks."""
    _require_not_negative(t)
    return (yield from piecewise_linear(x, [-t, t], [1, 0, 1], offset=t, error=error))


def clip(x: Share, t: float, *, error: float | None = None) -> Protocol:
    """x where |x| <= t, else sign(x) t, t >= 0 public. Cost and error: `piecewise_linear` with two kinks."""
    _require_not_negative(t)
    return (yield from piecewise_linear(x, [-t, t], [0, 1, 0], offset=-t, error=error))


def _require_not_negative(t: float) -> None:
    if not 0 <= t < math.inf:
        raise ValueError("a threshold must be a real number of at least 0")


def _largest(bound: float, kinks: Sequence[float], slopes: Sequence[int], offset: float) -> float:
    """max |f| on [-bound, bound]: at an end or at a kink."""

    def f(x: float) -> float:
        turns = zip(kinks, pairwise(slopes), strict=True)
        return slopes[0] * x + offset + sum((b - a) * max(x - kink, 0.0) for kink, (a, b) in turns)

    places = [-bound, bound, *(kink for kink in kinks if abs(kink) < bound)]
    return max(abs(f(place)) for place in places)
