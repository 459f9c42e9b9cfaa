"""A thousand steps of gradient descent in twenty rounds (PROTOCOLS.md, section 6).

With M = I - G the iterate after T steps from zero is b_T = sum_{k<T} M^k h, and

    b_2T = b_T + M^T b_T        M^2T = M^T M^T

so that k doublings give exactly 2^k steps. The columns are standardised and divided by d (`mpcfl.data.standardised`),
so 0 <= G <= 1: step size 1 converges, and rounding errors do not grow since ||M|| <= 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, run, together
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share
from mpcfl.solvers.solution import Solution
from mpcfl.world.session import Session

MOST_STEPS = 1 << 20
_TRUNCATED_BITS = 62
_REFINED_BITS = 8  # a converged solution leaves a residual below 2^-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """steps: of gradient descent, a power of two up to 2^20. refinements: solve again for the residual, which takes
    away what rounding of the powers of M has cost (badly conditioned tables)."""

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

    def solve(self, session: Session, moments: Standardised) -> Solution:
        """Cost: each doubling 2 rounds and 2 (d^2 + d) elements, the last one d^2 + 2 d; a refinement 2 rounds and
        2 d elements for each doubling and for the residual."""
        d = moments.features
        gram, h = moments.gram[:d, :d], moments.gram[:d, d]
        power = -gram + torch.eye(d, dtype=torch.float64)
        powers: list[Pinned] = []
        b = h
        for k in range(1, self.doublings + 1):
            session.step("doubling", k, self.doublings)
            pinned = Pinned(power.within(1.0))
            powers.append(pinned)
            opening, times = pinned.opening(), pinned.times(b)
            if k < self.doublings:
                _, update, square = together(session, opening, times, pinned.square())
                b, power = together(session, _step(b, update, k, d), truncation(square.within(1.0), GRAM_SCALE))
            else:
                _, update = together(session, opening, times)
                b = run(session, _step(b, update, k, d))
        return Solution(coefficients=b, left_over=power.diagonal().sum(0))


def _step(b: Share, update: Share, k: int, d: int) -> Protocol:
    """b + M b after k doublings, at the largest scale that the next doubling can take."""
    total = (b.at_scale(update.scale) + update).within(solution_bound(1 << k, d))
    scale = _scale(solution_bound(1 << (k + 1), d))
    return (yield from truncation(total, update.scale - scale)).within(total.bound)


def solution_bound(steps: int, d: int) -> float:
    """|b_T| <= max_x (1 - e^-x) / sqrt(x) * sqrt(T / d) = 0.64 sqrt(T / d), whatever the data: h = G^(1/2) u with
    |u|^2 <= 1/d, since G and h are blocks of one Gram matrix with last diagonal element below 1/d."""
    return 0.7 * max(1.0, math.sqrt(steps / d))


def _scale(bound: float) -> int:
    """The scale at which M b, at 30 bits more, still fits a truncation."""
    return min(GRAM_SCALE, math.floor(_TRUNCATED_BITS - GRAM_SCALE - math.log2(bound) - 0.01))
