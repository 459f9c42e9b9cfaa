"""How good the shared solution is: error on held-out rows, and variances of the coefficients. All still shared.

Mean squares are in units of 4^e_y / d, like the last diagonal element of the scaled Gram matrix.
"""

from __future__ import annotations

import math

from mpcfl.data.standardised import TEST_SLACK, Standardised
from mpcfl.protocols.leading_power import MAX_BITS, normalised
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.product import product
from mpcfl.protocols.reciprocal import normalised_reciprocal
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, concatenate, zeros
from mpcfl.solvers.ridges import in_shared_units
from mpcfl.solvers.solution import Solution

_BITS = 61


def squared_error(moments: Standardised, coefficients: Share, slack: int = TEST_SLACK) -> Protocol:
    """(1,): c^T T c with c = (-beta, 1) and T the Gram matrix of the held-out rows. Right to about 2^-14 of the
    target's mean square: the bounds of T, 2^slack / d, and beta leave no more of the ring.

    Cost: 4 rounds, D^2 + 5 D elements; a round more where the penalty has a scale of its own."""
    gram, session = moments.test, coefficients.session
    if gram is None:
        raise ValueError("no rows were held out")
    d = moments.features
    coefficients = yield from in_shared_units(moments, coefficients, short=False)
    one = zeros(session, (1,), scale=coefficients.scale) + 1.0
    c = concatenate([-coefficients, one])
    length = math.sqrt(d) * coefficients.bound + 1  # the bound is of |beta|, so sum |c_j| <= sqrt(d) |beta| + 1
    image = 2.0**slack / d * length
    whole = image * length
    bits = _BITS - math.ceil(math.log2(whole))  # of c and its image together; T c is small where the model is good
    c = yield from _at_most(c, min(bits // 2 - 2, _BITS - gram.scale - math.ceil(math.log2(image))))
    pinned = Pinned(gram)
    _, image_of_c = yield from parallel(pinned.opening(), pinned.times(c))
    scale = min(image_of_c.scale - 1, bits - c.scale)
    image_of_c = yield from truncation(image_of_c.within(image), image_of_c.scale - scale)
    terms = yield from product(c, image_of_c)
    return terms.sum(0).reshape(1).within(whole)


def mean_squared_error(moments: Standardised, error: Share) -> Protocol:
    """(mantissa, exponent), (1,) each, of the mean squared error divided by d, on the scale of the data."""
    short = yield from fit_for_output(error)
    return (yield from normalised(short, moments.exponent[-1:] * 2))


def unexplained(moments: Standardised, error: Share) -> Protocol:
    """(mantissa, exponent), (1,) each, of 1 - R^2: the error over the held-out target's mean square about its mean."""
    target = moments.test_target
    if target is None:
        raise ValueError("no rows were held out")
    return (yield from quotient(error, target, moments.features))


def quotient(error: Share, whole: Share, features: int) -> Protocol:
    """(mantissa, exponent) of error / whole, whole > 0, both about 1 / features whatever their bounds. |ring value|
    < 2^62 by the bounds. Cost: 14 rounds at most."""
    inverse, exponent = yield from normalised_reciprocal(whole)
    left = _BITS - math.ceil(math.log2(error.bound)) - math.ceil(math.log2(inverse.bound))
    bits = left // 2 + math.ceil(math.log2(4 * features)) // 2  # error is as much smaller than the inverse
    error = yield from _at_most(error, bits)
    inverse = yield from _at_most(inverse, left - bits)
    ratio = yield from product(error, inverse)
    short = yield from fit_for_output(ratio)
    return (yield from normalised(short, exponent))


def variances(moments: Standardised, solution: Solution) -> Protocol:
    """(mantissa, exponent), (d,) each: variance of every coefficient times (rows - parameters)."""
    d, inverse, beta = moments.features, solution.inverse, solution.coefficients
    if inverse is None:
        raise ValueError("variances need the inverse")
    h, own = moments.gram[:d, d], moments.gram[d, d].reshape(1)
    explained = (yield from product(beta, h)).sum(0).reshape(1)
    # what a projection explains is at most what there is: below 1 / d
    rest = (own.at_scale(explained.scale) - explained).within(1.0 / d)
    diagonal = inverse.diagonal()
    room = _BITS - diagonal.scale - math.ceil(math.log2(diagonal.bound / d))
    rest = yield from truncation(rest, rest.scale - min(rest.scale - 1, room))
    spread = yield from product(rest.expand(d), diagonal)
    short = yield from fit_for_output(spread.within(diagonal.bound / d))
    return (yield from normalised(short, (moments.exponent[d:].expand(d) - moments.exponent[:d]) * 2))


def _at_most(x: Share, scale: int) -> Protocol:
    """x at `scale` or below."""
    if x.scale <= scale:
        return x
    return (yield from truncation(x, x.scale - scale))


def fit_for_output(x: Share) -> Protocol:
    """x in as many bits as `normalised` takes, the unit that truncation adds to the bound among them."""
    widest = x.bound * (1 + 2.0 ** (1 - MAX_BITS))
    return (yield from _at_most(x, MAX_BITS - math.ceil(math.log2(widest))))
