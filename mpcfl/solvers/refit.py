"""The minimum for given signs, and the proof that it is the minimum.

Where the signs s of the solution are known, G b = h - t s on the columns with s != 0 is a linear system: one Newton
step (semismooth; primal-dual active set: Hintermueller, Ito, Kunisch 2003). With the bits a = |s| the matrix
M = diag(a) (I - G) diag(a) of its gradient steps is zero in all other columns, so that doubling
(`mpcfl.solvers.doubling`) solves it without knowing which they are, and what it gives is exactly zero there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.lookup import lookup
from mpcfl.protocols.product import congruence, product
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share, concatenate
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.solution import Solution
from mpcfl.solvers.sparse import Problem, sides

_AT_LAST = 2.0**-24  # of 1/d: |g| may be taken for t when it is so near
_TOLERANCE = 2.0**-19  # of g in units of 1/d, and of b
_TABLE = 256


@dataclass(frozen=True, slots=True)
class Fit:
    """solution of the system, exactly zero where active (d,), bits, is; with g = h - G b: gradient = g,
    signed = g - t s; free = t where b is zero, else 0; outward = s b. All (d,), shared."""

    problem: Problem
    solution: Solution
    active: Share
    gradient: Share
    signed: Share
    free: Share
    outward: Share


def refit(problem: Problem, signs: Share, doubling: Doubling) -> Protocol:
    """The `Fit` for `signs` (2, d), bits [s_j = 1] and [s_j = -1]. Its bounds hold if these are the solution's signs;
    if not, it may be anything, and `optimal` will tell.

    Cost: that of `doubling`, and 2 rounds and d^2 + 10 d elements.
    """
    d = problem.features
    plus, minus = signs[0], signs[1]
    active = (plus + minus).within(1.0)
    t, eye = problem.thresholds, torch.eye(d, dtype=torch.float64)
    masked, products = yield from parallel(
        congruence(-problem.gram.x + eye, active),
        product(concatenate([plus, minus, active]), concatenate([t, t, problem.linear])),
    )
    signed = (products[:d] - products[d : 2 * d]).within(1.0 / d)
    solution: Solution = yield from doubling.solving(-masked.within(1.0) + eye, products[2 * d :] - signed)
    b = solution.coefficients
    image, outward = yield from parallel(problem.gram.times(b), product(plus - minus, b))
    gradient = problem.linear.at_scale(image.scale) - image.within(b.bound)
    return Fit(
        problem=problem,
        solution=solution,
        active=active,
        gradient=gradient,
        signed=gradient - signed.at_scale(image.scale),
        free=t - (products[:d] + products[d : 2 * d]).within(1.0 / d),
        outward=outward.within(b.bound),
    )


def next_signs(fit: Fit, rho: int) -> Protocol:
    """(2, d) bits: on which side of the thresholds b / 2^rho + g is, for another fit. Cost: `sides`."""
    d, b, scale = fit.problem.features, fit.solution.coefficients, fit.gradient.scale
    # of the solution |g| <= 1/d; what is larger is none, and then any signs will do
    place = (b.divided_by_power(rho).at_scale(scale) + fit.gradient).within(b.bound / 2.0**rho + 2.0 / d)
    return (yield from sides(place, fit.problem.thresholds.at_scale(scale), _AT_LAST / d))


def optimal(fit: Fit) -> Protocol:
    """Bit (): b is the minimum, to a tolerance, whatever came before.

    The conditions of Karush, Kuhn and Tucker: |g_j - t_j s_j| <= tolerance where s_j is not zero, |g_j| <= t_j +
    tolerance elsewhere, and -tolerance <= s_j b_j. That s_j b_j is within the bound as well makes sure that nothing of
    this has left the ring. Cost: 4 rounds (6 from 86 features on); 36 d bytes.
    """
    d, outward = fit.problem.features, fit.outward
    room = fit.free.at_scale(fit.signed.scale) + _TOLERANCE / d
    slack = concatenate([room - fit.signed, room + fit.signed])
    unit = 2.0**outward.scale
    ends = torch.tensor([-math.floor(_TOLERANCE * unit), math.floor(outward.bound * unit)])
    holds, inside = yield from parallel(at_least(slack, torch.zeros(1, dtype=torch.int64)), at_least(outward, ends))
    missed = -(holds[:, 0].sum(0) + (inside[:, 0] - inside[:, 1]).sum(0)) + float(3 * d)
    return (yield from is_zero(missed, 3 * d))


def is_zero(count: Share, most: int) -> Protocol:
    """Bit (): a count from 0 to `most` is 0. Cost: 1 round, 1 byte; 3 rounds from 256 on."""
    if most < _TABLE:
        size = 1 << most.bit_length()
        return (yield from lookup(count, torch.tensor([1] + [0] * (size - 1))))
    any_missed = yield from at_least(count, torch.ones(1, dtype=torch.int64))
    return -(any_missed[..., 0] - 1.0)
