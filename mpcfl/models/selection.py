"""Which values of a parameter are to be compared, and by what: the choice of a penalty by cross-validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mpcfl.errors import JobError
from mpcfl.models.families import LEAST_SQUARES, PARAMETERS, Parameters, mixture_of, objective_of
from mpcfl.models.metrics import MODELS_OF, OF_CLASSES
from mpcfl.solvers.class_scores import MOST as MOST_CLASSES
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty

METRIC_OF: Mapping[str, str] = {
    "ridge": "mse",
    "lasso": "mse",
    "elastic_net": "mse",
    "logistic": "log_loss",
    "svm": "accuracy",
    "huber": "mse",
    "poisson": "deviance",
    "gamma": "deviance",
}
"""The models that can be selected, and the metric if none is named; of more than two classes it is the accuracy."""
SELECTABLE = ("C", "alpha")
REVEALED = ("winner", "scores")
MOST_VALUES, MOST_FOLDS = 16, 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """values: of `parameter`, all different; objectives: what each of them means, or for least squares penalties: of
    ridge beside the sum of the squared errors, of lasso and elastic net beside half their mean. reveal: "winner", only
    which is best, or "scores", the mean metric of each as well."""

    parameter: str
    values: tuple[float, ...]
    objectives: tuple[Objective, ...]
    penalties: tuple[Penalty, ...]
    folds: int
    metric: str
    reveal: str


def selection_of(
    model: str,
    parameters: Parameters,
    *,
    values: Sequence[float],
    parameter: str | None = None,
    folds: int = 5,
    metric: str | None = None,
    reveal: str = "winner",
) -> Selection:
    """Checked, with what is left out filled in by the model. JobError names the setting."""
    if model not in METRIC_OF:
        raise JobError(
            f"[select] is for models with a penalty, not for '{model}'", hint=f"the models are {', '.join(METRIC_OF)}"
        )
    own = next(name for name in SELECTABLE if model in PARAMETERS[name])
    if parameter is not None and parameter != own:
        raise JobError(f"[select] parameter: '{parameter}' cannot be selected for model '{model}'", hint=f'use "{own}"')
    if not 2 <= len(values) <= MOST_VALUES or len(set(values)) < len(values):
        raise JobError(f"[select] values must be 2 to {MOST_VALUES} different numbers")
    least = 0.0 if own == "alpha" else math.ulp(0.0)
    if not all(least <= value < math.inf for value in values):
        raise JobError(f"[select] values: {own} must be {'at least' if own == 'alpha' else 'more than'} 0")
    if not 2 <= folds <= MOST_FOLDS:
        raise JobError(f"[select] folds must be 2 to {MOST_FOLDS}")
    several = parameters.classes > 2
    possible = [name for name, models in MODELS_OF.items() if model in models and name != "r2"]
    if several:
        possible = [name for name in possible if name in OF_CLASSES]
    if metric is not None and metric not in possible:
        whose = f"{parameters.classes} classes" if several else f"model '{model}'"
        raise JobError(f"[select] metric: '{metric}' is not for {whose}", hint=f"one of {', '.join(possible)}")
    if parameters.classes > MOST_CLASSES:
        raise JobError(f"[select] is for up to {MOST_CLASSES} classes, not {parameters.classes}")
    if reveal not in REVEALED:
        raise JobError(f"[select] reveal must be one of {', '.join(REVEALED)}")
    candidates = [_with(parameters, own, float(value)) for value in values]
    objectives = [objective_of(model, candidate) for candidate in candidates]
    return Selection(
        parameter=own,
        values=tuple(map(float, values)),
        objectives=tuple(objective for objective in objectives if objective is not None),
        penalties=tuple(_penalty(model, candidate) for candidate in candidates) if model in LEAST_SQUARES else (),
        folds=folds,
        metric=metric or ("accuracy" if several else METRIC_OF[model]),
        reveal=reveal,
    )


def _with(parameters: Parameters, name: str, value: float) -> Parameters:
    return replace(parameters, C=value) if name == "C" else replace(parameters, alpha=value)


def _penalty(model: str, parameters: Parameters) -> Penalty:
    return mixture_of(model, parameters) or Penalty(l2=parameters.alpha)
