"""What of the attacks' rows must come out the same each time, made again by scripts/check_results.py: in few runs."""

from __future__ import annotations

from collections.abc import Iterator

from attacks import differencing, gradients, membership, seed, views

from measuring.attacks.outputs import Model
from measuring.attacks.recorded import TRAININGS
from measuring.attacks.repeated import repeated
from measuring.attacks.run import SEED
from measuring.real import load
from measuring.rows import Row


def attacks_again() -> Iterator[Row]:
    """Rows that were recovered, what each party sees of a run, one AUC, and rows that were subtracted."""
    yield {**seed.searched(SEED, seed.REDUCED, seed.TRIALS)[1], "figure": "seed"}
    for model in gradients.DATA:
        for row in gradients.of_classic(model, "fedsgd", 1, gradients.BATCHES[1], SEED):
            yield {**row, "figure": "gradients"}
    for model, training in TRAININGS.items():
        one, *others = repeated(training, views.tables(model, SEED), 2)
        for party, other in zip(("north", "south", "east"), (*others, others[0]), strict=True):
            yield {**views.told_apart(model, party, one, other, SEED), "figure": "views"}
    x, y = load("diabetes")
    y, n = (y - y.mean()) / y.std(), membership.MEMBERS[0]
    row = membership.measured(Model("linear", 10.0), x, y, n, membership.TRIALS["linear"], SEED)
    yield {**row, "figure": "membership"}
    made = differencing.published("linear", differencing.ROWS[0], differencing.TRIALS, SEED)
    yield {**differencing.measured("linear", made, differencing.ALL, 9), "figure": "differencing"}
