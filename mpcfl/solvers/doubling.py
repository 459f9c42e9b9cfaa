"""A thousand steps of gradient descent in twenty rounds (PROTOCOLS.md, section 6).

With M = I - G the iterate after T steps from zero is b_T = S_T h with S_T = sum_{k<T} M^k, and

    b_2T = b_T + M^T b_T        S_2T = S_T + M^T S_T        M^2T = M^T M^T

so that k doublings give exactly 2^k steps. The columns are standardised and divided by d (`mpcfl.data.standardised`),
so 0 <= G <= 1: step size 1 converges, and rounding errors do not grow since ||M|| <= 1. S_T tends to the inverse of G.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.solution import Solution
from mpcfl.world.session import Session

MOST_STEPS = 1 << 20
Bound = Callable[[int, int], float]
_TRUNCATED_BITS = 62
_REFINED_BITS = 6  # a solution that was reached leaves a residual below 2^-6; one that was not is never revealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """steps: of gradient descent, a power of two up to 2^20. refinements: solve again for the residual, each
    of which is as many steps once more at the price of a few d-vectors (badly conditioned tables)."""

    steps: int = 1 << 16
    refinements: int = 0

    def __post_init__(self) -> None:
        if self.steps < 4 or self.steps & (self.steps - 1) or self.steps > MOST_STEPS:
            raise JobError(f"[solver] steps = {self.steps} is no power of two from 4 to 2^20", hint="try 65536")
        if not 0 <= self.refinements <= 3:
            raise JobError(f"[solver] refinements = {self.refinements} is not in 0..3")

    @property
    def doublings(self) -> int:
        return self.steps.bit_length() - 1

    def solve(self, session: Session, moments: Standardised, *, inverse: bool = False) -> Solution:
        """The solution of G b = h, and the inverse of G if wanted.

        Cost: each doubling 2 rounds and 2 (d^2 + d) elements (with inverse 2 (2 d^2 + d)), the last one d^2 fewer; each
        refinement 2 rounds and 2 d elements for the residual and for each doubling.
        """
        d = moments.features
        return run(session, self.solving(moments.gram[:d, :d], moments.gram[:d, d], inverse=inverse))

    def solving(self, gram: Share, h: Share, *, inverse: bool = False) -> Protocol:
        """The `Solution` of gram b = h for any gram (d, d), 0 <= gram <= 1, and h (d,), at scale 30, if there is one
        with b.T gram b <= 1/d; where there is none, what is found may have left the ring. Cost: as `solve`; several
        systems side by side take the rounds of one."""
        d, session = gram.shape[0], gram.session
        power = -gram + torch.eye(d, dtype=torch.float64)
        starts: list[Share] = [h]
        bounds: list[Bound] = [solution_bound]
        if inverse:
            starts.append(zeros(session, (d, d), scale=GRAM_SCALE) + torch.eye(d, dtype=torch.float64))
            bounds.append(_inverse_bound)
        sums, last, powers = yield from doubled(power, starts, bounds, self.doublings)
        b = sums[0]
        for _ in range(self.refinements):
            b = b + (yield from _correction(gram, h, b, powers))
        return Solution(coefficients=b, left_over=last.diagonal().sum(0), inverse=sums[1] if inverse else None)


def doubled(power: Share, starts: Sequence[Share], bounds: Sequence[Bound], doublings: int) -> Protocol:
    """(sum_{k<T} M^k start for every start, M^(T/2), all powers pinned) for M = power, |M| <= 1, and T = 2^doublings.

    power (d, d) and starts (d,) or (d, c) at scale 30; bounds: of each sum, from (steps, d). Cost: `Doubling.solve`.
    """
    d, session = power.shape[0], power.session
    sums, powers = list(starts), []
    for k in range(1, doublings + 1):
        session.step("doubling", k, doublings)
        pinned = Pinned(power.within(1.0))
        powers.append(pinned)
        last = k == doublings
        squares = [] if last else [pinned.square()]
        _, *products = yield from parallel(pinned.opening(), *[pinned.times(s) for s in sums], *squares)
        steps = [_step(s, p, k, d, bound) for s, p, bound in zip(sums, products, bounds, strict=False)]
        drops = [] if last else [truncation(products[-1].within(1.0), GRAM_SCALE)]
        results = yield from parallel(*steps, *drops)
        sums, power = results[: len(sums)], power if last else results[-1]
    return sums, power, powers


def _step(total: Share, product: Share, k: int, d: int, bound: Bound) -> Protocol:
    """total + M total after k doublings, at the largest scale that the next doubling can take."""
    doubled = (total.at_scale(product.scale) + product).within(bound(1 << k, d))
    scale = matrix_scale(bound(1 << (k + 1), d))
    return (yield from truncation(doubled, product.scale - scale)).within(doubled.bound)


def _correction(gram: Share, h: Share, b: Share, powers: list[Pinned]) -> Protocol:
    """What is missing from b: the same steps from the residual, with the same powers, at a larger scale."""
    pinned = Pinned(gram)
    _, product = yield from parallel(pinned.opening(), pinned.times(b))
    residual = (h.at_scale(product.scale) - product).within(2.0**-_REFINED_BITS)
    rest = yield from truncation(residual, product.scale - GRAM_SCALE)
    for k, power in enumerate(powers, start=1):
        product = yield from power.times(rest)
        bound = solution_bound(1 << k, gram.shape[0]) / 2.0**_REFINED_BITS
        total = (rest.at_scale(product.scale) + product).within(bound)
        rest = yield from truncation(total, product.scale - min(GRAM_SCALE, matrix_scale(2 * bound)))
        rest = rest.within(bound)
    return (
        rest.within(2.0**-_REFINED_BITS)
        if rest.scale == b.scale
        else (yield from truncation(rest, rest.scale - b.scale))
    )


def solution_bound(steps: int, d: int) -> float:
    """|b_T| <= max_x (1 - e^-x) / sqrt(x) * sqrt(T / d) = 0.64 sqrt(T / d), whatever the data: h = G^(1/2) u with
    |u|^2 <= 1/d, since G and h are blocks of one Gram matrix with last diagonal element below 1/d."""
    return 0.7 * max(1.0, math.sqrt(steps / d))


def _inverse_bound(steps: int, _: int) -> float:
    """|S_T| <= T, a sum of T powers of a contraction; with a margin for rounding, which doubles with the steps too."""
    return 1.1 * steps


def matrix_scale(bound: float) -> int:
    """The scale at which M b, at 30 bits more, still fits a truncation."""
    return min(GRAM_SCALE, math.floor(_TRUNCATED_BITS - GRAM_SCALE - math.log2(bound) - 0.01))
