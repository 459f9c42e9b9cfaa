"""The headline's baselines: plaintext training and the classic design, on the table and with the steps of the headline.

Paillier takes an hour: one step is measured, and its row says that the others are computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from measuring.fits import Array
from measuring.real import load
from measuring.rows import Row
from mpcfl.baselines.classic import measure_sum
from mpcfl.baselines.encrypted import measure_encrypted
from mpcfl.baselines.federated import measure_fedavg, measure_fedsgd
from mpcfl.baselines.pooled import measure_pooled
from mpcfl.baselines.problem import Problem
from mpcfl.errors import SetupError
from mpcfl.solvers.gradient import Gradient

DATA, ITERATIONS, RATE = "breast-cancer", 20, 0.1
EXACT = ("pooled", "fedsgd", "fedavg", "masks-sum")
"""They need no optional library, and cost the same bytes in every run."""
QUICK = (*EXACT, "ckks-sum")
ALL = (*QUICK, "paillier-sum", "ckks")
_LOCAL = 5  # steps at home between two averages


def baseline_rows(systems: Iterable[str]) -> Iterator[Row]:
    """Rows of figure "headline" for some of `ALL`; "not_measured" where a library is missing."""
    x, y = load(DATA)
    problem = Problem(name=DATA, model="logistic", x=x, y=y, owners=3)
    steps = Gradient(learning_rate=RATE, iterations=ITERATIONS)
    makers: dict[str, Callable[[], Row]] = {
        "pooled": lambda: measure_pooled(problem, steps),
        "fedsgd": lambda: measure_fedsgd(problem, steps),
        "fedavg": lambda: _fedavg(x, y),
        "masks-sum": lambda: measure_sum(problem, steps, scheme="masks"),
        "ckks-sum": lambda: measure_sum(problem, steps, scheme="ckks"),
        "paillier-sum": lambda: added_up(problem, steps, "paillier"),
        "ckks": lambda: measure_encrypted(problem, steps),
    }
    for system in systems:
        if system in QUICK:
            attempted(system, makers[system])  # once uncounted: libraries are loaded, memory is touched
        row = attempted(system, makers[system])
        yield {"figure": "headline", "data": DATA, "rows": len(x), "columns": x.shape[1], "case": system, **row}


def attempted(system: str, maker: Callable[[], Row]) -> Row:
    """The maker's row, or why there is none."""
    try:
        return maker()
    except SetupError as error:
        return {"system": system, "not_measured": str(error)}


def added_up(problem: Problem, steps: Gradient, scheme: str) -> Row:
    """The row of these steps on gradients that are encrypted and added up, computed from that of one: for a scheme so
    slow that all of them would take an hour. What a sum of ciphertexts decrypts to is exact."""
    one = measure_sum(problem, Gradient(learning_rate=steps.learning_rate, iterations=1), scheme=scheme)
    many = steps.iterations
    row = {**one, "how": "computed", "from": "one step, measured, so many times", "iterations": many}
    row |= {"rounds": one["rounds"] * many, "bytes": one["bytes"] * many, "seconds": round(one["seconds"] * many, 3)}
    for name in ("bytes_online", "seconds_by_phase"):
        row[name] = {key: value * many for key, value in one[name].items()}
    for name in ("phases", "cpu_seconds", "relative_optimum"):
        row.pop(name, None)
    return {**row, **problem.score(problem.twin(steps))}


class _Unpenalised(Problem):
    """Separable classes without penalty have no optimum; FedAvg is compared with the pooled steps instead."""

    @cached_property
    def optimum(self) -> Array:
        return self.twin(Gradient(learning_rate=RATE, iterations=ITERATIONS))


def _fedavg(x: Array, y: Array) -> Row:
    """As many steps with a fifth of the rounds."""
    problem = _Unpenalised(name=DATA, model="logistic", x=x, y=y, owners=3)
    row = measure_fedavg(problem, Gradient(learning_rate=RATE, iterations=ITERATIONS // _LOCAL), local_steps=_LOCAL)
    return {**row, "reference": "as many pooled steps in float64", "relative_optimum": None}
