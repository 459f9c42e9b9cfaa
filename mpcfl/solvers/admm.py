"""Lasso and elastic net: a few iterations of ADMM find the signs of the solution, Newton steps do the rest.

Gradient steps, accelerated or not, need hundreds of iterations where columns are correlated, and so does ADMM until its
weights are right to four digits. Its *signs* are right much sooner, and for given signs the minimum is the solution of
a linear system, which doubling reaches in 2 rounds a factor of two (`mpcfl.solvers.refit`). docs/DESIGN.md has the
table of what was compared.

ADMM (Boyd et al. 2011, section 6.4) is written as Douglas-Rachford splitting, with rho = 2^-r and R = rho (G + rho)^-1:

    z = S(v, t / rho)                       S: soft threshold, with secret thresholds
    v <- v + relaxation (R (2 z - v + h / rho) - z)

R is pinned once. An iteration is 3 rounds: one product, then truncation and soft threshold from one opening.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.protocols.truncated_step import truncated_step
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.doubling import MOST_STEPS, Doubling, doubled, solution_bound
from mpcfl.solvers.refit import Fit, next_signs, refit
from mpcfl.solvers.sparse import Problem, beyond, thresholds
from mpcfl.world.session import Session

ROUNDS = 3  # of an iteration
RELAXATION = 1.75
_BITS = 61  # of an iterate before its truncation
SHARP = 4  # rho = 2^-4 / d, or a little less: eigenvalues of G are 1/d on average
_REACHED = 3  # 2^3 / rho gradient steps give (G + rho)^-1 to exp(-8) of what rho adds
_NEAR, _AT_LAST = 2.0**-14, 2.0**-20  # |v| may be taken for t when it is so near


@dataclass(frozen=True, slots=True, kw_only=True)
class Admm:
    """iterations: of ADMM. refits: Newton steps after them. steps: gradient steps that each of those stands for, a
    power of two up to 2^20, as in `Doubling`."""

    iterations: int = 64
    refits: int = 2
    steps: int = MOST_STEPS

    def __post_init__(self) -> None:
        if not (1 <= self.iterations <= 1 << 16 and 1 <= self.refits <= 16):
            raise JobError("[solver] admm needs 1 to 65536 iterations and 1 to 16 refits")
        Doubling(steps=self.steps)  # refuses what is no power of two

    def solve(self, session: Session, moments: Standardised, l1: float, keeper: Keeper | None = None) -> Fit:
        """The minimum of |y - X w|^2 / 2n + l1 |w|_1 with whatever l2 penalty is in `moments` already. `keeper`: of the
        state of the iterations; the refits after them are done again.

        Cost: 2 rounds and 4 d^2 elements for each of about log2 d + 7 doublings, 3 rounds and 26 d bytes an iteration,
        and what `refit` and `next_signs` cost.
        """
        return run(session, self.solving(moments, l1, keeper))

    def solving(self, moments: Standardised, l1: float, keeper: Keeper | None = None) -> Protocol:
        """The same as a protocol: several minima side by side take the rounds of one, and are kept by none."""
        d = moments.features
        rho = math.ceil(math.log2(d)) + SHARP
        # |v_k - v*| never grows, and v* = z* + (h - G z*) / rho, where |h - G z*| <= 1 / sqrt(d). More has no solution.
        reach = 2 * (solution_bound(self.steps, d) + 2.0**rho / math.sqrt(d))
        gram, linear = moments.gram[:d, :d], moments.gram[:d, d]
        matrix = yield from _resolvent(gram, rho)
        scale = _BITS - matrix.scale - math.ceil(math.log2(reach))
        pinned = Pinned(gram)
        own, raised, pull, _ = yield from parallel(
            thresholds(moments, l1),
            thresholds(moments, l1, scale=scale, raised=rho),
            truncation(linear * (1 << rho), GRAM_SCALE - scale),
            pinned.opening(),
        )
        signs = yield from self._iterate(Pinned(matrix), pull, raised, reach, keeper or Keeper())
        problem, doubling = Problem(pinned, linear, own), Doubling(steps=self.steps, accelerated=False)
        fit = yield from refit(problem, signs, doubling)
        for i in range(1, self.refits):
            gram.session.step("refit", i + 1, self.refits)
            signs = yield from next_signs(fit, rho)
            fit = yield from refit(problem, signs, doubling)
        return fit

    def _iterate(self, pinned: Pinned, pull: Share, t: Share, reach: float, keeper: Keeper) -> Protocol:
        """(2, d) bits: where the last iterate is not zero, and which sign it has there."""
        session = pull.session
        zero, signs = zeros(session, pull.shape, scale=pull.scale), zeros(session, (2, *pull.shape), scale=0)
        done, state = keeper.resume({"v": zero, "z": zero, "signs": signs})
        v, z, signs = state["v"], state["z"], state["signs"]
        bits = pinned.x.scale
        relaxation = round(RELAXATION * 2**bits)
        for i in range(done, self.iterations):
            session.step("admm", i + 1, self.iterations)
            opening = [] if i > done else [pinned.opening()]
            *_, x = yield from parallel(*opening, pinned.times(z * 2 - v + pull))
            far = (v.at_scale(x.scale) + x - (z * relaxation).divided_by_power(bits)).within(reach)
            signs, v, z = yield from _shrunk(far, t, bits, _NEAR if i + 1 < self.iterations else _AT_LAST)
            keeper.offer(i + 1, {"v": v, "z": z, "signs": signs})
        return signs


def _resolvent(gram: Share, rho: int) -> Protocol:
    """relaxation * 2^-rho (G + 2^-rho)^-1, (d, d), by doubling: its sums tend to the inverse, and |inverse| < 2^rho."""
    eye = torch.eye(gram.shape[0], dtype=torch.float64)
    start = zeros(gram.session, gram.shape, scale=GRAM_SCALE) + eye * RELAXATION
    power = -gram + eye * (1 - 2.0**-rho)

    def bound(steps: float, _: int) -> float:
        return 1.1 * RELAXATION * min(steps, 1 << rho)  # a margin for rounding, as in `doubling`

    (inverse,), _, _ = yield from doubled(power, [start], [bound], [False] * (rho + _REACHED))
    return inverse.divided_by_power(rho).within(1.1 * RELAXATION)


def _shrunk(far: Share, t: Share, bits: int, error: float) -> Protocol:
    """(signs (2, d), v, z): v is `far` without its last `bits`, z its soft threshold, signs those of z."""
    d = far.shape[0]
    both, words = beyond(far, t.at_scale(far.scale), error)
    step = yield from truncated_step(both, bits, words)
    v = (step.value[:d] + t).within(far.bound)
    return step.bit.reshape(2, d), v, (step.part[:d] - step.part[d:]).within(far.bound)
