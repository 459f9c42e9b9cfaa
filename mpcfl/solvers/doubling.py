"""A thousand steps of gradient descent in twenty rounds (PROTOCOLS.md, section 6).

With M = I - G the iterate after T steps from zero is b_T = S_T h with S_T = sum_{k<T} M^k, and

    b_2T = b_T + M^T b_T        S_2T = S_T + M^T S_T        M^2T = M^T M^T

so that k doublings give exactly 2^k steps. The columns are standardised and divided by d (`mpcfl.data.standardised`),
so 0 <= G <= 1: step size 1 converges, and rounding errors do not grow since ||M|| <= 1. S_T tends to the inverse of G.

*Accelerated*, the first doublings pull (the mixes of `mpcfl.solvers.preconditioner` with e = 1/2 throughout):

    b <- 3/2 (b + R b)          R <- 3/2 R^2 - 1/2

R = I - G S goes with S as M^T with S_T, and stays within [-1/2, 1]. Where G is small S grows threefold instead of
twofold, so that 16 doublings go as far as 3.8 million gradient steps; the plain ones that follow, 6 at least, take what
is within [-1/2, 1/2] below 2^-32. 1/2 is the e for which (1 + e) R^2 still fits the ring at the scale of G.
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
Bound = Callable[[float, int], float]
_TRUNCATED_BITS = 62
_PLAIN = 6  # doublings at least that end an accelerated run
_FAR = 26  # log2 of steps times sqrt(d): beyond it what G was rounded by could make R larger than 1.07
_REFINED_BITS = 6  # a solution that was reached leaves a residual below 2^-6; one that was not is never revealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """steps: of gradient descent, a power of two up to 2^20. refinements: solve again for the residual, each
    of which is as many steps once more at the price of a few d-vectors (badly conditioned tables). accelerated: go
    further in as many doublings; without it the result is exactly the iterate of gradient descent."""

    steps: int = 1 << 16
    refinements: int = 0
    accelerated: bool = True

    def __post_init__(self) -> None:
        if self.steps < 4 or self.steps & (self.steps - 1) or self.steps > MOST_STEPS:
            raise JobError(f"[solver] steps = {self.steps} is no power of two from 4 to 2^20", hint="try 65536")
        if not 0 <= self.refinements <= 3:
            raise JobError(f"[solver] refinements = {self.refinements} is not in 0..3")

    @property
    def doublings(self) -> int:
        return self.steps.bit_length() - 1

    def pulls(self, d: int) -> list[bool]:
        """Which doublings pull, for d columns: the first ones, as many as leave 6 and as rounding allows."""
        room = (_FAR - math.log2(d) / 2 - self.doublings) / math.log2(1.5)
        first = max(0, min(self.doublings - _PLAIN, math.floor(room))) if self.accelerated else 0
        return [True] * first + [False] * (self.doublings - first)

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
        pulls = self.pulls(d)
        bound = pulled_bound if any(pulls) else solution_bound
        starts: list[Share] = [h]
        bounds: list[Bound] = [bound]
        if inverse:
            bounds.append(_inverse_bound)
            scale = sum_scale(_inverse_bound(3.0, d), GRAM_SCALE, True)
            starts.append(zeros(session, (d, d), scale=scale) + torch.eye(d, dtype=torch.float64))
        sums, last, powers = yield from doubled(power, starts, bounds, pulls)
        b = sums[0]
        for _ in range(self.refinements):
            b = b + (yield from _correction(gram, h, b, powers, pulls, bound))
        if any(pulls):
            b = b.within(reached_bound(reaches_of(pulls)[self.doublings], d))
        return Solution(coefficients=b, left_over=last.diagonal().sum(0), inverse=sums[1] if inverse else None)


def doubled(power: Share, starts: Sequence[Share], bounds: Sequence[Bound], pulls: Sequence[bool]) -> Protocol:
    """(sum_{k<T} M^k start for every start, M^(T/2), all powers pinned) for M = power, |M| <= 1, and T = 2^len(pulls);
    where doublings pull, R in place of the powers.

    power (d, d) and starts (d,) or (d, c) at scale 30; bounds: of each sum, from (steps, d). Cost: `Doubling.solve`.
    """
    d, session = power.shape[0], power.session
    reaches, ahead = reaches_of(pulls), [*pulls[1:], False]
    sums, powers = list(starts), []
    for k, (pull, next_pull) in enumerate(zip(pulls, ahead, strict=True), start=1):
        session.step("doubling", k, len(pulls))
        pinned = Pinned(power.within(1.0))
        powers.append(pinned)
        last = k == len(pulls)
        squares = [] if last else [pinned.square()]
        _, *products = yield from parallel(pinned.opening(), *[pinned.times(s) for s in sums], *squares)
        scale = _power_scale(bounds[0](reaches[k + 1], d), next_pull) if any(pulls) else GRAM_SCALE
        grown = [
            _step(s, p, pull, bound(reaches[k], d), sum_scale(bound(reaches[k + 1], d), scale, next_pull))
            for s, p, bound in zip(sums, products, bounds, strict=False)
        ]
        drops = [] if last else [_squared(products[-1], pull, scale)]
        results = yield from parallel(*grown, *drops)
        sums, power = results[: len(sums)], power if last else results[-1]
    return sums, power, powers


def reaches_of(pulls: Sequence[bool]) -> list[float]:
    """How many gradient steps the sum stands for after k doublings, k = 0 to one more than there are: what it is where
    G is zero, and no larger anywhere."""
    reaches = [1.0]
    for pull in [*pulls, False]:
        reaches.append(reaches[-1] * (3 if pull else 2))
    return reaches


def _squared(square: Share, pull: bool, scale: int) -> Protocol:
    """M^2, or 3/2 R^2 - 1/2 where the doubling pulls: within [-1/2, 1] if R is within [-1, 1]."""
    square = square.within(1.0)
    if not pull:
        return (yield from truncation(square, square.scale - scale))
    more = (square * 3).divided_by_power(1)
    short = yield from truncation(more, more.scale - scale)
    return (short - torch.eye(len(short), dtype=torch.float64) * 0.5).within(1.0)


def _step(total: Share, product: Share, pull: bool, bound: float, scale: int) -> Protocol:
    """total + M total, or half as much again where the doubling pulls, within `bound`; at `scale`."""
    grown = total.at_scale(product.scale) + product
    if pull:
        grown = (grown * 3).divided_by_power(1)
    grown = grown.within(bound)
    return (yield from truncation(grown, grown.scale - scale)).within(bound)


def _correction(gram: Share, h: Share, b: Share, powers: list[Pinned], pulls: Sequence[bool], bound: Bound) -> Protocol:
    """What is missing from b: the same steps from the residual, with the same powers, at a larger scale."""
    pinned = Pinned(gram)
    _, product = yield from parallel(pinned.opening(), pinned.times(b))
    residual = (h.at_scale(product.scale) - product).within(2.0**-_REFINED_BITS)
    rest = yield from truncation(residual, product.scale - GRAM_SCALE)
    bounds = [bound(steps, gram.shape[0]) / 2.0**_REFINED_BITS for steps in reaches_of(pulls)]
    for k, power in enumerate(powers):
        product = yield from power.times(rest)
        scale = sum_scale(bounds[k + 2], GRAM_SCALE, True)
        rest = yield from _step(rest, product, pulls[k], bounds[k + 1], scale)
    rest = rest.within(2.0**-_REFINED_BITS)
    if rest.scale <= b.scale:
        return rest.at_scale(b.scale)
    return (yield from truncation(rest, rest.scale - b.scale))


def solution_bound(steps: float, d: int) -> float:
    """|b_T| <= max_x (1 - e^-x) / sqrt(x) * sqrt(T / d) = 0.64 sqrt(T / d), whatever the data: h = G^(1/2) u with
    |u|^2 <= 1/d, since G and h are blocks of one Gram matrix with last diagonal element below 1/d."""
    return 0.7 * max(1.0, math.sqrt(steps / d))


def pulled_bound(steps: float, d: int) -> float:
    """The same with doublings that pull: (1 - r(x)) / sqrt(x) is at most 0.95 sqrt(T) for their polynomials r."""
    return max(1.0, math.sqrt(steps / d))


def reached_bound(steps: float, d: int) -> float:
    """The same of a solution that was reached, for T steps of which the last 6 doublings at least did not pull: then
    every eigenvalue of G is above 10 / T, and |b|^2 <= b.T G b T / 10. What was not reached is never revealed."""
    return max(1.0, math.sqrt(steps / d / 10))


def _inverse_bound(steps: float, _: int) -> float:
    """|S_T| <= T, a sum of T powers of a contraction; with a margin for rounding, which doubles with the steps too."""
    return 1.1 * steps


def matrix_scale(bound: float) -> int:
    """The scale at which M b, at 30 bits more, still fits a truncation."""
    return sum_scale(bound, GRAM_SCALE, False)


def sum_scale(bound: float, power_scale: int, pull: bool) -> int:
    """The largest scale of a sum for which the next one, within `bound`, still fits a truncation."""
    return min(GRAM_SCALE, math.floor(_TRUNCATED_BITS - power_scale - pull - math.log2(bound) - 0.01))


def _power_scale(bound: float, pull: bool) -> int:
    """Of a power, half of what there is for it and the sum together: the later it is rounded, the less does it matter
    to what it is multiplied by itself."""
    return min(GRAM_SCALE, math.ceil((_TRUNCATED_BITS - pull - math.log2(bound)) / 2))
