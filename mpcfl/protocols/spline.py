"""A smooth public function of a secret fraction, in one opening.

Like a table read at a secret place (one-time truth tables: Ishai et al., TCC 2013, section 3), but the entries are
polynomials: a spline gate (Boyle et al., EUROCRYPT 2021, section 5) with all of its randomness from the dealer. With
c = v + r opened modulo 1, the five bits in front of c and of r differ by a knot j / 32 near v, and the rest of them by
t = v - j / 32. The dealer shares [j' = top(r)] * low(r)^m, so knot and powers of t are both linear in what is shared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.lookup import unit_vectors
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.blank import indices
from mpcfl.ring.opened import logical_shift
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share

KNOTS = 32
DEGREE = 7
_TOP = 5  # bits of a knot
_EXTRA = 8  # Taylor terms that economisation folds in
_SHORT = 32  # a fraction of so many bits is opened in four bytes

Taylor = Callable[[Fraction, int], list[Fraction]]


class Spline:
    """Polynomials of degree 7 about the knots j / 32 that v in [1/4, 1] and one knot more on either side are next to.

    `taylor(x, n)`: the first n Taylor coefficients of the function at x, as exact fractions. `scale`: of the result,
    such that |function| * 2^scale < 2^62 on [6/32, 34/32]. `bound`: of the function there.
    """

    def __init__(self, taylor: Taylor, *, scale: int, bound: float) -> None:
        self.scale, self.bound = scale, bound
        # Every compute party must have the same coefficients to the last bit: hence fractions, and one rounding each.
        rows = [
            [float(c) for c in _economised(taylor(Fraction(_knot(j), KNOTS), DEGREE + _EXTRA))] for j in range(KNOTS)
        ]
        self.coefficients = torch.tensor(rows, dtype=torch.float64)

    def power_scale(self, m: int) -> int:
        """Of the dealer's low(r)^m: what makes its rounding and that of its public factor equally large; 1 is exact."""
        return (self.scale + 2 + 7 * m) // 2 if m else 0


def spline(v: Share, function: Spline) -> Protocol:
    """function(v) for v in [1/4, 1] (outside: something within its bound), at the scale of the spline, not truncated.

    v: |ring value| of scale at most 64 bits. Cost: 1 round, 4 bytes an element up to scale 32, else 8; offline 256
    elements each.
    """
    session, shape = v.session, v.shape
    width = _SHORT if v.scale <= _SHORT else 64
    if v.scale > width:
        raise ValueError(f"a fraction at scale {v.scale} is too fine: truncate it first")
    recipe = Recipe("spline", [shape], [(*shape, KNOTS, DEGREE + 1)], lambda m: [_derive(m[0], width, function)])
    (r,), (powers,) = deal(session, recipe)
    (c,) = yield [Masked(v._like((v._ring << (width - v.scale)) + r, v.bound), width, "spline")]
    ring = (_factors(c, width, function) * powers).sum((-1, -2))
    return Share(session, ring, scale=function.scale, bound=function.bound)


def _split(c: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(knot number, the rest as a real number in [0, 1/32))."""
    rest = width - _TOP
    return logical_shift(c, rest) & (KNOTS - 1), (c & ((1 << rest) - 1)).to(torch.float64) * 2.0**-width


def _derive(r: torch.Tensor, width: int, function: Spline) -> torch.Tensor:
    """(..., KNOTS, DEGREE + 1): low(r)^m at its scale where the knot is top(r), else 0."""
    top, low = _split(r, width)
    power, powers = torch.ones_like(low), []
    for m in range(DEGREE + 1):  # products, which are rounded alike on all devices; a power need not be
        powers.append(torch.round(power * 2.0 ** function.power_scale(m)).to(torch.int64))
        power = power * low
    return unit_vectors(top, KNOTS)[..., None] * torch.stack(powers, -1)[..., None, :]


def _factors(c: torch.Tensor, width: int, function: Spline) -> torch.Tensor:
    """(..., KNOTS, DEGREE + 1): public factors of the dealer's powers, for every knot that r might have.

    Only products and sums, one at a time: they are rounded alike everywhere, which a fused or reordered one is not.
    """
    top, low = _split(c, width)
    knot = (top[..., None] - indices(KNOTS, c)) & (KNOTS - 1)
    about = list(function.coefficients.to(c.device)[knot].unbind(-1))
    low = low[..., None]
    for start in range(DEGREE):  # Taylor shift: from powers of t = low(c) - low(r) to powers of -low(r)
        for k in range(DEGREE - 1, start - 1, -1):
            about[k] = about[k] + low * about[k + 1]
    scales = [function.scale - function.power_scale(m) for m in range(DEGREE + 1)]
    signed = [a * (2.0**s * (-1) ** m) for m, (a, s) in enumerate(zip(about, scales, strict=True))]
    return torch.round(torch.stack(signed, -1)).to(torch.int64)


def _knot(j: int) -> int:
    """The knot that number j (modulo 32) stands for: 7..33; those that cannot be met are 7."""
    return j + KNOTS if j < 2 else max(j, 7)


def _economised(taylor: Sequence[Fraction]) -> list[Fraction]:
    """The polynomial of DEGREE that is nearly the best on [-1/32, 1/32]: Chebyshev economisation, exact."""
    scaled = [a / KNOTS**k for k, a in enumerate(taylor)]
    for k in range(len(scaled) - 1, DEGREE, -1):
        lead = scaled[k] / 2 ** (k - 1)
        for i, t in enumerate(_chebyshev(k)):
            scaled[i] -= lead * t
    return [a * KNOTS**k for k, a in enumerate(scaled[: DEGREE + 1])]


def _chebyshev(n: int) -> list[int]:
    """Coefficients of T_n."""
    out = [0] * (n + 1)
    for k in range(n // 2 + 1):
        out[n - 2 * k] = (
            (-1) ** k
            * 2 ** (n - 2 * k)
            * n
            * math.factorial(n - k - 1)
            // (2 * math.factorial(k) * math.factorial(n - 2 * k))
        )
    return out
