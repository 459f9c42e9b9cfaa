"""FedSGD whose gradients are hidden on their way and added up: by masks, by CKKS, by Paillier. One row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mpcfl.baselines.aggregation import Aggregation
from mpcfl.baselines.federated import FederatedLearning
from mpcfl.baselines.homomorphic import HomomorphicEncryption
from mpcfl.baselines.masks import PairwiseMasks
from mpcfl.baselines.paillier import Paillier
from mpcfl.baselines.problem import Problem, Row
from mpcfl.baselines.secure_aggregation import SecureAggregation
from mpcfl.errors import JobError
from mpcfl.solvers.gradient import Gradient

SCHEMES: Mapping[str, Callable[[], Aggregation]] = {
    "masks": PairwiseMasks,
    "ckks": lambda: SecureAggregation(HomomorphicEncryption()),
    "paillier": lambda: SecureAggregation(Paillier()),
}


def measure_sum(problem: Problem, steps: Gradient, *, scheme: str) -> Row:
    """The row of "masks-sum", "ckks-sum" or "paillier-sum". SetupError where the scheme's library is not installed."""
    if scheme not in SCHEMES:
        raise JobError(f"there is no scheme '{scheme}'", hint=f"take {', '.join(SCHEMES)}")
    learning = FederatedLearning(problem.participants(), steps, aggregation=SCHEMES[scheme]())
    w, hiding = learning.train(), learning.aggregation
    seen = hiding.seen(averaging=False)
    return problem.row(f"{scheme}-sum", steps, w, learning.costs, seen=seen, params=hiding.params)
