"""Models by name: which loss and which penalty they are made of, with the parameters that scikit-learn gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mpcfl.errors import JobError
from mpcfl.models.losses.class_weight import ClassWeight, checked
from mpcfl.models.losses.gamma import Gamma
from mpcfl.models.losses.huber import Huber
from mpcfl.models.losses.logistic import Logistic
from mpcfl.models.losses.poisson import Poisson
from mpcfl.models.losses.squared_hinge import SquaredHinge
from mpcfl.protocols.harmonics import Series
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.penalty import Penalty, penalty_of

LEAST_SQUARES = ("linear", "ridge", "lasso", "elastic_net")
"""They need the Gram matrix only, not every row in every iteration."""
SPARSE = ("lasso", "elastic_net")
BY_ROWS = ("logistic", "svm", "huber", "poisson", "gamma")
MODELS = (*LEAST_SQUARES, *BY_ROWS)
SIGMOID: Mapping[str, float | str] = {"range": 32, "error": 1e-4}
AUTO_RANGES = (16, 32, 64, 128)
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "alpha": ("ridge", "lasso", "elastic_net", "huber", "poisson", "gamma"),
    "C": ("logistic", "svm"),
    "penalty": ("logistic",),
    "l1_ratio": ("logistic", "elastic_net"),
    "classes": ("logistic",),
    "sigmoid": ("logistic",),
    "range": ("svm", "huber"),
    "epsilon": ("huber",),
    "class_weight": ("logistic", "svm"),
    "sample_weight": BY_ROWS,
    "offset": BY_ROWS,
    "exposure": BY_ROWS,
    "unit": ("poisson", "gamma"),
    "log_range": ("poisson", "gamma"),
}
"""The models that have a parameter; a parameter that is not here belongs to all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """Defaults of all models. `sigmoid`: range and error of the series; `range`: of z in piecewise linear losses;
    `unit` and `log_range`: see `mpcfl.models.losses.log_link`."""

    alpha: float = 1.0
    C: float = 1.0
    penalty: str = "l2"
    l1_ratio: float = 0.5
    classes: int = 2
    sigmoid: Mapping[str, float | str] = field(default_factory=lambda: SIGMOID)
    range: float = 32.0
    epsilon: float = 1.35
    class_weight: ClassWeight = None
    unit: float = 1.0
    log_range: int = 8


def mixture_of(model: str, parameters: Parameters) -> Penalty | None:
    """The penalty of lasso and elastic net, beside half the mean of the squared errors; None for others."""
    ratio = {"lasso": 1.0, "elastic_net": parameters.l1_ratio}.get(model)
    return None if ratio is None else replace(penalty_of("elasticnet", parameters.alpha, ratio), per_row=True)


def objective_of(model: str, parameters: Parameters) -> Objective | None:
    """Loss and penalty; None for least squares. JobError where a parameter cannot be."""
    p = parameters
    if p.C <= 0 or p.alpha < 0:
        raise JobError("[model] C must be more than 0, alpha at least 0")
    if model in LEAST_SQUARES:
        return None
    if model == "logistic":
        series, *wider = series_of(p.sigmoid)
        loss = Logistic(series, p.classes, checked(p.class_weight, p.classes), wider)
        return Objective(loss=loss, penalty=penalty_of(p.penalty, 1 / p.C, p.l1_ratio))
    if model == "svm":
        return Objective(loss=SquaredHinge(p.range, checked(p.class_weight)), penalty=Penalty(l2=1 / p.C))
    if model == "huber":  # scikit-learn's loss is twice this one
        return Objective(loss=Huber(p.epsilon, p.range), penalty=Penalty(l2=p.alpha))
    if model == "poisson":  # scikit-learn's penalty stands beside the mean of losses in units of 1
        return Objective(loss=Poisson(p.log_range, p.unit), penalty=Penalty(l2=p.alpha / p.unit, per_row=True))
    if model == "gamma":
        return Objective(loss=Gamma(p.log_range, p.unit), penalty=Penalty(l2=p.alpha, per_row=True))
    raise JobError(f"there is no model '{model}'", hint=f"the models are {', '.join(MODELS)}")


def series_of(sigmoid: Mapping[str, float | str]) -> list[Series]:
    """The shortest series of the sigmoid for a range and an error; for range "auto" those of all ranges, to be used one
    after the other."""
    wanted = sigmoid.get("range", SIGMOID["range"])
    ranges = AUTO_RANGES if wanted == "auto" else (int(wanted),)
    try:
        return [Series.within(one, float(sigmoid.get("error", SIGMOID["error"]))) for one in ranges]
    except ValueError as error:
        raise JobError(f"[model] sigmoid: {error}", hint="allow a larger error or a smaller range") from None
