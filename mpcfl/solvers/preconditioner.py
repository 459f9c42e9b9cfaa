"""The inverse of a Hessian, near enough to precondition with, in two rounds a doubling.

An approximate inverse S and its residual R = I - S H go together, for any e:

    S <- (1 + e) (S + R S)          R <- (1 + e) R^2 - e

e = 0 are the doublings of `mpcfl.solvers.doubling`: R to the power 2^k after k of them. With e = 1 / T_2m(t), m = 1, 2,
4, ..., R runs through Chebyshev polynomials instead (Golub and Varga, 1961), which reach in degree 2^k what powers
reach in degree 4^k: half as many doublings. e rounded down is a little slower; rounded up, there would be directions
that are never reached. Where R is within [-1, 1] it stays there, so nothing can grow, however singular H is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import symmetric_truncation, truncation
from mpcfl.sharing.share import Share, zeros

MIX_BITS = 4  # of e
MATRIX_SCALE = 27  # of a symmetric matrix and its residuals, which nothing makes larger than 1 but rounding
_FIRST_SCALE = 20  # of an inverse at the start; it has fewer bits, the larger it may become
_BITS = 61
_SLACK = 1.5
_Truncation = Callable[[Share, int], Protocol]


class Sum(NamedTuple):
    """What grows with every doubling: `share` (d, ...), kept at `scale` or less; limit(j) bounds it after j."""

    share: Share
    scale: int
    limit: Callable[[int], float]


def inverse(matrix: Share, doublings: int) -> Protocol:
    """(d, d): the inverse of a symmetric `matrix` (d, d), scale 27, with all eigenvalues in (0, 1). Those nearer to 0
    than 4^(1 - doublings) are taken for larger ones. Its scale falls by 2 bits a doubling.

    Cost: 2 rounds and 3 d^2 + d elements a doubling, half of d^2 + d fewer in the last.
    """
    d, session = len(matrix), matrix.session
    eye = torch.eye(d, dtype=torch.float64)
    residual = (-(matrix * 2) + eye).within(1.0)
    start = Sum(zeros(session, (d, d), scale=_FIRST_SCALE) + eye * 2, _FIRST_SCALE, lambda j: 2.2 * 4.0**j)
    (found,) = yield from doubled(residual, [start], first_mixes(doublings), symmetric=True)
    return found


def doubled(residual: Share, sums: Sequence[Sum], steps: Sequence[int], *, symmetric: bool = False) -> Protocol:
    """The shares of `sums`, each multiplied by the same polynomial of `residual` (d, d), after len(steps) doublings.

    `steps`: e of each, in units of 2^-4; see `mixes`. symmetric: the residual and all sums are. Cost: 2 rounds a
    doubling; 2 elements for each of the residual and of the sums, d^2 fewer in the last; for what is symmetric, the
    second of the two goes for half the price.
    """
    shares, bound = [item.share for item in sums], residual.bound
    short = symmetric_truncation if symmetric else truncation
    for j, e in enumerate(steps, start=1):
        last, pinned = j == len(steps), Pinned(residual)
        squares = [] if last else [pinned.square()]
        products = [pinned.times(share) for share in shares]
        _, *found = yield from parallel(pinned.opening(), *products, *squares)
        ahead = j if last else j + 1
        grown = [
            _grown(short, item, share, p, e, j, ahead) for item, share, p in zip(sums, shares, found, strict=False)
        ]
        drops = [] if last else [_squared(short, found[-1], e, residual.scale, bound)]
        results = yield from parallel(*grown, *drops)
        shares, residual = results[: len(sums)], residual if last else results[-1]
    return shares


def mixes(doublings: int, low: float) -> list[int]:
    """e of each doubling, in units of 2^-4, where S H has its eigenvalues in [low, 2 - low] at the start."""
    t, found = 1 / (1 - low), []
    for _ in range(doublings):
        t = 2 * t * t - 1
        found.append(math.floor(2.0**MIX_BITS / t))
    return found


def first_mixes(doublings: int) -> list[int]:
    """Those of `inverse`, which starts from twice the identity: its error is least from 4^(1 - doublings) up."""
    return mixes(doublings, 8 / 4.0**doublings)


def _mixed(x: Share, e: int) -> Share:
    """(1 + e) x, exact."""
    return (x * ((1 << MIX_BITS) + e)).divided_by_power(MIX_BITS)


def _grown(short: _Truncation, item: Sum, share: Share, product: Share, e: int, j: int, ahead: int) -> Protocol:
    """(1 + e) (S + R S) at the largest scale that the doubling `ahead` can take."""
    total = _mixed(share.at_scale(product.scale) + product, e).within(item.limit(j))
    drop = product.scale - share.scale + MIX_BITS  # what a doubling adds
    scale = min(item.scale, math.floor(_BITS - drop - math.log2(item.limit(ahead))))
    return (yield from short(total, total.scale - scale)).within(total.bound)


def _squared(short: _Truncation, square: Share, e: int, scale: int, bound: float) -> Protocol:
    """(1 + e) R^2 - e. `bound` is that of R, and R is no larger after than before."""
    total = _mixed(square.within((_SLACK * bound) ** 2), e)
    square = yield from short(total, total.scale - scale)
    return (square - torch.eye(len(square), dtype=torch.float64) * (e / 2.0**MIX_BITS)).within(_SLACK * bound)
