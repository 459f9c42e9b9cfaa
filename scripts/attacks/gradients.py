"""Gradient inversion: rows out of gradients, where a party sees them; and out of all that a party of mpcfl sees.

    python scripts/attacks/gradients.py [--out FOLDER]

In FedSGD the coordinator sees each participant's gradient in the clear, in the classic design the key holder decrypts
it, and where masks hide all but the sum, the coordinator sees that. One row is its gradient divided by the part of it
that belongs to the intercept, exactly. A few rows are found from the gradients of 20 iterations, with the targets
known, as labels often are. In linear regression these fix the sums of squares of the rows: two rows, and of more only
what rotations leave. A party of mpcfl sees no gradient; whatever it sees is regressed on the row of an owner who has
only that one, over runs with known rows, which works at once where masks are left out (the control).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.inverting import Seen, matched, several_rows, single_row
from measuring.attacks.recorded import COMPUTE, TRAININGS
from measuring.attacks.regressing import regressed
from measuring.attacks.repeated import repeated, workers
from measuring.attacks.run import attack
from measuring.real import load
from measuring.rows import Row

from mpcfl.baselines.aggregation import EVERYBODY, SUM, Aggregation, InTheClear, View
from mpcfl.baselines.federated import FederatedLearning
from mpcfl.baselines.homomorphic import HomomorphicEncryption
from mpcfl.baselines.masks import PairwiseMasks
from mpcfl.baselines.problem import Problem
from mpcfl.baselines.secure_aggregation import SecureAggregation
from mpcfl.errors import MpcflError
from mpcfl.solvers.gradient import Gradient

Array = npt.NDArray[np.float64]
COLUMNS, ITERATIONS, STARTS, WITHIN = 10, 20, 4, 0.05
DATA = {"linear": ("diabetes", 0.1), "logistic": ("breast-cancer", 0.5)}
"""Table (its first ten columns) and learning rate of a model."""
BATCHES = {1: 20, 2: 10, 4: 10, 8: 4}
"""Rows of a participant, and how many participants there are."""
SYSTEMS: dict[str, Callable[[], Aggregation]] = {
    "fedsgd": InTheClear,
    "ckks-sum": lambda: SecureAggregation(HomomorphicEncryption()),
    "masks-sum": PairwiseMasks,
}
PARTS, FEATURES, RUNS = (6, 6, 3, 1), 3, (90, 40)
"""Of the runs of mpcfl: rows of each owner, `west` with one; columns; runs to learn from, and to test on."""


def gradients_rows(
    seed: int, batches: dict[int, int] = BATCHES, runs: tuple[int, int] = RUNS, pool: Executor | None = None
) -> Iterator[Row]:
    """Figure "gradients"."""
    for model in DATA:
        for system in SYSTEMS:
            for batch, participants in batches.items():
                if batch == max(batches) and system != "fedsgd":  # once will do
                    continue
                yield from of_classic(model, system, batch, participants, seed)
        for control in ("", "masks of zeros"):
            yield from of_mpcfl(model, seed, runs, control, pool)


def of_classic(model: str, system: str, batch: int, participants: int, seed: int) -> Iterator[Row]:
    """The row of participants with `batch` rows each; with masks, of as many single rows, of which the sum is seen."""
    joint = system == "masks-sum"
    if joint and batch == 1:  # there is no sum of one
        return
    who = "key holder" if system == "ckks-sum" else "coordinator"
    row: Row = {"case": f"{model}, {system}, batch of {batch}", "system": system, "model": model, "batch": batch}
    row |= {"data": DATA[model][0], "columns": COLUMNS, "attacker": who, "unit": "rows", "within": WITHIN}
    row |= {"sees": f"the sum of the gradients of {batch} rows" if joint else "the gradient of each participant"}
    row["knows"] = "nothing else" if batch == 1 else "the targets"
    row["iterations"] = 1 if batch == 1 else ITERATIONS
    try:
        aggregations = [SYSTEMS[system]() for _ in range(participants if joint else 1)]
    except MpcflError as error:
        yield {**row, "not_measured": str(error.args[0])}
        return
    x, y = chosen(model, batch * participants, seed)
    errors = []
    for i, aggregation in enumerate(aggregations):
        mine = slice(i * batch, (i + 1) * batch) if joint else slice(None)
        errors += _inverted(model, aggregation, x[mine], y[mine], batch, seed, joint)
    row |= {"trials": participants, "recovered": int(sum(error < WITHIN for error in errors)), "of": len(errors)}
    yield {**row, "error": float(np.median(errors))}


def chosen(model: str, rows: int, seed: int) -> tuple[Array, Array]:
    """So many rows of the table of a model, at random."""
    x, y = load(DATA[model][0])
    y = (y - y.mean()) / y.std() if model == "linear" else y
    order = np.random.default_rng([seed, rows]).permutation(len(x))[:rows]
    return x[order, :COLUMNS], y[order]


def _inverted(
    model: str, aggregation: Aggregation, x: Array, y: Array, batch: int, seed: int, joint: bool
) -> list[float]:
    """Errors of all rows, from what whoever adds up sees in one training."""
    views: list[View] = []
    owners = len(x) if joint else len(x) // batch
    steps = Gradient(learning_rate=DATA[model][1], iterations=1 if batch == 1 else ITERATIONS)
    problem = Problem(name="attacked", model=model, x=x, y=y, owners=owners)
    FederatedLearning(problem.participants(), steps, aggregation=aggregation, observer=views.append).train()
    weights = np.array([view.value for view in views if view.role == EVERYBODY][: steps.iterations])
    errors: list[float] = []
    for start in range(0, len(x), batch):
        of = SUM if joint else f"participant {start // batch + 1}"
        seen = [v.value for v in views if v.role == aggregation.adder and v.what == "gradient" and v.of == of]
        shown = Seen(model, weights, np.array(seen), batch)
        rows = slice(start, start + batch)
        found = single_row(shown)[0][None] if batch == 1 else several_rows(shown, y[rows], STARTS, seed)[0]
        errors += list(matched(found, x[rows], np.zeros(COLUMNS)))  # the table's columns have mean 0
    return errors


def of_mpcfl(
    model: str, seed: int, runs: tuple[int, int], control: str = "", pool: Executor | None = None
) -> Iterator[Row]:
    """A row a compute party: the only row of `west`, regressed on the party's complete view."""
    learn, test = runs
    rng = np.random.default_rng(seed)
    tables = [_table(model, rng) for _ in range(learn + test)]
    made = [run for (run,) in repeated(TRAININGS[model], tables, 1, control, pool, PARTS)]
    true = np.array([x[-1] for x, _ in tables])
    for party in COMPUTE[1:] if control else COMPUTE:
        found = regressed([run[party] for run in made], true, learn)
        errors = np.linalg.norm(found - true[learn:], axis=1) / np.linalg.norm(true[learn:], axis=1)
        row: Row = {"case": f"{model}, mpcfl, {party}{', ' + control if control else ''}", "system": "mpcfl"}
        row |= {"model": model, "batch": 1, "data": "synthetic", "columns": FEATURES, "rows": sum(PARTS)}
        row |= {"attacker": f"{party}, a compute party", "knows": f"{learn} runs with known rows", "control": control}
        row |= {"sees": "all that it receives", "trials": test, "unit": "rows", "within": WITHIN}
        row |= {"recovered": int((errors < WITHIN).sum()), "of": test, "error": float(np.median(errors))}
        yield row


def _table(model: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows of mean 0, so that guessing 0 is guessing the mean; both classes occur."""
    x = rng.standard_normal((sum(PARTS), FEATURES))
    z = x @ rng.standard_normal(FEATURES) + rng.standard_normal(len(x))
    return x, (z > np.median(z)).astype(float) if model == "logistic" else z


if __name__ == "__main__":
    with workers() as pool:
        attack(__doc__, "gradients", partial(gradients_rows, pool=pool))
