"""The classic design beside mpcfl as the rows grow: all encrypted by CKKS, gradients encrypted and added up, shares.

Logistic regression, d = 10, 20 full-batch steps. Encrypted rows take half a minute and more, and are measured with
--full only; `relative_polynomial` in their row is what CKKS's noise adds to the error of the polynomial.
"""

from __future__ import annotations

from collections.abc import Iterator

from measuring.real import synthetic
from measuring.rows import Row
from measuring.sweeps import Sweep
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
        rows = [measure_fedsgd(problem, steps), measure_sum(problem, steps, scheme="ckks")]
        rows += measured([Trial(case="", training=training, x=x, y=y)])
        if sweep.full:
            rows.append(measure_encrypted(problem, steps))
        for row in rows:
            yield {**row, "figure": "classic", "case": f"{row['system']}, n = {n}"}


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
