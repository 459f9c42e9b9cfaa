"""Models that need every row in every iteration, with scikit-learn's names: the base of them, and those for classes.

model = mpcfl.LogisticRegression(classes=10, solver=mpcfl.Gradient(learning_rate=0.5, momentum=0.9))
model.fit(session, my_rows, target="digit").predict_proba(x)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Aside, Facts
from mpcfl.errors import JobError
from mpcfl.models.estimator import Array, Estimator
from mpcfl.models.families import SIGMOID, Parameters, objective_of
from mpcfl.models.links import mean_of
from mpcfl.models.losses.class_weight import ClassWeight
from mpcfl.models.settings import Settings, Solver
from mpcfl.models.training import Outcome
from mpcfl.world.session import Session


class ByRows(Estimator):
    """Columns of mean about 0 and variance about 1, by constants that all parties agree on.

    solver: `FixedHessian()` or `Newton()`: the optimum; or `Gradient(learning_rate=...)`: so many steps. The sum of
    losses and penalty that scikit-learn minimises is divided by the rows of a batch, so that a learning rate suits any
    number of rows. fit_intercept: the intercept is never penalised. metrics: of held-out rows (`test_fraction` of each
    table), to be revealed: see `mpcfl.models.metrics.MODELS_OF`. to: names of the parties that learn the result;
    default all that own data or compute. GuardError from `fit`: a row left the range in which the loss is right, or the
    optimum was not reached.
    """

    model: str
    """Its name in a job file."""

    def __init__(
        self,
        *,
        solver: Solver | None = None,
        fit_intercept: bool = True,
        metrics: Sequence[str] = (),
        test_fraction: float = 0.0,
        seed: int = 0,
        to: Sequence[str] | None = None,
    ) -> None:
        if solver is None:
            raise JobError(
                f"{type(self).__name__} has no default solver",
                hint="solver=mpcfl.Gradient(learning_rate=0.1), mpcfl.FixedHessian() or mpcfl.Newton()",
            )
        self.solver, self.fit_intercept, self.seed, self.to = solver, fit_intercept, seed, to
        self.metrics, self.test_fraction = tuple(metrics), test_fraction

    def fit(
        self,
        session: Session,
        data: Any,
        *,
        target: str,
        partition: str = "horizontal",
        sample_weight: str | None = None,
        offset: str | None = None,
        exposure: str | None = None,
    ) -> Self:
        """As `Estimator.fit`. sample_weight, offset, exposure: columns of the tables that are no features: the weight
        of a row, 0 to 16; what is added to X w; what the logarithm of is added to X w."""
        return self._fit(
            session, data, target, partition, Aside(weight=sample_weight, offset=offset, exposure=exposure)
        )

    @property
    @abstractmethod
    def parameters(self) -> Parameters:
        """What the loss and the penalty are made with."""

    def settings(self) -> Settings:
        return Settings(
            model=self.model,
            objective=objective_of(self.model, self.parameters),
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            metrics=self.metrics,
            to=self.to,
        )


class Classifier(ByRows):
    """Labels are coded 0, 1, ... in every owner's table. `classes_`: these, float64, after `fit`."""

    classes = 2

    def decision_function(self, x: npt.ArrayLike) -> Array:
        """x (n, d) -> (n,), more than 0 for class 1; with more than two classes (n, classes), the likeliest largest."""
        return self._linear(x)

    def predict(self, x: npt.ArrayLike) -> Array:
        """x (n, d) -> (n,): the likeliest class."""
        z = self._linear(x)
        return (z > 0 if z.ndim == 1 else z.argmax(axis=1)).astype(np.float64)

    def score(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Accuracy: the part of rows whose label, y (n,), is predicted."""
        return float((self.predict(x) == np.asarray(y)).mean())

    def _keep(self, outcome: Outcome, facts: Facts, session: Session) -> None:
        super()._keep(outcome, facts, session)
        self.classes_ = np.arange(self.classes, dtype=np.float64)


class LogisticRegression(Classifier):
    """Logistic regression; more than two classes one against the rest each, as OneVsRestClassifier does, all at once.

    C: inverse of the penalty. penalty: "l2", "l1", "elasticnet" or "none". classes: their number, which is public.
    class_weight: weights of the rows by class, {0: 1.0, 1: 5.0}, or "balanced": n / classes / rows of the class, the
    same against every rest; it reveals how many rows each class has. sigmoid: {"range": 32, "error": 1e-4}, where
    |X w| may be and how exact the sigmoid is there; range "auto" begins with 16 and widens it when a row leaves it, at
    the price of one revealed bit a check.
    coef_ (d,) and intercept_ a number; with more than two classes (classes, d) and (classes,).
    """

    model = "logistic"

    def __init__(
        self,
        *,
        C: float = 1.0,
        penalty: str = "l2",
        l1_ratio: float = 0.5,
        classes: int = 2,
        class_weight: ClassWeight = None,
        sigmoid: Mapping[str, float | str] = SIGMOID,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.C, self.penalty, self.l1_ratio = C, penalty, l1_ratio
        self.classes, self.class_weight, self.sigmoid = classes, class_weight, sigmoid

    @property
    def parameters(self) -> Parameters:
        return Parameters(
            C=self.C,
            penalty=self.penalty,
            l1_ratio=self.l1_ratio,
            classes=self.classes,
            class_weight=self.class_weight,
            sigmoid=self.sigmoid,
        )

    def predict_proba(self, x: npt.ArrayLike) -> Array:
        """x (n, d) -> (n, classes): the probability of every class; rows add up to 1."""
        found = mean_of(self.model, self._linear(x))
        return np.stack([1 - found, found], axis=1) if found.ndim == 1 else found


class LinearSVC(Classifier):
    """Linear support vector machine with squared hinge loss, for two classes.

    C: inverse of the penalty. class_weight: as in `LogisticRegression`. range: bound of |X w|. Labels may be -1 and 1
    as well; `predict` gives 0 and 1.
    scikit-learn's LinearSVC penalises the intercept (see its `intercept_scaling`); here it is free.
    """

    model = "svm"

    def __init__(
        self, *, C: float = 1.0, class_weight: ClassWeight = None, range: float = 32.0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.C, self.class_weight, self.range = C, class_weight, range

    @property
    def parameters(self) -> Parameters:
        return Parameters(C=self.C, class_weight=self.class_weight, range=self.range)

    def score(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Accuracy; labels y (n,) are 0 and 1, or -1 and 1."""
        return super().score(x, np.asarray(y) == 1)
