"""The classic design beside mpcfl as the rows grow: all encrypted by CKKS, gradients encrypted and added up, shares.

Logistic regression, d = 10, 20 full-batch steps. Encrypted rows take half a minute and more, and are measured with
--full only; `relative_polynomial` in their row is what CKKS's noise adds to the error of the polynomial.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from measuring.real import synthetic
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.sweeps.baselines import attempted
from measuring.trainings import Training, Trial, measured
from mpcfl.baselines.classic import measure_sum
from mpcfl.baselines.encrypted import measure_encrypted
from mpcfl.baselines.federated import measure_fedsgd
from mpcfl.baselines.problem import Problem
from mpcfl.solvers.gradient import Gradient

ITERATIONS, RATE, COLUMNS = 20, 0.1, 10


def classic_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "classic"."""
    steps = Gradient(learning_rate=RATE, iterations=ITERATIONS)
    solver = {"name": "gradient", "learning_rate": RATE, "iterations": ITERATIONS}
    training = Training(model="logistic", solver=solver, parameters={"penalty": "none"})
    for n in (10**3, 10**4, 10**5):
        x, y = synthetic("logistic", n, COLUMNS, sweep.seed)
        problem = Problem(name="synthetic", model="logistic", x=x, y=y)
        measure_fedsgd(problem, steps)  # memory is touched once before
        rows = [measure_fedsgd(problem, steps)]
        rows.append(attempted("ckks-sum", partial(measure_sum, problem, steps, scheme="ckks")))
        rows += measured([Trial(case="", training=training, x=x, y=y)])
        if sweep.full:
            rows.append(attempted("ckks", partial(measure_encrypted, problem, steps)))
        for row in rows:
            yield {**row, "figure": "classic", "case": f"{row['system']}, n = {n}"}
