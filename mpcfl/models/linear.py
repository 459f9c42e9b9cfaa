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
from typing import Any

from mpcfl.data.facts import Facts
from mpcfl.models.estimator import Estimator
from mpcfl.models.families import Parameters
from mpcfl.models.settings import Settings, Solver
from mpcfl.models.training import Outcome
from mpcfl.solvers.doubling import Doubling
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session


def roster(parties: Mapping[str, Sequence[str]], *, insecure_simulation: bool = False, gpus: bool = False) -> Roster:
    """A roster from names and roles: {"north": ["data", "compute"], ...}; JobError for a forbidden mix. `gpus`: the
    parties compute on GPUs; the same at all parties."""
    everyone = [Party.of(name, roles) for name, roles in parties.items()]
    return Roster(everyone, insecure_simulation=insecure_simulation, gpus=gpus)


class LinearRegression(Estimator):
    """Ordinary least squares, trained jointly. `fit_intercept` as in scikit-learn.

    solver: `Doubling()` (the optimum) or `Gradient(learning_rate=...)` (so many steps, on the data as given).
    standard_errors, metrics ("r2", "mse" of held-out rows): more outputs, revealed with the weights.
    to: names of the parties that learn the result; default all that own data or compute.

    After `fit`: what `Estimator` says, and standard_errors_ where asked for.
    """

    intercept_: float

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        solver: Solver | None = None,
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
        return Settings(
            model="linear",
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            standard_errors=self.standard_errors,
            metrics=self.metrics,
            to=self.to,
        )

    def _keep(self, outcome: Outcome, facts: Facts, session: Session) -> None:
        super()._keep(outcome, facts, session)
        self.standard_errors_ = outcome.extras.get("inference", {}).get("standard_errors")


class Ridge(LinearRegression):
    """Least squares with the penalty alpha |w|^2, the intercept not penalised; the rest as `LinearRegression`."""

    model = "ridge"

    def __init__(self, alpha: float = 1.0, **settings: Any) -> None:
        super().__init__(**settings)
        self.alpha = alpha

    @property
    def parameters(self) -> Parameters:
        """What the penalty is made with."""
        return Parameters(alpha=self.alpha)

    def settings(self) -> Settings:
        return Settings(
            model="ridge",
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
            solver=self.solver,
            metrics=self.metrics,
            to=self.to,
        )
