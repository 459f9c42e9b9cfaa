"""The classic design beside mpcfl as the rows grow: all encrypted by CKKS, gradients encrypted and added up, shares.

Logistic regression, d = 10, 20 full-batch steps. A step on encrypted rows takes half a minute and more, so one is
measured, and the row says that the others are computed: rows are encrypted and sent once, the rest comes each time.
"""

from __future__ import annotations

from collections.abc import Iterator

from mpcfl.baselines.classic import measure_sum
from mpcfl.baselines.encrypted import KEY_HOLDER, SERVER, measure_encrypted, polynomial_twin

from measuring.real import synthetic
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.trainings import Training, Trial, measured
from mpcfl.baselines.federated import measure_fedsgd
from mpcfl.baselines.problem import Problem
from mpcfl.models.descent_twin import distance
from mpcfl.solvers.gradient import Gradient

ITERATIONS, RATE, COLUMNS = 20, 0.1, 10
_ONCE = ("encrypt", "load")  # phases of the fully encrypted reading that come once


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
            rows.append(encrypted(problem, steps))
        for row in rows:
            yield {**row, "figure": "classic", "case": f"{row['system']}, n = {n}"}


def encrypted(problem: Problem, steps: Gradient) -> Row:
    """The row of these steps on encrypted rows, computed from that of one; its error is that of the same steps in
    float64 with the same polynomial in the place of the sigmoid, to which CKKS adds its noise (`relative_first`)."""
    one = measure_encrypted(problem, Gradient(learning_rate=steps.learning_rate, iterations=1))
    many = steps.iterations
    phases = {name: s * (1 if name in _ONCE else many) for name, s in one["seconds_by_phase"].items()}
    sent = {name: size * (many if name in (SERVER, KEY_HOLDER) else 1) for name, size in one["bytes_online"].items()}
    twin, largest = polynomial_twin(problem, steps)
    row = {**one, "how": "computed", "from": "one step, measured; rows are sent once, the rest comes again"}
    row |= {"iterations": many, "rounds": 1 + 2 * many, "bytes": max(sent.values()), "bytes_online": sent}
    row |= {"seconds": round(sum(phases.values()), 3), "seconds_by_phase": phases, "relative_first": one["relative"]}
    for name in ("phases", "cpu_seconds", "worst", "relative_optimum"):
        row.pop(name, None)
    row |= {"relative": distance(twin, problem.twin(steps)), **problem.score(twin)}
    return {**row, "params": {**one["params"], "largest_z": largest}}


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
