"""log(2 cosh(z / 2)) of a secret, the even part of softplus: softplus(z) = log(1 + e^z) = z / 2 + log(2 cosh(z / 2)).

Its derivative is sigmoid(z) - 1/2, so its series of cosines is the one of the sigmoid (`mpcfl.protocols.harmonics`),
integrated term by term, and shares come out of one opening in the same way. Far from 0 the function is |z| / 2, which
no series follows for ever: so z is split into what lies within +-B, up to a rounding that does not matter because the
series is right beyond B too, and what sticks out on either side.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.steps import Words, steps
from mpcfl.ring.blank import blank
from mpcfl.ring.opened import logical_shift
from mpcfl.ring.waves import ANGLE_BITS, Coefficients, combine, tables
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public, zeros

SERIES = Series(16, 16)
_RIGHT = 20.0  # the integrated series is right up to here, by its symmetry about B
_LARGEST = 10.5
_SLACK = 1.0  # how wrong the split at +-B may be
SCALE = 38
_SETTLED = 30  # bits of a coefficient, so few that all machines agree on them


def log_cosh(z: Share, *, scale: int = SCALE) -> Protocol:
    """(near, beyond), z's shape, whose sum is log(2 cosh(z / 2)): wrong by less than 3e-5 at scale 38.

    near: at `scale`, not truncated, at most 10.5 in size; beyond: (|z| - 16) / 2 where that is positive, else 0, up to
    1/2, which near makes up for; at z's scale and one more. Any z with |ring value| < 2^61 by its bound.
    Cost: 1 round and 4 bytes each; offline 32 elements each. Where z's bound is above 20, 2 rounds, 10 bytes each and
    `steps` for words of error 1 more (16 elements each where z is bounded by 2^6, 56 by 2^18).
    """
    if z.bound <= _RIGHT:
        near = yield from _series(z, scale)
        return near, zeros(z.session, z.shape, scale=z.scale + 1)
    edge = SERIES.range << z.scale
    bits, parts = yield from steps(z, [-edge, edge], Words.of_error(z, [-edge, edge], _SLACK))
    low, high = (parts._ring[..., k] - bits._ring[..., k] * place for k, place in enumerate((-edge, edge)))
    middle = z._like(add_public(z.session, low - high, -edge), SERIES.range + _SLACK)
    beyond = z._like(add_public(z.session, low + high - z._ring, -edge), z.bound)
    near = yield from _series(middle, scale)
    return near, beyond.divided_by_power(1)


def _series(z: Share, scale: int) -> Protocol:
    session, shape, terms = z.session, z.shape, SERIES.terms
    recipe = Recipe("log cosh", [shape], [(2, terms, *shape)], lambda m: [tables(m[0], terms, scale // 2)])
    (r,), (shared,) = deal(session, recipe)
    drop = z.scale - SERIES.scale
    word = logical_shift(z._ring, drop) if drop > 0 else z._ring << -drop
    (delta,) = yield [Masked(Share(session, word - r, scale=SERIES.scale, bound=1.0), ANGLE_BITS, "log cosh")]
    value = blank(shape)
    if session.holds_shares:
        (value,) = combine(delta, shared, _coefficients(scale - scale // 2))
        value = add_public(session, value, round(_at_edge() * 2.0**scale))
    return Share(session, value, scale=scale, bound=_LARGEST)


@functools.cache
def _cosines() -> list[float]:
    """c_k of -sum_k c_k cos(2 pi k z / P), k odd: b_k P / (2 pi k) with the sigmoid's b_k, rounded to 2^-30."""
    period = 4 * SERIES.range
    integrated = SERIES.sigmoid() * period / (2 * math.pi * SERIES.odd())
    return list(np.round(integrated * 2.0**_SETTLED) / 2.0**_SETTLED)


@functools.cache
def _coefficients(scale: int) -> Coefficients:
    return Coefficients(np.empty((0, SERIES.terms)), np.array([_cosines()]) * -(2.0**scale))


def _at_edge() -> float:
    """The function at B, where all cosines vanish: B / 2 + log(1 + e^-B), of which 1e-7 do not matter."""
    return SERIES.range / 2
