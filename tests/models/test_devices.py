"""Training with parties on simulated GPUs: weights and meters are those of a run on the CPU, to the last bit."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.data.facts import Aside, Facts, facts_of
from mpcfl.data.table import Table
from mpcfl.errors import PartyError
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.selection import selection_of
from mpcfl.models.settings import Settings, Solver
from mpcfl.models.training import Outcome, train
from mpcfl.protocols.aggregate import aggregate
from mpcfl.sharing.checkpoints import agree_on_checkpoints
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.fixed_hessian import FixedHessian
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.newton import Newton
from mpcfl.solvers.penalty import Penalty
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from tests import simulated_cuda
from tests.joint import DIABETES, PROGRESSION, TARGET, Array, facts_for, tables_of
from tests.models.devices import run_on
from tests.parties import roster

ALL = {0: "cuda", 1: "cuda:1", 2: "cuda"}  # compute parties 0 and 1, the dealer 2
MIXED = {1: "cuda"}
DEALER = {2: "cuda:1"}

ROWS, COLUMNS = 40, 3
X: Array = (DIABETES[:ROWS, :COLUMNS] - DIABETES[:ROWS, :COLUMNS].mean(0)) / DIABETES[:ROWS, :COLUMNS].std(0)
Y: Array = (PROGRESSION[:ROWS] - PROGRESSION[:ROWS].mean()) / PROGRESSION[:ROWS].std()
TARGETS = {
    "linear": Y,
    "huber": Y,
    "logistic": (Y > 0).astype(np.float64),
    "svm": (Y > 0).astype(np.float64),
    "poisson": np.round(np.exp(Y)),
    "gamma": np.exp(Y),
    "classes": np.digitize(Y, [-0.5, 0.5]).astype(np.float64),
}
SHORT = Gradient(learning_rate=0.2, iterations=2)
SIGMOID = {"range": 16, "error": 1e-3}


def by_rows(model: str, solver: Solver = SHORT, *, metrics: tuple[str, ...] = (), **parameters: Any) -> Settings:
    objective = objective_of(model, Parameters(**parameters))
    return Settings(model=model, objective=objective, solver=solver, metrics=metrics)


def selecting() -> Settings:
    parameters = Parameters(sigmoid=SIGMOID)
    choice = selection_of("logistic", parameters, parameter="C", values=(0.1, 1.0), folds=2, metric="auc")
    return Settings(model="logistic", objective=choice.objectives[0], selection=choice, solver=SHORT)


def ridge() -> Settings:
    choice = selection_of("ridge", Parameters(), values=(1.0, 30.0), folds=2)
    return Settings(model="ridge", alpha=1.0, selection=choice)


AUTO = {"range": "auto", "error": 1e-3}
TO_THE_END = Gradient(learning_rate=0.2, iterations=4, momentum=0.5, tolerance=0.5, check_every=2)
BATCHES = Gradient(learning_rate=0.2, iterations=3, batch=8, momentum=0.5)
JOBS: dict[str, tuple[str, str, Settings]] = {  # name: partition, target, settings
    "least squares": ("horizontal", "linear", Settings(standard_errors=True)),
    "least squares, held out": ("horizontal", "linear", Settings(metrics=("r2",))),
    "least squares, vertical": ("vertical", "linear", Settings()),
    "least squares, steps": ("vertical", "linear", Settings(solver=SHORT, metrics=("r2", "mse"))),
    "least squares, momentum": ("horizontal", "linear", Settings(solver=replace(TO_THE_END, nesterov=True))),
    "lasso": ("horizontal", "linear", Settings(model="lasso", penalty=Penalty(l1=0.1), solver=Admm())),
    "ridge, selected": ("horizontal", "linear", ridge()),
    "classes": ("horizontal", "classes", by_rows("logistic", metrics=("accuracy", "auc"), sigmoid=SIGMOID, classes=3)),
    "logistic": ("horizontal", "logistic", by_rows("logistic", metrics=("accuracy", "auc"), sigmoid=SIGMOID)),
    "logistic, batches": ("vertical", "logistic", by_rows("logistic", BATCHES, sigmoid=SIGMOID, penalty="l1")),
    "logistic, classes": (
        "horizontal",
        "classes",
        by_rows("logistic", sigmoid=SIGMOID, classes=3, metrics=("accuracy", "auc")),
    ),
    "logistic, Hessian": ("horizontal", "logistic", by_rows("logistic", FixedHessian(iterations=60), sigmoid=SIGMOID)),
    "logistic, Newton": ("horizontal", "logistic", by_rows("logistic", Newton(iterations=6), sigmoid=SIGMOID)),
    "logistic, selected": ("horizontal", "logistic", selecting()),
    "logistic, widened": ("horizontal", "logistic", by_rows("logistic", TO_THE_END, sigmoid=AUTO)),
    "logistic, losses": ("vertical", "logistic", by_rows("logistic", replace(SHORT, loss_every=1), sigmoid=SIGMOID)),
    "logistic, weighted": ("horizontal", "logistic", by_rows("logistic", sigmoid=SIGMOID)),
    "svm": ("horizontal", "svm", by_rows("svm")),
    "huber": ("vertical", "huber", by_rows("huber")),
    "poisson": ("horizontal", "poisson", by_rows("poisson", metrics=("deviance",))),
    "gamma": ("vertical", "gamma", by_rows("gamma")),
}


def prepared(name: str, compute: int = 2, moved: float = 0.0) -> tuple[Roster, Facts, dict[int, Table]]:
    """Parties, facts and tables of a job; `moved`: by so much is each value of x another."""
    partition, target, settings = JOBS[name]
    who = roster(compute, owners=compute + 1)
    weighted = name.endswith("weighted")
    x = X + moved * np.random.default_rng(0).standard_normal(X.shape)
    x = np.c_[np.abs(x[:, :1]) + 0.5, x[:, 1:]] if weighted else x
    tables = tables_of(x, TARGETS[target], who.owners, partition)
    schemas = {who.names[rank]: table.schema.with_target(TARGET) for rank, table in tables.items()}
    facts = facts_of(
        who, partition, schemas, TARGET,
        test_fraction=0.25 if settings.metrics else 0.0, seed=0, aside=Aside(weight="x0" if weighted else None),
    )  # fmt: skip
    return who, facts, tables


def trained(
    name: str, devices: dict[int, str], compute: int = 2, *, real: bool = False
) -> tuple[list[Outcome], list[Session]]:
    who, facts, tables = prepared(name, compute)
    settings = JOBS[name][2]
    return run_on(devices, who, lambda session: train(session, facts, settings, tables.get(session.rank)), real=real)


@cache
def on_the_cpu(name: str, compute: int = 2) -> tuple[list[Outcome], list[Session]]:
    return trained(name, {}, compute)


def require_same(ours: tuple[list[Outcome], list[Session]], theirs: tuple[list[Outcome], list[Session]]) -> None:
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert np.array_equal(a.coefficients, b.coefficients, equal_nan=True)
        assert np.array_equal(np.atleast_1d(a.intercept), np.atleast_1d(b.intercept), equal_nan=True)
        assert a.extras == b.extras
    for one, other in zip(ours[1], theirs[1], strict=True):
        assert one.meter.exact() == other.meter.exact()
        assert one.ledger == other.ledger


def require_same_messages(ours: list[Session], theirs: list[Session]) -> None:
    """All that each party received after the agreement, whose keys are new in every run."""
    for one, other in zip(ours, theirs, strict=True):
        agreement = len(one.roster.peers(one.rank))
        assert len(one.wire.view) == len(other.wire.view) > agreement or not one.is_compute
        for a, b in zip(one.wire.view[agreement:], other.wire.view[agreement:], strict=True):
            assert a.dtype == b.dtype and torch.equal(a, b)


QUICK = ("least squares, held out", "logistic", "logistic, batches")
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in JOBS]


@pytest.mark.parametrize("name", EVERY)
def test_parties_and_dealer_on_devices_of_their_own_get_what_they_get_on_the_cpu(name: str) -> None:
    ours, theirs = trained(name, ALL), on_the_cpu(name)
    require_same(ours, theirs)
    require_same_messages(ours[1], theirs[1])


@pytest.mark.parametrize("devices", [MIXED, DEALER], ids=["one compute party", "the dealer"])
@pytest.mark.parametrize("name", ["least squares, held out", "logistic"])
def test_parties_on_the_cpu_and_on_a_device_run_together(name: str, devices: dict[int, str]) -> None:
    require_same(trained(name, devices), on_the_cpu(name))


def test_among_three_compute_parties_some_on_one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpcfl.sharing.opening.LONG_MESSAGE", 64)  # long messages are summed by stretches
    require_same(trained("logistic", {0: "cuda", 2: "cuda", 3: "cuda:1"}, compute=3), on_the_cpu("logistic", 3))


def crossings(name: str, iterations: int, rank: int) -> Counter[str]:
    """Of a training with one party on a device."""
    partition, target, settings = JOBS[name]
    who = roster(2)
    tables = tables_of(X, TARGETS[target], who.owners, partition)
    facts = facts_for(tables, who, partition)
    shorter = replace(settings, solver=Gradient(learning_rate=0.1, iterations=iterations), metrics=())
    simulated_cuda.crossings.clear()
    run_on({rank: "cuda"}, who, lambda session: train(session, facts, shorter, tables.get(session.rank)))
    return Counter(simulated_cuda.crossings)


@pytest.mark.parametrize("rank", [0, 1], ids=["gets no tuples", "gets the dealer's tuples too"])
def test_an_iteration_moves_its_messages_and_hardly_anything_else(rank: int) -> None:
    """Four openings, sent and received, and the penalty's constant. Nobody waits for the device but to send."""
    more = crossings("logistic", 12, rank) - crossings("logistic", 2, rank)
    tuples = more["to a device, late"] - 40
    assert tuples == 0 if rank == 0 else tuples > 0
    assert more - Counter({"to a device, late": tuples}) == {
        "to the host, late": 40,
        "to a device, late": 40,
        "to a device, waiting": 10,
    }


ONE_GPU = {0: "cuda:0", 1: "cuda:0", 2: "cuda:0"}
WITH_LOGARITHMS = ("poisson", "gamma")  # tried on a real one with the dealer on the CPU only


@pytest.mark.cuda
@pytest.mark.parametrize("name", JOBS)
def test_on_a_real_gpu_too_it_is_what_it_is_on_the_cpu(name: str) -> None:
    devices = {rank: gpu for rank, gpu in ONE_GPU.items() if rank < 2 or name not in WITH_LOGARITHMS}
    require_same(trained(name, devices, real=True), on_the_cpu(name))


@pytest.mark.cuda
@pytest.mark.parametrize("devices", [{1: "cuda:0"}, {2: "cuda:0"}], ids=["one compute party", "the dealer"])
def test_on_a_real_gpu_beside_parties_on_the_cpu(devices: dict[int, str]) -> None:
    require_same(trained("logistic", devices, real=True), on_the_cpu("logistic"))


def test_keys_are_injected_and_the_comparison_is_of_equal_masks() -> None:
    """Without that, rounding at random would make any two runs differ: so they are equal for a reason."""
    first, again = trained("logistic", {}), on_the_cpu("logistic")
    assert np.array_equal(first[0][0].coefficients, again[0][0].coefficients)


class CutOff(Exception):
    """A party is gone."""


def cut_off_and_resumed(folder: Path, first: dict[int, str], second: dict[int, str]) -> tuple[Any, Any]:
    """A run that p1 leaves as it begins iteration 3, and one that goes on from iteration 2."""
    partition, target, settings = JOBS["logistic, batches"]
    who = roster(2)
    tables = tables_of(X, TARGETS[target], who.owners, partition)
    facts = facts_for(tables, who, partition)

    def program(session: Session, leaves: bool) -> Any:
        def gone(what: str, begins: int, _: int) -> None:
            if leaves and session.rank == 1 and begins == 3:
                raise CutOff

        session.on_step = gone
        with agree_on_checkpoints(session, folder=folder, keys=folder / "keys", job="j", every=1) as keeper:
            outcome = train(session, facts, settings, tables.get(session.rank), keeper)
            return outcome, keeper.planned().start

    with pytest.raises((CutOff, PartyError)):
        run_on(first, who, lambda session: program(session, True))
    results, sessions = run_on(second, who, lambda session: program(session, False))
    assert {start for _, start in results} == {2}
    return [outcome for outcome, _ in results], sessions


def test_a_run_that_was_cut_off_goes_on_on_other_devices(tmp_path: Path) -> None:
    wanted = cut_off_and_resumed(tmp_path / "cpu", {}, {})
    require_same(cut_off_and_resumed(tmp_path / "device", MIXED, ALL), wanted)
    require_same(cut_off_and_resumed(tmp_path / "back", ALL, {}), wanted)


def aggregated(devices: dict[int, str], weighted: bool) -> list[Any]:
    """Of a tensor on the device and one on the CPU, where the owner has a device."""

    def program(session: Session) -> Any:
        if session.rank not in session.roster.owners:
            return aggregate(session)
        place = devices.get(session.rank, "cpu")
        own = {"w": torch.tensor([[0.5, -session.rank], [3.0, 1.25]], device=place), "n": torch.tensor([session.rank])}
        found = aggregate(session, own, weight=1.0 + session.rank if weighted else None)
        assert {name: tensor.device.type for name, tensor in found.items()} == {"w": place.split(":")[0], "n": "cpu"}
        return {name: tensor.tolist() for name, tensor in found.items()}

    return run_on(devices, roster(2, owners=4), program)[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_tensors_are_aggregated_and_come_back_to_where_they_were(weighted: bool) -> None:
    wanted = aggregated({}, weighted)
    assert aggregated(ALL, weighted) == wanted and aggregated(MIXED, weighted) == wanted
