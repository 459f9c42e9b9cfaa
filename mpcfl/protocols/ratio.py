"""The quotient of two secrets of unknown size, of which the first is not the larger one."""

from __future__ import annotations

from mpcfl.protocols.leading_power import leading_power
from mpcfl.protocols.product import product
from mpcfl.protocols.reciprocal import as_fraction, fraction_bits, quarters, reciprocal
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share

RATIO_SCALE = 30


def ratio(part: Share, whole: Share) -> Protocol:
    """part / whole at scale 30, for 0 <= part <= whole, same shape and scale; wrong by less than 2^-26; 0 / 0 is 0.

    |ring value| of whole < 2^62 by its bound, else ValueError. Cost: 8 rounds; `at_least` with one threshold for two
    bits of whole, 3 products, 1 `reciprocal` and up to 2 truncations.
    """
    part._check_scale(whole)
    bits = fraction_bits(whole)
    power, _, _ = yield from leading_power(whole, quarters(bits), 2)
    # multiplied by the same power, so the first is still the smaller one
    scaled_whole, scaled_part = yield from parallel(product(whole, power), product(part, power))
    inverse, numerator = yield from parallel(
        reciprocal(as_fraction(scaled_whole, bits)), _short(as_fraction(scaled_part, bits))
    )
    quotient = yield from product(numerator, inverse)
    rounded = yield from truncation(quotient.within(2.0), quotient.scale - RATIO_SCALE)
    return rounded.within(1.0 + 2.0**-26)


def _short(x: Share) -> Protocol:
    if x.scale <= RATIO_SCALE:
        return x.at_scale(RATIO_SCALE)
    return (yield from truncation(x, x.scale - RATIO_SCALE))
