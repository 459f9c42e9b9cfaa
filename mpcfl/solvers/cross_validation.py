"""K-fold cross-validation of K penalties in the rounds of one training: all (penalty, fold) pairs are columns.

X is pinned once, and the weights are a matrix W (d', penalties * folds), of several classes (d', penalties * folds *
classes), with the classes of a pair side by side. A row counts in the columns of the other folds
than its own: the error of the others is multiplied by 0, a public factor, for nothing. What is left is multiplied by
n / (rows of the other folds), rounded to 1/16, so that every column takes steps of the learning rate over the rows that
it is trained on. Afterwards one product for each fold gives what the models that have not seen it predict.

The rows are shared at the scales that the strongest penalty leaves, and the final training over all rows uses the same:
so it pins nothing again, and costs the same whichever penalty has won.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.folds import folds_of
from mpcfl.data.source import Source
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share
from mpcfl.solvers.column_penalty import ColumnPenalty
from mpcfl.solvers.descent import iterate, scales_of_descent
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.pinned_rows import PACE_BITS, Batches, pin_rows
from mpcfl.solvers.row_gradient import layout_of
from mpcfl.solvers.solution import Optimum
from mpcfl.solvers.steering import stayed
from mpcfl.world.session import Session


def pace_of(facts: Facts, count: int) -> float:
    """What errors of rows are multiplied by: all rows over those that train beside a fold, in sixteenths."""
    rows = facts.training_rows
    return round(rows / (rows - rows // count) * 2**PACE_BITS) / 2**PACE_BITS


class CrossValidation:
    """Shares and pins the rows. `objectives`: one loss with several penalties. Cost: that of `pin_rows`, once."""

    def __init__(
        self,
        session: Session,
        facts: Facts,
        objectives: Sequence[Objective],
        solver: Gradient,
        fit_intercept: bool,
        own: Source | None,
        count: int,
    ) -> None:
        self._session, self._facts, self._solver, self._fit_intercept = session, facts, solver, fit_intercept
        self._loss = objectives[0].loss
        self._penalties = [objective.penalty for objective in objectives]
        self._loss.agree(session)
        self.folds = folds_of(facts, count)
        strongest = self._objective(facts.training_rows)
        chosen, self._pace = batches(facts, solver.batch), pace_of(facts, count)
        self._scales = scales_of_descent(facts, strongest, solver, max(map(len, chosen)), self._pace)
        layout = layout_of(facts, strongest, self._scales, fit_intercept)
        self._rows = pin_rows(session, own, facts, chosen, replace(layout, target=self._loss.target))

    def train(self, keeper: Keeper) -> tuple[Share, Share]:
        """(weights (d', penalties * folds * classes), the folds of a penalty side by side; bit: no row left the range
        in a column in which it counts). Cost: rounds as one training, and as many bytes as that for each column."""
        whole, count, classes = self._rows.whole, len(self.folds), self._loss.classes
        n, pairs = whole.x.x.shape[0], len(self._penalties) * count
        mask = np.full((n, len(self._penalties), count, classes), round(self._pace * 2**PACE_BITS))
        for fold, rows in enumerate(self.folds):
            mask[rows, :, fold] = 0
        response, offset = (
            None if part is None else part.reshape(n, 1, classes).expand(n, pairs, classes).reshape(n, pairs * classes)
            for part in (whole.response, whole.offset)
        )
        masked = replace(whole, response=response, offset=offset, mask=torch.from_numpy(mask.reshape(n, -1)))
        first = self._solver.start(self._facts, self._fit_intercept, classes).reshape(-1, classes).repeat(1, pairs)
        state = iterate(
            self._session,
            Batches(masked, self._rows.chosen),
            first,
            self._objective(self._facts.training_rows - len(self.folds[-1])),
            self._solver,
            self._scales.paced(),
            len(self._facts.features),
            keeper,
        )
        return state.w, run(self._session, stayed(state.left, self._loss))

    def predictions(self, weights: Share) -> Protocol:
        """For each fold (z (rows, penalties * classes), target): X w + offset by the models that have not seen it.

        Cost: 2 rounds, 2 d' elements for each column and, with an offset, n for each penalty; those of
        `Loss.prediction`."""
        count, protocols, targets = len(self.folds), [], []
        columns = torch.arange(weights.shape[1]).reshape(-1, count, self._loss.classes)
        for fold, rows in enumerate(self.folds):
            apart = self._rows.whole.apart(rows)
            if apart is None:
                raise ValueError("a fold without rows, or a loss without a target")
            protocols.append(apart.scores(weights[:, columns[:, fold].reshape(-1)]))
            targets.append(apart.target)
        scores = yield from parallel(*protocols)
        restored = yield from parallel(*[self._loss.prediction(z, y) for z, y in zip(scores, targets, strict=True)])
        return list(zip(restored, targets, strict=True))

    def finish(self, penalty: int) -> Optimum:
        """Train on all rows with one of the penalties. Cost: that of one training, without `pin_rows`."""
        facts, solver, loss = self._facts, self._solver, self._loss
        objective = Objective(loss=loss, penalty=self._penalties[penalty]).over(facts.training_rows)
        first = solver.start(facts, self._fit_intercept, loss.classes)
        state = iterate(
            self._session, self._rows, first, objective, solver, self._scales, len(facts.features), Keeper()
        )
        return Optimum(state.w, run(self._session, stayed(state.left, loss)), None, self._rows.whole.held_out)

    def _objective(self, rows: int) -> Objective:
        penalty = ColumnPenalty.of(self._penalties, len(self.folds) * self._loss.classes)
        return Objective(loss=self._loss, penalty=penalty).over(rows)
