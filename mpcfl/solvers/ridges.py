"""Other ridge penalties than the one that shared moments have: each at its own secret scale.

A penalty a (in units of a column's scaled mean square, of which v < 1 is there) makes the diagonal v + a: too long, and
too badly conditioned beside a weaker one, at the scale of v. With 4^g the first power of 4 that is not below 1 + a the
column is divided by 2^g more, which brings v + a to [1/16, 1). How large a is follows from the secret exponent of the
column, so g does too: a table, read in the round that reads the penalty.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.protocols.lookup import lookups
from mpcfl.protocols.product import congruence, product
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, concatenate, zeros

_TABLE = 128  # of e_j, which is from -63 to 63
SHRINK_BITS = GRAM_SCALE // 2
"""4^g is at most 2^30: beyond a penalty of 10^9 times what a column has, the weight is 0."""


def penalised(moments: Standardised, gram: Share, l2: float, shared: float) -> Protocol:
    """`moments` with this Gram matrix (D, D), of which `shared`, the penalty that was shared beside the mean of the
    squared errors, is exchanged for `l2`, which is no smaller, and with columns scaled for it.

    Means, powers and held-out rows stay as they were shared: `in_shared_units` takes coefficients there. Cost: 3
    rounds, 2 D^2 + D elements and d bytes, also for a penalty of 0: so no cost depends on which of several is the best.
    """
    d, session, shape = moments.features, gram.session, (1,)
    sizes = [(l2 - shared) * 4.0**-e for e in range(-_TABLE // 2, _TABLE // 2)]
    gaps = [math.ceil(math.log2(1 + size) / 2) for size in sizes]
    far = [gap > SHRINK_BITS for gap in gaps]
    tables = [
        [0 if gone else 1 << (SHRINK_BITS - gap) for gap, gone in zip(gaps, far, strict=True)],
        [
            round(2.0**GRAM_SCALE / d * (size * 4.0**-gap if not gone else 1.0))
            for size, gap, gone in zip(sizes, gaps, far, strict=True)
        ],
        gaps,
    ]
    places = moments.exponent[:d] + float(_TABLE // 2)
    powers, added, more = yield from lookups(places, torch.tensor(tables))
    shrink = Share(session, powers._ring, scale=SHRINK_BITS, bound=1.0)
    penalty = Share(session, added._ring, scale=GRAM_SCALE, bound=1.0 / d)
    own = zeros(session, shape, scale=SHRINK_BITS) + 1.0
    scaled = yield from congruence(gram, concatenate([shrink, own]))
    short = yield from truncation(scaled.within(gram.bound), GRAM_SCALE)
    diagonal = concatenate([penalty, zeros(session, shape, scale=GRAM_SCALE)]).reshape(1, -1)
    whole = short + diagonal.times(torch.eye(d + 1, dtype=torch.int64), bound=1.0)
    exponent = moments.exponent + concatenate([more, zeros(session, shape, scale=0)])
    return replace(moments, gram=whole.within(gram.bound), exponent=exponent, shrink=shrink)


def in_shared_units(moments: Standardised, coefficients: Share, *, short: bool = True) -> Protocol:
    """Coefficients (d,) for the columns as they were shared, at their scale, or longer unless `short`. Cost: none
    without a penalty of its own, else 1 round, 2 d elements, and 1 round, d elements to shorten them."""
    if moments.shrink is None:
        return coefficients
    whole = yield from product(coefficients, moments.shrink)
    return (yield from truncation(whole, SHRINK_BITS)) if short else whole
