"""Models by name: which loss and which penalty they are made of, with the parameters that scikit-learn gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mpcfl.errors import JobError
from mpcfl.models.losses.class_weight import ClassWeight, checked
from mpcfl.models.losses.huber import Huber
from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.losses.squared_hinge import SquaredHinge
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty, penalty_of

LEAST_SQUARES = ("linear", "ridge")
"""They need the Gram matrix only, not every row in every iteration."""
BY_ROWS = ("logistic", "svm", "huber")
MODELS = (*LEAST_SQUARES, *BY_ROWS)
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "alpha": ("ridge", "huber"),
    "C": ("logistic", "svm"),
    "penalty": ("logistic",),
    "l1_ratio": ("logistic",),
    "sigmoid": ("logistic",),
    "range": ("svm", "huber"),
    "epsilon": ("huber",),
    "class_weight": ("logistic", "svm"),
    "sample_weight": BY_ROWS,
    "offset": BY_ROWS,
    "exposure": BY_ROWS,
}
"""The models that have a parameter; a parameter that is not here belongs to all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """Defaults of all models. `sigmoid`: range and error of the series; `range`: of z in piecewise linear losses."""

    alpha: float = 1.0
    C: float = 1.0
    penalty: str = "l2"
    l1_ratio: float = 0.5
    sigmoid: Mapping[str, float] = field(default_factory=lambda: {"range": 32, "error": 1e-4})
    range: float = 32.0
    epsilon: float = 1.35
    class_weight: ClassWeight = None


def objective_of(model: str, parameters: Parameters) -> Objective | None:
    """Loss and penalty; None for least squares. JobError where a parameter cannot be."""
    p, class_weight = parameters, checked(parameters.class_weight)
    if model in LEAST_SQUARES:
        return None
    if model == "logistic":
        return Objective(
            loss=Logistic(series_of(p.sigmoid), class_weight=class_weight),
            penalty=penalty_of(p.penalty, 1 / p.C, p.l1_ratio),
        )
    if model == "svm":
        return Objective(loss=SquaredHinge(p.range, class_weight), penalty=Penalty(l2=1 / p.C))
    if model == "huber":
        return Objective(loss=Huber(p.epsilon, p.range), penalty=Penalty(l2=2 * p.alpha))
    raise JobError(f"there is no model '{model}'", hint=f"the models are {', '.join(MODELS)}")


def series_of(sigmoid: Mapping[str, float]) -> Series:
    """The shortest series of the sigmoid for a range and an error."""
    try:
        return Series.within(int(sigmoid.get("range", 32)), float(sigmoid.get("error", 1e-4)))
    except ValueError as error:
        raise JobError(f"[model] sigmoid: {error}", hint="allow a larger error or a smaller range") from None
