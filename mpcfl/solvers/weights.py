"""From scaled coefficients to weights on the scale of the data, ready to be revealed.

w_j = beta_j 2^(e_y - e_j), and the intercept is 2^e_y (m_y - sum_j beta_j m_j) with m_j the mean of column j divided by
2^e_j. Both leave as mantissa and exponent (`normalised`), so that no column's scale is revealed with them.
"""

from __future__ import annotations

import math

from mpcfl.data.standardised import MEAN_SCALE, Standardised
from mpcfl.protocols.leading_power import MAX_BITS, normalised
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, concatenate
from mpcfl.solvers.ridges import in_shared_units

_SUM_BITS = 61


def shared_weights(moments: Standardised, coefficients: Share) -> Protocol:
    """(mantissa, exponent), each (d,) or with the intercept last (d + 1,). Cost: 4 rounds, with intercept 8; 2
    more where the penalty has a scale of its own."""
    d = moments.features
    exponent = moments.exponent[d] - moments.exponent[:d]
    if moments.mean is None:
        return (yield from normalised(coefficients, exponent))
    intercept = yield from _intercept(moments, coefficients)
    (m, e), (m0, e0) = yield from parallel(
        normalised(coefficients, exponent), normalised(intercept.reshape(1), moments.exponent[d:])
    )
    return concatenate([m, m0]), concatenate([e, e0])


def sparse_weights(moments: Standardised, coefficients: Share, active: Share) -> Protocol:
    """The same, but exactly zero, exponent included, where `active` (d,), bits, is: how the size of a column compares
    with that of the target would be seen otherwise. Cost: a round more, 4 d elements."""
    d = moments.features
    mantissa, exponent = yield from shared_weights(moments, coefficients)
    m, e = yield from parallel(product(mantissa[:d], active), product(exponent[:d], active))
    return concatenate([m, mantissa[d:]]), concatenate([e, exponent[d:]])


def _intercept(moments: Standardised, coefficients: Share) -> Protocol:
    """(1,): m_y - sum_j (beta_j p_j) mean_j in units of 2^e_y; mean_j in units of 2^a_j, p_j = 2^(a_j - e_j).

    Both factors together are too long for the ring, so each is split: what a truncation keeps, and what it dropped,
    which is known to be short.
    """
    d, mean = moments.features, moments.mean
    if mean is None:
        raise ValueError("no intercept without means")
    coefficients = yield from in_shared_units(moments, coefficients)
    weighted, own = yield from parallel(product(coefficients, moments.power[:d]), product(mean[d:], moments.power[d:]))
    left = _SUM_BITS - math.ceil(math.log2(weighted.bound)) - math.ceil(math.log2(d))
    (w, w_rest), (m, m_rest) = yield from parallel(
        _split(weighted, left - left // 2), _split(mean[:d], min(left // 2, MEAN_SCALE - 1))
    )
    terms = yield from parallel(product(w, m), product(w, m_rest), product(w_rest, m))
    sums = [term.sum(0).reshape(1) for term in terms]
    sums[0] = sums[0].within(terms[0].bound * math.sqrt(d))  # the bound of the coefficients is of their length
    sums[0] = own.at_scale(sums[0].scale) - sums[0]
    scale = MAX_BITS - math.ceil(math.log2(sums[0].bound + 1))
    exact, *rests = yield from parallel(*[truncation(term, term.scale - scale) for term in sums])
    for rest in rests:
        exact = exact - rest
    return exact.within(sums[0].bound + 1)


def _split(x: Share, scale: int) -> Protocol:
    """(kept, rest) with x = kept + rest: kept at `scale`, and |rest| at most one unit of it."""
    kept = yield from truncation(x, x.scale - scale)
    return kept, (x - kept.at_scale(x.scale)).within(2.0**-scale)
