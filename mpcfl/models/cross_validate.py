"""Choose a penalty by cross-validation from Python.

model = mpcfl.LogisticRegression(solver=mpcfl.Gradient(learning_rate=0.5))
mpcfl.cross_validate(session, my_rows, target="y", model=model, values=[0.01, 0.1, 1.0])
print(model.selection_["winner"], model.coef_)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mpcfl.data.facts import Aside
from mpcfl.errors import JobError
from mpcfl.models.by_rows import ByRows
from mpcfl.models.lasso import Lasso
from mpcfl.models.linear import Ridge
from mpcfl.models.selection import selection_of
from mpcfl.world.session import Session

Model = TypeVar("Model", bound=ByRows | Ridge | Lasso)


def cross_validate(
    session: Session,
    data: Any,
    *,
    target: str,
    model: Model,
    values: Sequence[float],
    parameter: str | None = None,
    folds: int = 5,
    metric: str | None = None,
    reveal: str = "winner",
    partition: str = "horizontal",
    sample_weight: str | None = None,
    offset: str | None = None,
    exposure: str | None = None,
) -> Model:
    """`model`, fitted with the best of `values` (of equal ones the first), which every party learns; the other
    arguments as in `ByRows.fit`, and all parties pass the same.

    model: `Ridge`, `Lasso`, `ElasticNet`, or of rows with `Gradient`. values: 2 to 16 of its penalty, C or alpha;
    `parameter` names it. folds: 2 to 20 of the training rows, by the model's public seed. metric: log_loss, accuracy,
    auc, mse or deviance, default by model; of more than two classes accuracy or auc.
    reveal: "winner", only which value is best; "scores", the mean metric of each as well, to the model's receivers.

    After it: model.C (or alpha) is the winner; selection_ {parameter, values, folds, metric, winner, and scores where
    revealed}. JobError for an argument that cannot be; GuardError as in `fit`, in any of the folds.
    """
    selection = selection_of(
        model.model,
        model.parameters,
        values=values,
        parameter=parameter,
        folds=folds,
        metric=metric,
        reveal=reveal,
    )
    settings = replace(model.settings(), selection=selection)
    if selection.objectives:
        settings = replace(settings, objective=selection.objectives[0])
    elif sample_weight or offset or exposure:
        raise JobError("sample_weight, offset and exposure are for models of rows", hint="leave them out")
    aside = Aside(weight=sample_weight, offset=offset, exposure=exposure)
    model._fit(session, data, target, partition, aside, settings)
    setattr(model, selection.parameter, model.selection_["winner"])
    return model
