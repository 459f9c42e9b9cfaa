"""1 / v and 1 / sqrt(v) of secrets, in two rounds for v in [1/4, 1]; positive values of unknown size in six.

What others do takes a start and then Newton steps of two products and two truncations each; a spline needs one opening
and is right to 29 bits at once.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import torch

from mpcfl.protocols.leading_power import leading_power
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.spline import Spline, spline
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share

RESULT_SCALE = 30
_WIDEST = 62  # bits of a value that `to_fraction` takes
_ROOT_BITS = 80  # of the start of the series of 1 / sqrt


def reciprocal(v: Share, *, scale: int = RESULT_SCALE) -> Protocol:
    """1 / v for v in [1/4, 1] at scale <= 64, at `scale` <= 30; wrong by less than 2^-29 / v and one unit.

    Outside [1/4, 1] the result means nothing, but stays below 16/3. Cost: 2 rounds, 8 bytes an element and 4 more up to
    scale 32, else 8 more; offline 258 elements each.
    """
    return (yield from _rounded(v, _reciprocal_spline(), scale))


def reciprocal_sqrt(v: Share, *, scale: int = RESULT_SCALE) -> Protocol:
    """1 / sqrt(v) for v in [1/4, 1] at scale <= 64, at `scale` <= 30; wrong by less than 2^-29 / sqrt(v) and one unit.

    Outside [1/4, 1] the result means nothing, but stays below 2.5. Cost: as `reciprocal`.
    """
    return (yield from _rounded(v, _root_spline(), scale))


def normalised_reciprocal(v: Share, *, scale: int = RESULT_SCALE) -> Protocol:
    """(mantissa, exponent) with 1 / v = mantissa * 2^exponent, for v >= one unit of its scale, whatever its size.

    mantissa: in [1, 4], as `reciprocal` gives it; exponent: integers, secret too. Zero gives a mantissa that means
    nothing. |ring value| < 2^62 by the bound, else ValueError. Cost: 6 rounds; bytes of `at_least` with one threshold
    for two bits of v, of a product and of `reciprocal`.
    """
    fraction, power_bits, bits = yield from to_fraction(v)
    mantissa = yield from reciprocal(fraction, scale=scale)
    return mantissa, power_bits + float(v.scale - bits)


def to_fraction(v: Share) -> Protocol:
    """(fraction, power_bits, bits): v * 2^power_bits = fraction * 2^(bits - v.scale), fraction in [1/4, 1).

    fraction: at scale `bits`, which is public and even. Cost: 4 rounds.
    """
    bits = fraction_bits(v)
    power, count, _ = yield from leading_power(v, quarters(bits), 2)
    scaled = yield from product(v, power)
    return as_fraction(scaled, bits), count * 2, bits


def fraction_bits(v: Share) -> int:
    """Even number of bits that |ring value| of v needs by its bound; ValueError above 62."""
    bits = max(2, math.ceil(v.scale + math.log2(v.bound)))
    bits += bits % 2
    if bits > _WIDEST:
        raise ValueError(f"a value of {bits} bits cannot be brought to [1/4, 1): truncate it first")
    return bits


def quarters(bits: int) -> torch.Tensor:
    """Falling thresholds 2^(bits - 2), 2^(bits - 4), ..., 1 for `leading_power` with step 2."""
    return torch.tensor([1 << k for k in range(bits - 2, -1, -2)])


def as_fraction(scaled: Share, bits: int) -> Share:
    """A ring value in [2^(bits - 2), 2^bits] read as a number in [1/4, 1]."""
    return Share(scaled.session, scaled._ring, scale=bits, bound=1.0)


def _rounded(v: Share, function: Spline, scale: int) -> Protocol:
    if not 0 <= scale <= RESULT_SCALE:
        raise ValueError(f"scale {scale} is not in 0..{RESULT_SCALE}")
    exact = yield from spline(v, function)
    return (yield from truncation(exact, function.scale - scale))


@cache
def _reciprocal_spline() -> Spline:
    return Spline(lambda x, n: [(-1) ** k / x ** (k + 1) for k in range(n)], scale=59, bound=16 / 3)


@cache
def _root_spline() -> Spline:
    return Spline(_root_taylor, scale=60, bound=2.5)


def _root_taylor(x: Fraction, n: int) -> list[Fraction]:
    """Taylor coefficients of 1 / sqrt at x: each is the one before times (1 - 2k) / (2k x)."""
    square = (x.denominator << (2 * _ROOT_BITS)) // x.numerator
    terms = [Fraction(math.isqrt(square), 1 << _ROOT_BITS)]
    for k in range(1, n):
        terms.append(terms[-1] * Fraction(1 - 2 * k, 2 * k) / x)
    return terms
