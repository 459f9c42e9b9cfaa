"""How good each candidate is in cross-validation, shared: the metric of what the models of the folds predict."""

from __future__ import annotations

from collections.abc import Sequence

from mpcfl.data.facts import Facts
from mpcfl.models.losses.log_link import LogLink
from mpcfl.models.metrics import OF_CLASSES, clipped, finished
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share, concatenate
from mpcfl.solvers.objective import Loss
from mpcfl.solvers.ranking import area_under_curve
from mpcfl.solvers.residuals import sum_of_squared_errors
from mpcfl.solvers.scores import correct, log_loss
from mpcfl.solvers.steering import stayed

LARGER_IS_BETTER = ("accuracy", "auc")
_PROTOCOLS = {"accuracy": correct, "log_loss": log_loss, "mse": sum_of_squared_errors, "auc": area_under_curve}


def fold_scores(metric: str, loss: Loss, predicted: Sequence[tuple[Share, Share]]) -> Protocol:
    """(scores (K,), guard () or None) of z (rows of a fold, K), of several classes (rows, K classes), and targets for
    each fold. A score is a sum over all rows, for the area under the curve over the folds and classes (a fold without
    rows of one class has 0).

    Cost: rounds of the metric once, of `clip` before an mse, of `stayed` after a deviance; bytes for every candidate.
    """
    classes = loss.classes
    protocols = _PROTOCOLS if classes == 1 else OF_CLASSES
    count = predicted[0][0].shape[1] // classes

    def of(z: Share, k: int) -> Share:
        return z[:, k] if classes == 1 else z[:, k * classes : (k + 1) * classes]

    if metric == "auc":
        areas = [protocols[metric](of(z, k), y) for k in range(count) for z, y in predicted]
        found = concatenate([area.reshape(1) for area in (yield from parallel(*areas))])
        return found.reshape(count, len(predicted)).sum(1), None
    z, y = (concatenate(parts) for parts in zip(*predicted, strict=True))
    if isinstance(loss, LogLink):
        pairs = yield from parallel(*[loss.deviance(z[:, k], y) for k in range(count)])
        left = concatenate([gone.reshape(1) for _, gone in pairs]).sum(0)
        return concatenate([total.reshape(1) for total, _ in pairs]), (yield from stayed(left))
    if metric == "mse":
        z = yield from clipped(z, y)
    totals = yield from parallel(*[protocols[metric](of(z, k), y) for k in range(count)])
    return concatenate([total.reshape(1) for total in totals]), None


def mean_score(metric: str, total: float, facts: Facts, folds: int, loss: Loss) -> float:
    """The mean over the rows, or for the area under the curve over the folds and classes."""
    return total / folds / loss.classes if metric == "auc" else finished(metric, total, facts.training_rows, loss)
