"""What all estimators have in common: scikit-learn's names and shapes, `fit` together with the other parties."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Aside, Facts, agree_on_facts
from mpcfl.data.source import Source
from mpcfl.data.table import Table
from mpcfl.models.settings import Settings
from mpcfl.models.training import Outcome, train
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]


class Estimator(ABC):
    """Every party makes one with the same arguments. After `fit`, at the parties that learn the result (NaN at others):

    coef_ (d,) float64 and intercept_, on the scale of the data, feature_names_in_, n_features_in_, ledger_ (what was
    revealed), costs_ (rounds and bytes that this party sent, by phase and protocol), metrics_ by name.
    """

    coef_: Array
    intercept_: float | Array
    test_fraction: float = 0.0
    seed: int = 0

    @abstractmethod
    def settings(self) -> Settings:
        """What `fit` asks the training program for. JobError for an argument that cannot be."""

    def fit(self, session: Session, data: Any, *, target: str, partition: str = "horizontal") -> Self:
        """Train with the other parties of `session`, which call this with their own data.

        data: this party's table with named columns (a `Source`, pandas, pyarrow, a mapping of arrays), or None. target:
        the column to predict. DataError, AgreementError, GuardError, HeadroomError, PartyError as in `mpcfl.errors`.
        """
        return self._fit(session, data, target, partition, Aside())

    def _fit(
        self, session: Session, data: Any, target: str, partition: str, aside: Aside, settings: Settings | None = None
    ) -> Self:
        settings = settings or self.settings()
        table = data if isinstance(data, Source) or data is None else Table.of(data, target=target)
        schema = table.schema if table is not None else None
        facts = agree_on_facts(
            session, partition, schema, target, test_fraction=self.test_fraction, seed=self.seed, aside=aside
        )
        self._keep(train(session, facts, settings, table), facts, session)
        return self

    def predict(self, x: npt.ArrayLike) -> Array:
        """x (n, d) in the order of feature_names_in_ -> (n,), in plaintext with the revealed weights."""
        return self._linear(x)

    def score(self, x: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """R^2 of `predict(x)`, as in scikit-learn: 1 for a perfect fit, 0 for the mean of y (n,)."""
        wanted = np.asarray(y, dtype=np.float64)
        return 1 - float(((wanted - self.predict(x)) ** 2).sum() / ((wanted - wanted.mean()) ** 2).sum())

    def _linear(self, x: npt.ArrayLike) -> Array:
        """x coef_ + intercept_: (n,), or (n, classes) where coef_ is (classes, d)."""
        if not hasattr(self, "coef_"):
            raise AttributeError("call fit first")
        return np.asarray(np.asarray(x, dtype=np.float64) @ self.coef_.T + self.intercept_)

    def _keep(self, outcome: Outcome, facts: Facts, session: Session) -> None:
        self.coef_, self.intercept_ = outcome.coefficients, outcome.intercept
        self.feature_names_in_ = np.array(facts.features, dtype=object)
        self.n_features_in_ = len(facts.features)
        self.ledger_, self.costs_ = list(session.ledger), session.meter.exact()
        self.selection_ = outcome.extras.get("selection", {})
        self.metrics_ = outcome.extras.get("metrics", {})
