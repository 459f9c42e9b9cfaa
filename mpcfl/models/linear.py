"""Linear and ridge regression with scikit-learn's names, for use from Python.

    import mpcfl

    parties = {"north": ["data", "compute"], "south": ["data", "compute"], "east": ["data", "dealer"]}
    with mpcfl.join(mpcfl.roster(parties)) as session:
        model = mpcfl.LinearRegression().fit(session, my_rows, target="y")
    print(model.coef_, model.intercept_)

Every party runs this, started by torchrun; a party without data passes None. Attributes that end in an underscore are
there after `fit`, at the parties that learn the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts, agree_on_facts
from mpcfl.data.source import Source
from mpcfl.data.table import Table
from mpcfl.models.settings import Settings
from mpcfl.models.training import Outcome, train
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session


def roster(parties: Mapping[str, Sequence[str]], *, insecure_simulation: bool = False) -> Roster:
    """A roster from names and roles: {"north": ["data", "compute"], ...}; JobError for a forbidden mix."""
    everyone = [Party.of(name, roles) for name, roles in parties.items()]
    return Roster(everyone, insecure_simulation=insecure_simulation)


class LinearRegression:
    """Ordinary least squares, trained jointly. `fit_intercept` as in scikit-learn.

    solver: `Doubling()` (the optimum) or `Gradient(learning_rate=...)` (so many steps, on the data as given).
    standard_errors, metrics ("r2", "mse" of held-out rows): more outputs, revealed with the weights.
    to: names of the parties that learn the result; default all that own data or compute.

    After `fit`: coef_ (d,) float64, intercept_, feature_names_in_, n_features_in_, ledger_ (what was revealed), costs_
    (rounds and bytes that this party sent, by phase and protocol), and standard_errors_, metrics_ where asked for.
    """

    coef_: npt.NDArray[np.float64]
    intercept_: float

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        solver: Doubling | Gradient | None = None,
        standard_errors: bool = False,
        metrics: Sequence[str] = (),
        test_fraction: float = 0.0,
        seed: int = 0,
        to: Sequence[str] | None = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.solver = solver or Doubling()
        self.standard_errors, self.metrics = standard_errors, tuple(metrics)
        self.test_fraction, self.seed, self.to = test_fraction, seed, to

    def settings(self) -> Settings:
        """What `fit` asks the training program for."""
        return Settings(
            model="linear",
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            standard_errors=self.standard_errors,
            metrics=self.metrics,
            to=self.to,
        )

    def fit(self, session: Session, data: Any, *, target: str, partition: str = "horizontal") -> Self:
        """Train with the other parties of `session`, which call this with their own data.

        data: this party's table with named columns (a `Source`, pandas, pyarrow, a mapping of arrays), or None. target:
        the column to predict. DataError, AgreementError, GuardError, HeadroomError, PartyError as in `mpcfl.errors`.
        """
        table = data if isinstance(data, Source) or data is None else Table.of(data, target=target)
        schema = table.schema if table is not None else None
        facts = agree_on_facts(session, partition, schema, target, test_fraction=self.test_fraction, seed=self.seed)
        self._keep(train(session, facts, self.settings(), table), facts, session)
        return self

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """x (n, d) in the order of feature_names_in_ -> (n,), in plaintext with the revealed weights."""
        if not hasattr(self, "coef_"):
            raise AttributeError("call fit first")
        return np.asarray(x, dtype=np.float64) @ self.coef_ + self.intercept_

    def _keep(self, outcome: Outcome, facts: Facts, session: Session) -> None:
        self.coef_, self.intercept_ = outcome.coefficients, outcome.intercept
        self.feature_names_in_ = np.array(facts.features, dtype=object)
        self.n_features_in_ = len(facts.features)
        self.ledger_, self.costs_ = list(session.ledger), session.meter.exact()
        self.metrics_ = outcome.extras.get("metrics", {})
        self.standard_errors_ = outcome.extras.get("inference", {}).get("standard_errors")


class Ridge(LinearRegression):
    """Least squares with the penalty alpha |w|^2, the intercept not penalised; the rest as `LinearRegression`."""

    def __init__(self, alpha: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.alpha = alpha

    def settings(self) -> Settings:
        return Settings(
            model="ridge",
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            metrics=self.metrics,
            to=self.to,
        )
