"""Metrics of held-out rows, by name: which models have them, and how models of rows compute them under MPC.

What is revealed is a sum over the rows, or the metric itself; `finished` divides in plaintext. All rows count the same,
whatever their weights in training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from mpcfl.data.facts import Facts
from mpcfl.errors import DataError, JobError
from mpcfl.models.losses.log_link import LogLink
from mpcfl.protocols.piecewise import clip
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share
from mpcfl.solvers.class_scores import MOST, areas_of_classes, correct_of_classes
from mpcfl.solvers.held_out import HeldOut
from mpcfl.solvers.objective import Loss
from mpcfl.solvers.ranking import area_under_curve
from mpcfl.solvers.residuals import squared_error, unexplained
from mpcfl.solvers.scores import correct, log_loss
from mpcfl.solvers.steering import stayed

MODELS_OF: Mapping[str, tuple[str, ...]] = {
    "r2": ("linear", "ridge", "lasso", "elastic_net", "huber"),
    "mse": ("linear", "ridge", "lasso", "elastic_net", "huber"),
    "accuracy": ("logistic", "svm"),
    "log_loss": ("logistic",),
    "auc": ("logistic", "svm"),
    "deviance": ("poisson", "gamma"),
}
PREDICTED = "guard: held-out rows stayed in range"
METRICS = tuple(MODELS_OF)
_PROTOCOLS: Mapping[str, Callable[[Share, Share], Protocol]] = {
    "r2": unexplained,
    "mse": squared_error,
    "accuracy": correct,
    "log_loss": log_loss,
    "auc": area_under_curve,
}
OF_CLASSES: Mapping[str, Callable[[Share, Share], Protocol]] = {
    "accuracy": correct_of_classes,
    "auc": areas_of_classes,
}
"""Of more than two."""
_SUMS = ("mse", "accuracy", "log_loss", "deviance")
_OF_VALUES = {"r2", "mse"}
_FARTHEST = 2.0  # times the largest target: the bound of the weights is a poor one, and costs precision
_LEAST_ROWS = 2


def check_metrics(model: str, metrics: Sequence[str], classes: int = 2) -> None:
    """JobError for a metric that this model has not, or not of so many classes, with those that it has."""
    if classes > MOST and metrics:
        raise JobError(f"[evaluate] metrics are for up to {MOST} classes, not {classes}", hint="leave metrics out")
    for metric in metrics:
        if classes > 2 and model in MODELS_OF.get(metric, ()) and metric not in OF_CLASSES:
            raise JobError(
                f"[evaluate] metrics: '{metric}' is for two classes, not for {classes}",
                hint=f"of more classes there is {', '.join(OF_CLASSES)}",
            )
        if model not in MODELS_OF.get(metric, ()):
            having = [name for name, models in MODELS_OF.items() if model in models]
            raise JobError(
                f"[evaluate] metrics: '{metric}' is not for model '{model}'",
                hint=f"it has {', '.join(having)}" if having else "leave metrics out",
            )


def check_rows(facts: Facts) -> None:
    """DataError: fewer than two rows are held out."""
    if facts.test_rows < _LEAST_ROWS:
        raise DataError(f"metrics need two held-out rows, there are {facts.test_rows}", hint="raise test_fraction")


def metrics_by_rows(
    facts: Facts, held_out: HeldOut | None, weights: Share, loss: Loss | None, metrics: Sequence[str]
) -> Protocol:
    """What is to be revealed, by metric, and for the deviance its guard; loss: None for least squares. DataError: fewer
    than two rows are held out.

    r2, mse: a prediction beyond twice what the target can be counts as that. Cost: that of `HeldOut.scores`, for r2 and
    mse that of `clip`, and of the metrics, which share their rounds.
    """
    check_rows(facts)
    if held_out is None:
        raise ValueError("the held-out rows were not shared")
    z = yield from held_out.scores(weights)
    if set(metrics) & _OF_VALUES:
        z = yield from clipped(z, held_out.target)
    if isinstance(loss, LogLink):
        total, left = yield from loss.deviance(z, held_out.target)
        return {"deviance": total, PREDICTED: (yield from stayed(left))}
    protocols = _PROTOCOLS if loss is None or loss.classes == 1 else OF_CLASSES
    found = yield from parallel(*[protocols[metric](z, held_out.target) for metric in metrics])
    return dict(zip(metrics, found, strict=True))


def clipped(z: Share, target: Share) -> Protocol:
    """Predictions no larger than twice what the target can be. Cost: that of `clip`."""
    return (yield from clip(z, _FARTHEST * target.bound, error=target.bound / 4))


def finished(metric: str, value: float, rows: int, loss: Loss | None = None) -> float:
    """The metric over so many held-out rows, from what was revealed. Not a number: the area under the curve of rows of
    one class, or where one of several is missing."""
    if isinstance(loss, LogLink):
        value *= loss.deviance_unit
    if metric == "r2":
        return 1 - value
    if metric == "auc":
        return value / (loss.classes if loss else 1) if value else math.nan
    return value / rows if metric in _SUMS else value
