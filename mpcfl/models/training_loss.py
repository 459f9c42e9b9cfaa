"""The loss of the training rows on the way, where the job asks for it: a number that is revealed every k iterations.

It is the metric that held-out rows would have, of all rows that train, whatever the batches are: the mean log loss or
deviance, without penalty, and every row counts once. What has been revealed is what a keeper could have kept: where the
range is "auto", nothing of a state that is gone back behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mpcfl.data.facts import Facts
from mpcfl.models.losses.log_link import LogLink
from mpcfl.models.metrics import finished
from mpcfl.protocols.rounds import Protocol, run
from mpcfl.sharing.keeper import Keeper, State
from mpcfl.sharing.reveal import reveal
from mpcfl.sharing.share import Share
from mpcfl.solvers.held_out import HeldOut
from mpcfl.solvers.objective import Loss
from mpcfl.solvers.pinned_rows import PinnedRows
from mpcfl.solvers.scores import log_loss
from mpcfl.solvers.steering import stayed

LOSS_OF: Mapping[str, str] = {"logistic": "log_loss", "poisson": "deviance", "gamma": "deviance"}
"""Models whose loss there is a protocol for, and what it is called as a metric."""
_GUARD = "guard: the rows of this loss stayed in range"
_REASONS = {_GUARD: "one bit: beyond the range of the loss its value would be wrong"}


class TrainingLoss:
    """every: iterations between two values. to: names of the parties that learn them. seen: (iterations, mean loss) of
    each so far, empty at other parties; not a number where a row was out of range."""

    def __init__(self, facts: Facts, model: str, loss: Loss, every: int, to: Sequence[str] | None) -> None:
        self._facts, self._metric, self._loss, self.every, self._to = facts, LOSS_OF[model], loss, every, to
        self.seen: list[tuple[int, float]] = []

    def beside(self, keeper: Keeper, rows: PinnedRows) -> Keeper:
        """What the loop offers its states to; rows: all that train."""
        if rows.target is None:
            raise ValueError("the targets of these rows were not shared")
        return _Watched(keeper, self, HeldOut(rows.x, rows.offset, rows.target))

    def look(self, step: int, rows: HeldOut, w: Share) -> None:
        """Reveal the loss at w (d',). Cost: that of `HeldOut.scores` and of the metric, 3 rounds for a deviance's
        guard, 1 to reveal."""
        what = f"{self._metric} of the training rows"
        found = reveal(
            run(w.session, self._outputs(what, rows, w)),
            to=self._to,
            reason=f"loss_every = {self.every}, after iteration {step}",
            reasons=_REASONS,
        )
        if found[what].device.type == "meta":
            return
        right = round(float(found[_GUARD])) if _GUARD in found else 1
        value = finished(self._metric, float(found[what]), self._facts.training_rows, self._loss)
        self.seen.append((step, value if right else math.nan))
        w.session.news = f"loss {self.seen[-1][1]:.4g}"

    def _outputs(self, what: str, rows: HeldOut, w: Share) -> Protocol:
        z = yield from rows.scores(w)
        z = (yield from self._loss.prediction(z.reshape(-1, 1), rows.target)).reshape(-1)
        if not isinstance(self._loss, LogLink):
            return {what: (yield from log_loss(z, rows.target))}
        total, left = yield from self._loss.deviance(z, rows.target)
        return {what: total, _GUARD: (yield from stayed(left))}


class _Watched(Keeper):
    """A keeper beside which every state that is due is looked at, after it has been kept."""

    def __init__(self, keeper: Keeper, loss: TrainingLoss, rows: HeldOut) -> None:
        super().__init__(keeper.start, stage=keeper.stage)
        self._keeper, self._loss, self._rows, self._last = keeper, loss, rows, keeper.start

    def resume(self, state: State) -> tuple[int, dict[str, Share]]:
        return self._keeper.resume(state)

    def offer(self, step: int, state: State, stage: int = 0) -> None:
        """Cost: that of `TrainingLoss.look`, every so many iterations."""
        self._keeper.offer(step, state, stage)
        if step // self._loss.every > self._last // self._loss.every:
            self._last = step
            self._loss.look(step, self._rows, state["w"])
