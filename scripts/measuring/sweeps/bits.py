"""How the error of the weights falls with the fractional bits: mpcfl, CrypTen, SPU, beside the same steps in float64.

mpcfl has no setting for this: its plan gives every value the bits that the headroom leaves. Here the constants that it
chooses with are turned down in the parties' processes: for least squares the scale of the Gram matrix and its powers
(30), for gradient descent on it that of a step (26) and of the weights (23), for models of rows the bits of each factor
of a gradient (at most 16; the weights have three times as many less 14). CrypTen has `encoder.precision_bits` (16), SPU
`fxp_fraction_bits` (18).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from measuring.fits import Array, Case, Fit, fit
from measuring.parties import Gate, run_parties
from measuring.peers.launch import Places, run
from measuring.peers.problems import descent, save
from measuring.real import load
from measuring.rows import Row
from measuring.sweeps import Sweep
from measuring.tables import split
from measuring.trainings import Training, error_of
from mpcfl.errors import MpcflError
from mpcfl.world.session import Session

BITS = range(8, 25, 2)
LINEAR_BITS = (*BITS, 30)
ITERATIONS, RATE = 20, 0.1
STEPS = {"name": "gradient", "learning_rate": RATE, "iterations": ITERATIONS}
SIGMOIDS = {"default sigmoid": 1e-4, "finer sigmoid": 1e-6}  # largest error of the series
LOGISTIC = [
    Training(model="logistic", solver=STEPS, parameters={"penalty": "none", "sigmoid": {"error": error}}, owners=2)
    for error in SIGMOIDS.values()
]
WITHOUT = {"fit_intercept": False}  # the means are zero, and few bits have no place for an intercept
LINEAR = Training(owners=2, parameters=WITHOUT)
LINEAR_STEPS = Training(owners=2, parameters=WITHOUT, solver=STEPS)


def bits_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "bits"."""
    yield from _ours()
    for model, data in (("logistic", "breast-cancer"), ("linear", "diabetes")):
        for bits in BITS if sweep.full else (8, 12, 16, 20, 24):
            yield _theirs("crypten-tfp", "crypten_party", model, data, bits, {"provider": "TFP"}, sys.executable)
            if sweep.spu and model == "logistic":
                spec = {"sigmoid": "logistic", "once": False}
                yield _theirs("spu-logistic-once", "spu_party", model, data, bits, spec, sweep.spu)


@contextmanager
def finest(bits: int) -> Iterator[None]:
    """mpcfl with so many fractional bits at most, in this process."""
    from mpcfl.data import batches, horizontal, vertical
    from mpcfl.solvers import doubling, gradient, row_gradient

    chosen = [(row_gradient, "_LARGEST", bits), (row_gradient, "_LEAST", 1)]
    chosen += [(batches, "STEP_SCALE", bits), (gradient, "STEP_SCALE", bits), (gradient, "_BITS", bits + 10)]
    chosen += [(module, "GRAM_SCALE", bits) for module in (horizontal, vertical, doubling)]
    before = [(module, name, getattr(module, name)) for module, name, _ in chosen]
    for module, name, value in chosen:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def program(session: Session, gate: Gate, cases: Sequence[tuple[int, Case]]) -> list[Fit | str]:
    """For `run_parties`: the fit of each case with its bits, or why there is none."""
    found: list[Fit | str] = []
    for bits, case in cases:
        table = split(case.x, case.y, session.roster, case.partition).get(session.rank)
        with finest(bits):
            try:
                found.append(fit(session, gate, table, case.settings, case.partition))
            except MpcflError as error:  # before anything is shared, and at every party
                found.append(str(error.args[0]))
    return found


def _ours() -> Iterator[Row]:
    cases, rows, wanted = [], [], []
    todo = [(name, training, "breast-cancer", BITS) for name, training in zip(SIGMOIDS, LOGISTIC, strict=True)]
    todo += [("least squares", LINEAR, "diabetes", LINEAR_BITS), ("20 steps", LINEAR_STEPS, "diabetes", BITS)]
    for name, training, data, every in todo:
        x, y = _table(data)
        reference = training.reference(x, y)[0]
        for bits in every:
            cases.append((bits, training.case(str(bits), x, y)))
            case = f"mpcfl, {training.model}, {name}, {bits} bits"
            words = {"data": data, "fraction_bits": bits, "series": name, **training.words(*x.shape)}
            rows.append({"figure": "bits", "case": case, **words})
            wanted.append(reference)
    first = run_parties(LINEAR.roles, program, cases)[0]
    for row, outcome, reference in zip(rows, first, wanted, strict=True):
        if isinstance(outcome, str):
            yield {**row, "refused": outcome}
        elif outcome.refused:
            yield {**row, "refused": outcome.refused}
        else:
            yield {**row, "rounds": outcome.rounds, "bytes": outcome.bytes_online, **error_of(outcome, reference)}


def _theirs(system: str, party: str, model: str, data: str, bits: int, spec: dict[str, Any], python: str) -> Row:
    x, y = _table(data)
    name = "SPU" if party == "spu_party" else "CrypTen"
    row: Row = {"figure": "bits", "case": f"{name}, {model}, {bits} bits", "system": system, "data": data}
    row |= {"model": model, "solver": "gradient", "iterations": ITERATIONS, "fraction_bits": bits}
    with TemporaryDirectory(prefix="bits-") as folder:
        table = Path(folder) / "table.npz"
        save(table, x, y)
        spec = {"table": str(table), "rate": RATE, "batch": 0, "fits": [ITERATIONS], "waits_for": 2, **spec}
        try:
            outcome = run(party, 2, {**spec, "fraction_bits": bits, "model": model}, Places(), python=python, limit=90)
        except RuntimeError as error:
            return {**row, "not_measured": str(error).strip().splitlines()[-1][-200:]}
    found = np.array(outcome.fits[0][-1]["weights"])
    reference = descent(x, y, RATE, 0, ITERATIONS) if model == "logistic" else least_squares(x, y)
    relative = float(np.linalg.norm(found - reference) / np.linalg.norm(reference))
    return {**row, "reference": "the same steps in float64", "relative": relative}


def least_squares(x: Array, y: Array) -> Array:
    """(d + 1,): the same steps of gradient descent on the squared error in float64, the intercept last."""
    z = np.c_[x, np.ones(len(x))]
    w = np.zeros(z.shape[1])
    for _ in range(ITERATIONS):
        w -= RATE / len(z) * (z.T @ (z @ w - y))
    return w


def _table(data: str) -> tuple[Array, Array]:
    """With a target of variance 1 too: CrypTen's 16 bits need it."""
    x, y = load(data)
    return (x, y) if data == "breast-cancer" else (x, (y - y.mean()) / y.std())
