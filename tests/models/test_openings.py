"""Training with openings over a torch.distributed group, of Gloo in the place of NCCL, in real processes: the weights
are those of openings over the wire to the last bit, and nothing but openings leaves the wire."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from mpcfl.data.facts import Facts, facts_of
from mpcfl.data.table import Table
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.sharing import opening
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from mpcfl.world.transport import Mesh
from tests.models.devices import run_on, same_keys
from tests.parties import roster
from tests.world.crew import crew
from tests.world.gloo import cluster_of, gloo_group

LONG = 400  # bytes from which on three parties take the long route, so that both are taken
ON_THE_WIRE = ("share", "reveal")  # of phase online; of the others all is
GREETING = 8  # bytes to each other party by which a group begins


def settings(model: str) -> Settings:
    if model == "linear":
        return Settings()
    objective = objective_of(model, Parameters(sigmoid={"range": 16, "error": 1e-3}))
    return Settings(model=model, objective=objective, solver=Gradient(learning_rate=0.5, iterations=3))


def problem(who: Roster, model: str) -> tuple[dict[int, Table], Facts]:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(60, 3))
    x = (x - x.mean(0)) / x.std(0)
    y = x @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=60)
    rows = np.c_[x, y > 0 if model == "logistic" else y]
    parts = dict(zip(who.owners, np.array_split(rows, len(who.owners)), strict=True))
    tables = {rank: Table.of(part, names=["a", "b", "c", "y"]) for rank, part in parts.items()}
    schemas = {who.names[rank]: table.schema.with_target("y") for rank, table in tables.items()}
    return tables, facts_of(who, "horizontal", schemas, "y", test_fraction=0.0, seed=0)


def trained(model: str, session: Session) -> np.ndarray:
    opening.LONG_MESSAGE = LONG
    tables, facts = problem(session.roster, model)
    outcome = train(session, facts, settings(model), tables.get(session.rank))
    return np.append(outcome.coefficients, outcome.intercept)


class Counting:
    """Gloo that counts the bytes that leave, without the first round, which is no opening."""

    def __init__(self, *arguments: Any) -> None:
        self._group, self.sent = gloo_group(*arguments), -GREETING * (arguments[2] - 1)
        self.shutdown, self.abort = self._group.shutdown, self._group.abort

    def alltoall_base(self, arriving: Any, leaving: Any, *sizes: Any) -> Any:
        self.sent += leaving.numel() * leaving.element_size()
        return self._group.alltoall_base(arriving, leaving, *sizes)


def party(compute: int, model: str, mesh: Mesh, say: Any) -> Any:
    """Weights, what was counted, and the bytes that the mesh and the group carried."""
    session = Session(roster(compute, owners=compute + 1), mesh.rank, mesh)
    groups: list[Counting] = []

    def make(*arguments: Any) -> Counting:
        groups.append(Counting(*arguments))
        return groups[0]

    with same_keys(), session.closing():
        session.agree(b"test")
        if session.is_compute:
            session.cluster = cluster_of(mesh, compute, make)
        before = sum(mesh.sent_payload.values())
        weights = trained(model, session)
        by_wire = sum(mesh.sent_payload.values()) - before
    return weights, session.meter.exact(), by_wire, groups[0].sent if groups else 0


@pytest.mark.parametrize("compute, model", [(2, "linear"), (3, "logistic")])
def test_weights_and_meters_are_those_of_the_wire(compute: int, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "LONG_MESSAGE", LONG)  # and put back
    who = roster(compute, owners=compute + 1)
    weights, sessions = run_on({}, who, partial(trained, model))
    with crew(partial(party, compute, model), who.size) as run:
        found = run.values()
    for rank, (own, counted, by_wire, by_group) in enumerate(found):
        assert np.array_equal(own, weights[rank])
        assert counted == sessions[rank].meter.exact()
        cost = {(phase, name): cost["bytes"] for phase, table in counted.items() for name, cost in table.items()}
        opened = sum(size for (phase, name), size in cost.items() if phase == "online" and name not in ON_THE_WIRE)
        assert by_group == opened and (opened > 5000 if rank in who.compute else opened == 0)
        assert by_wire == sum(cost.values()) - opened - cost["setup", "agreement"]
