"""Trains on a table split over the parties of this process, and holds the plan of each party against what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_diabetes

from mpcfl.data.facts import Facts, facts_of
from mpcfl.data.table import Table
from mpcfl.models.settings import Settings
from mpcfl.models.training import Outcome, train
from mpcfl.world.meter import Cost
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from tests.parties import roster, run_with_sessions

Array = npt.NDArray[np.float64]
TARGET = "y"
DIABETES: Array = load_diabetes(scaled=False).data
PROGRESSION: Array = load_diabetes(scaled=False).target


@dataclass(frozen=True)
class Run:
    """`outcome` is what the receivers got, all the same; `outcomes` and `sessions` are by rank."""

    outcome: Outcome
    outcomes: list[Outcome]
    sessions: list[Session]
    facts: Facts

    def cost(self, phase: str = "online", rank: int = 0) -> Cost:
        return self.sessions[rank].meter.total(phase)

    def revealed(self, rank: int = 0) -> list[str]:
        return [entry["what"] for entry in self.sessions[rank].ledger]


def tables_of(
    x: Array, y: Array, owners: Sequence[int], partition: str, *, cuts: Sequence[int] | None = None
) -> dict[int, Table]:
    """By owner's rank: stretches of rows (horizontal) or of features, the second owner's with the target (vertical).

    `cuts`: where the stretches end, the last left out; default: about equal ones.
    """
    names = [f"x{i}" for i in range(x.shape[1])]
    size = len(x) if partition == "horizontal" else x.shape[1]
    inner = [size * i // len(owners) for i in range(1, len(owners))] if cuts is None else list(cuts)
    edges = [0, *inner, size]
    stretches = {owner: slice(edges[i], edges[i + 1]) for i, owner in enumerate(owners)}
    if partition == "horizontal":
        return {owner: Table.of(np.c_[x, y][rows], names=[*names, TARGET]) for owner, rows in stretches.items()}
    with_target = owners[min(1, len(owners) - 1)]
    tables = {}
    for owner, columns in stretches.items():
        block, header = x[:, columns], names[columns]
        if owner == with_target:
            block, header = np.c_[block, y], [*header, TARGET]
        tables[owner] = Table.of(block, names=header)
    return tables


def facts_for(
    tables: dict[int, Table], who: Roster, partition: str, *, test_fraction: float = 0.0, seed: int = 0
) -> Facts:
    schemas = {who.names[rank]: table.schema.with_target(TARGET) for rank, table in tables.items()}
    return facts_of(who, partition, schemas, TARGET, test_fraction=test_fraction, seed=seed)


def train_jointly(
    x: Array,
    y: Array,
    settings: Settings | None = None,
    *,
    who: Roster | int = 2,
    partition: str = "horizontal",
    cuts: Sequence[int] | None = None,
    test_fraction: float = 0.0,
    seed: int = 0,
) -> Run:
    """Train; asserts what holds for every run: each party did what its plan says, and all receivers got the same."""
    who = roster(who, owners=who + 1) if isinstance(who, int) else who
    settings = settings or Settings()
    tables = tables_of(x, y, who.owners, partition, cuts=cuts)
    facts = facts_for(tables, who, partition, test_fraction=test_fraction, seed=seed)
    outcomes, sessions = run_with_sessions(who, lambda s: train(s, facts, settings, tables.get(s.rank)))
    for session in sessions:
        found = session.meter.exact()
        found["setup"].pop("publish", None)  # no part of a plan
        assert planned(who, session.rank, facts, settings) == found
        assert session.ledger == sessions[0].ledger
    receivers = next(entry["to"] for entry in sessions[0].ledger if entry["what"] == "weights")
    first, *others = (outcomes[who.rank_of(name)] for name in receivers)
    assert all(np.array_equal(other.coefficients, first.coefficients) for other in others)
    return Run(first, outcomes, sessions, facts)


def planned(who: Roster, rank: int, facts: Facts, settings: Settings) -> dict[str, dict[str, dict[str, int]]]:
    """What a dry run of this party counts."""
    dry = Session.dry(who, rank)
    dry.agree(b"")
    train(dry, facts, settings, None)
    return dry.meter.exact()


def distance(found: npt.ArrayLike, wanted: npt.ArrayLike) -> float:
    """Norm of the difference over the norm of what is wanted."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def correlated(rows: int, columns: int, condition: float, *, seed: int = 0) -> Array:
    """Rows of a table of unit variances whose covariance has about this condition number."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(columns, columns)))
    spread = np.sqrt(np.geomspace(1.0, 1.0 / condition, columns))
    x = rng.normal(size=(rows, columns)) * spread @ turn.T
    return np.asarray(x / x.std(axis=0))
