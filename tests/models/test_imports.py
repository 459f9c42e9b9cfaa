"""What a training needs is imported before its parties join: later the others would wait for it, as for the seconds of
sympy that torch.broadcast_shapes imports."""

import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from mpcfl.models.settings import Settings
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from tests.forked import processes
from tests.joint import train_jointly

SOLVERS = {"linear": Doubling(), "logistic": Gradient(iterations=2, learning_rate=0.5)}


def _imported(model: str, partition: str) -> set[str]:
    """Packages, by a training of two compute parties and a dealer in a process that has trained nothing before."""
    x = np.random.default_rng(0).uniform(-1, 1, size=(40, 3))
    y = x.sum(axis=1)
    before = set(sys.modules)
    settings = Settings(model=model, solver=SOLVERS[model])
    train_jointly(x, 1.0 * (y > 0) if model == "logistic" else y, settings, partition=partition)
    return {name.partition(".")[0] for name in set(sys.modules) - before}


@pytest.mark.parametrize(
    "model, partition", [("linear", "horizontal"), ("linear", "vertical"), ("logistic", "vertical")]
)
def test_nothing_is_imported_while_others_wait(model: str, partition: str) -> None:
    with ProcessPoolExecutor(1, processes()) as pool:
        imported = pool.submit(_imported, model, partition).result()
    assert imported - {"cryptography"} == set()  # which a real run has by then: its wires are TLS
