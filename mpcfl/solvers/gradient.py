"""The classic loop: secret gradient, secret update, each iteration under MPC, on the data as given.

Two rounds and 2 d elements an iteration (PROTOCOLS.md, section 8), after one opening of d^2 for each batch: a gradient
is a product with the batch's pinned Gram matrix, and learning rate and 1/n are already in it (`mpcfl.data.batches`).
Nesterov's gradient, at w - m v, is U w - (m U) v: one product with both matrices, 3 d elements, and no round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from mpcfl.data.batches import STEP_SCALE, Descent, share_batches
from mpcfl.data.facts import Facts
from mpcfl.data.held_out_rows import share_held_out
from mpcfl.data.source import Source
from mpcfl.errors import JobError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, run, together
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share, concatenate, zeros
from mpcfl.solvers.held_out import HeldOut
from mpcfl.solvers.steering import settled
from mpcfl.world.session import Session

_BITS = 33  # of scale and bound of the weights together: U w takes 26 and 2 more, a truncation 62
_MIX_BITS = 20  # of the momentum, where it is worked into a matrix
_MARGIN = 4.0  # |U w - u| and |momentum * v| stay below this times the bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradient:
    """batch: rows of a mini-batch, 0 for all. momentum: heavy ball, or Nesterov's where `nesterov` says
    so. init: "zeros", or "random" from the public seed. tolerance: stop when a step moves the weights by less (0:
    never), looked at after every check_every steps, each look one revealed bit.
    weight_bound: public bound of the weights' size; what they need beyond it costs as many bits of precision.
    loss_every: iterations between two reveals of the training loss (0: never; models of rows only)."""

    learning_rate: float
    iterations: int = 100
    batch: int = 0
    momentum: float = 0.0
    nesterov: bool = False
    init: str = "zeros"
    tolerance: float = 0.0
    check_every: int = 10
    weight_bound: float = 1024.0
    loss_every: int = 0

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.iterations < 1 or self.batch < 0 or not 0 <= self.momentum < 1:
            raise JobError("[solver] gradient needs learning_rate > 0, iterations >= 1, batch >= 0, 0 <= momentum < 1")
        if self.tolerance < 0 or self.check_every < 1 or self.loss_every < 0:
            raise JobError("[solver] tolerance and loss_every must be at least 0, and check_every at least 1")
        if not 1 <= self.weight_bound <= 2.0**24:
            raise JobError("[solver] weight_bound must be from 1 to 2^24")

    def start(self, facts: Facts, fit_intercept: bool, classes: int = 1) -> torch.Tensor:
        """First weights, public: (d',) or (d', classes) float64, d' = d or d + 1."""
        size = len(facts.features) + fit_intercept
        shape = (size,) if classes == 1 else (size, classes)
        if self.init == "zeros":
            return torch.zeros(shape, dtype=torch.float64)
        return torch.from_numpy(np.random.Generator(np.random.PCG64(facts.seed)).normal(size=shape))

    def train(
        self, session: Session, facts: Facts, fit_intercept: bool, alpha: float, own: Source | None, keeper: Keeper
    ) -> Share:
        """Weights after the given number of iterations, the intercept last if there is one, still shared."""
        first = self.start(facts, fit_intercept)
        descent = Descent(
            learning_rate=self.learning_rate,
            iterations=self.iterations,
            momentum=self.momentum,
            batch=self.batch,
            fit_intercept=fit_intercept,
            weight_bound=self.weight_bound,
            alpha=alpha,
            start=float(first.norm()),
            nesterov=self.nesterov,
        )
        shared = share_batches(session, own, facts, descent)
        parts = [self._matrix(step, facts, fit_intercept, alpha) for step in shared]
        if self.nesterov and self.momentum:
            looks = together(session, *[self._ahead(matrix) for matrix, _ in parts])
            parts = [(concatenate([matrix, -look]), u) for (matrix, u), look in zip(parts, looks, strict=True)]
        return self._descend(session, [(Pinned(matrix), u) for matrix, u in parts], first, keeper)

    def held_out(self, session: Session, facts: Facts, fit_intercept: bool, own: Source | None) -> HeldOut:
        """The rows that stay out, to be predicted at the end: pinned, where those that train are known by their Gram
        matrices. Cost: that of `share_held_out` and of `Pinned.opened`, m d' elements for m rows."""
        x, target = share_held_out(session, own, facts, fit_intercept, self.weight_bound)
        return HeldOut(Pinned.opened(x), None, target)

    def _matrix(self, step: Share, facts: Facts, fit_intercept: bool, alpha: float) -> tuple[Share, Share]:
        """The symmetric matrix U, with the ridge penalty, and the constant u."""
        d = len(facts.features)
        size = d + fit_intercept
        penalty = torch.zeros(size, size, dtype=torch.float64)
        penalty[:d, :d] = torch.eye(d, dtype=torch.float64) * (alpha * self.learning_rate / facts.training_rows)
        return (step[:size, :size] + penalty).within(2.0), step[:size, size]

    def _ahead(self, matrix: Share) -> Protocol:
        """momentum * U. Cost: 1 round and d^2 elements, once."""
        scaled = (matrix * round(self.momentum * 2**_MIX_BITS)).divided_by_power(_MIX_BITS)
        return truncation(scaled.within(2.0), _MIX_BITS)

    def _descend(
        self, session: Session, steps: list[tuple[Pinned, Share]], first: torch.Tensor, keeper: Keeper
    ) -> Share:
        scale = _BITS - math.ceil(math.log2(self.weight_bound))
        w = zeros(session, tuple(first.shape), scale=scale) + first
        velocity = zeros(session, tuple(first.shape), scale=scale)
        momentum = round(self.momentum * 2**STEP_SCALE)
        done, state = keeper.resume({"weights": w, "velocity": velocity})
        w, velocity = state["weights"], state["velocity"]
        for i in range(done, self.iterations):
            session.step("gradient descent", i + 1, self.iterations)
            pinned, target = steps[i % len(steps)]
            opening = [pinned.opening()] if i - done < len(steps) else []
            point = w if len(pinned.x) == len(w) else concatenate([w, velocity])
            *_, change = together(session, *opening, pinned.transposed_times(point))
            step = change.within(_MARGIN * self.weight_bound) - target.at_scale(change.scale)
            if momentum:
                step = step + (velocity * momentum).divided_by_power(STEP_SCALE)
            velocity = run(session, truncation(step.within(_MARGIN * self.weight_bound), STEP_SCALE))
            w = (w - velocity).within(self.weight_bound)
            keeper.offer(i + 1, {"weights": w, "velocity": velocity})
            if self.tolerance and i + 1 < self.iterations and (i + 1) % self.check_every == 0:
                if settled(velocity, self.tolerance):
                    break
        return w
