"""Least squares with an l1 penalty on shared moments: the problem, its thresholds, and who is beyond them.

In near-correlation form (`mpcfl.data.standardised`) the objective of scikit-learn's Lasso and ElasticNet is, up to a
factor, 1/2 b.T G b - h.T b + sum_j t_j |b_j|. The l2 part of the penalty is in G. The l1 part is on the scale of the
data as given, so with w_j = b_j 2^(e_y - e_j) each column has a threshold of its own, t_j = l1 2^-(e_j + e_y) / d,
which is as secret as the exponents: a table read at a secret place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.protocols.lookup import lookup
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.steps import Words, steps
from mpcfl.sharing.share import Share, concatenate

_TABLE = 256  # of e_j + e_y, which is from -126 to 126


@dataclass(frozen=True, slots=True)
class Problem:
    """gram (d, d), pinned; linear (d,), thresholds (d,): shared, at scale 30, and each element at most 1/d."""

    gram: Pinned
    linear: Share
    thresholds: Share

    @property
    def features(self) -> int:
        return self.linear.shape[0]


def thresholds(moments: Standardised, l1: float, *, scale: int = GRAM_SCALE, raised: int = 0) -> Protocol:
    """(d,) t_j 2^raised at `scale`, and no more than 2^raised / d: |h_j| < 1/d, so that larger ones say no more.

    l1: what multiplies sum_j |w_j| beside |y - X w|^2 / 2n. Cost: 1 round, 1 byte each; offline 256 elements each.
    """
    d = moments.features
    unit = 2.0 ** (raised + scale) / d
    sizes = [min(1.0, l1 * 2.0**-exponent) for exponent in range(-_TABLE // 2, _TABLE // 2)]
    table = torch.tensor([round(unit * size) for size in sizes])
    places = moments.exponent[:d] + moments.exponent[d:].expand(d) + float(_TABLE // 2)
    found = yield from lookup(places, table)
    return Share(found.session, found._ring, scale=scale, bound=2.0**raised / d)


def sides(v: Share, t: Share, error: float) -> Protocol:
    """Bits (2, d), [v >= t] and [-v >= t], never both, for v and t (d,) at one scale.

    A bit may be wrong where |v| is nearer to t than 2 error (real). Cost: 2 rounds, 18 bytes each.
    """
    both, words = beyond(v, t, error)
    bits, _ = yield from steps(both, [0], words, products=0)
    return bits.reshape(2, v.shape[0])


def beyond(v: Share, t: Share, error: float) -> tuple[Share, Words]:
    """(2 d,): v - t and -v - t, so far apart that not both bits [>= 0] can be set within words of this error."""
    gap = 2.0 ** (Words.of_error(v, [0], error).drop - v.scale)  # each bit is wrong within half of it
    both = concatenate([v - t, -v - t - gap])
    return both, Words.of_error(both, [0], error, products=0)
