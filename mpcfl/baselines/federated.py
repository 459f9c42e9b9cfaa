"""Federated learning as it is usually done: gradients (FedSGD) or weights (FedAvg) go to one who adds them up.

McMahan et al. (2017), "Communication-efficient learning of deep networks from decentralized data". Plaintext unless
an `Aggregation` hides something; everybody knows the weights of every iteration in any case.

To see what each role sees, hand an observer in, which is called with a `View` for each thing that anybody learns:

    problem = Problem(name="mine", model="logistic", x=x, y=y, owners=3)
    views: list[View] = []
    steps = Gradient(learning_rate=0.1, iterations=5)
    learning = FederatedLearning(problem.participants(), steps, observer=views.append)
    weights = learning.train()
    seen = [v for v in views if v.role == COORDINATOR and v.iteration == 0 and v.of == "participant 1"]
    seen[0].what, seen[0].value  # "gradient" (d + 1,), of the *sum* over its rows; the intercept last

and `FederatedLearning(..., aggregation=SecureAggregation(HomomorphicEncryption()), observer=...)` shows in the same way
what the key holder decrypts: role `KEY_HOLDER`, each participant's gradient, and the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.aggregation import ELEMENT, EVERYBODY, SUM, Aggregation, InTheClear, Observer, Vectors, View
from mpcfl.baselines.costs import Costs
from mpcfl.baselines.participant import Participant
from mpcfl.baselines.problem import Problem, Row
from mpcfl.errors import JobError
from mpcfl.solvers.gradient import Gradient

Array = npt.NDArray[np.float64]


class FederatedLearning:
    """steps: full-batch steps from zero; `iterations` of them are exchanged. local_steps: 0 exchanges gradients
    (FedSGD), else each participant goes so many steps on its own rows in each iteration, and the weights are averaged,
    by rows (FedAvg). costs: of the trainings so far."""

    def __init__(
        self,
        participants: Sequence[Participant],
        steps: Gradient,
        *,
        local_steps: int = 0,
        aggregation: Aggregation | None = None,
        observer: Observer | None = None,
    ) -> None:
        _check(participants, steps, local_steps)
        self.participants, self.steps, self.local_steps = participants, steps, local_steps
        self.aggregation = aggregation or InTheClear()
        self.costs = Costs()
        self._observer = observer
        self._rows = sum(one.count for one in participants)

    def train(self) -> Array:
        """Weights (d + 1,), the intercept last; everybody has them."""
        self.aggregation.set_up([one.name for one in self.participants], self.costs)
        w = np.zeros(self.participants[0].width)
        for iteration in range(self.steps.iterations):
            self._tell(iteration, w)
            w = self._step(iteration, w)
            self.costs.round({self.aggregation.adder: ELEMENT * w.size * len(self.participants)})
        self._tell(self.steps.iterations, w)
        return w

    def _step(self, iteration: int, w: Array) -> Array:
        what = "part of the mean" if self.local_steps else "gradient"
        parts = self.costs.together("compute", {one.name: self._part_of(one, w) for one in self.participants})
        total = self.aggregation.total(Vectors(iteration, what, parts), self.costs, self._observer)
        if self._observer is not None:
            self._observer(View(iteration, self.aggregation.adder, what, SUM, total.copy()))
        if self.local_steps:
            return total
        rate = self.steps.learning_rate / self._rows
        return self.costs.alone("compute", self.aggregation.adder, lambda: w - rate * total)

    def _part_of(self, one: Participant, w: Array) -> Callable[[], Array]:
        if not self.local_steps:
            return lambda: one.gradient(w)
        weight = one.count / self._rows
        return lambda: weight * one.descended(w, self.steps.learning_rate, self.local_steps)

    def _tell(self, iteration: int, w: Array) -> None:
        if self._observer is not None:
            self._observer(View(iteration, EVERYBODY, "weights", SUM, w.copy()))


def _check(participants: Sequence[Participant], steps: Gradient, local_steps: int) -> None:
    if not participants:
        raise JobError("federated learning needs a participant")
    require_plain_steps(steps)
    if local_steps < 0:
        raise JobError("local_steps must be at least 0")


def require_plain_steps(steps: Gradient) -> None:
    """JobError for what no baseline has: batches, momentum, a start elsewhere, an early end."""
    if steps.batch or steps.momentum or steps.tolerance or steps.init != "zeros":
        raise JobError(
            "the baselines take full-batch steps from zero, without momentum", hint="set learning_rate and iterations"
        )


def measure_fedsgd(problem: Problem, steps: Gradient) -> Row:
    """The row of FedSGD: equal to the pooled steps up to the order of sums."""
    learning = FederatedLearning(problem.participants(), steps)
    w = learning.train()
    return problem.row("fedsgd", steps, w, learning.costs, seen=learning.aggregation.seen(averaging=False), params={})


def measure_fedavg(problem: Problem, steps: Gradient, *, local_steps: int) -> Row:
    """The row of FedAvg. Its steps are no others' steps, and it is compared with the optimum, which it misses unless
    all participants have alike rows."""
    learning = FederatedLearning(problem.participants(), steps, local_steps=local_steps)
    w = learning.train()
    seen, params = learning.aggregation.seen(averaging=True), {"local_steps": local_steps}
    return problem.row("fedavg", steps, w, learning.costs, seen=seen, params=params, optimum=True)
