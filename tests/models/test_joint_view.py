"""N - 1 compute parties, with an owner who sides with them, see the same of a training whatever the others' tables are.

By execution (tests/coalition.py): each table of the others has masks that give the view that was seen, to the last bit.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mpcfl.data.table import Table
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.models.training import Outcome, train
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.session import Session
from tests.coalition import Coalition, Seen
from tests.joint import Array, distance, facts_for, tables_of
from tests.models.test_devices import JOBS, by_rows, prepared
from tests.parties import roster

ROWS = 60
SETTINGS = {
    "linear": Settings(solver=Doubling(steps=1024)),
    "logistic": by_rows("logistic", Gradient(learning_rate=0.5, iterations=2), sigmoid={"range": 8, "error": 1e-3}),
}
CLOSE = {"linear": 1e-4, "logistic": 1e-2}  # 1024 steps of few rows; coefficients of a few bits and a short series
QUICK = [
    ("linear", "horizontal", 3, 0),
    ("linear", "vertical", 3, 2),
    ("logistic", "horizontal", 2, 0),  # three organisations, and a fourth that owns only
    ("logistic", "horizontal", 3, 2),
    ("logistic", "vertical", 4, 1),
]
SLOW = [
    pytest.param(*case, marks=pytest.mark.slow)
    for case in (
        ("linear", "horizontal", 3, 2),
        ("linear", "vertical", 3, 0),
        ("linear", "horizontal", 4, 1),
        ("logistic", "horizontal", 3, 0),
        ("logistic", "vertical", 3, 2),
    )
]

SHORT = ("least squares, steps", "least squares, momentum", "logistic, weighted", "logistic, widened")
SHORT += ("logistic, losses", "svm", "huber", "poisson", "gamma")
MODELS = [pytest.param(name, marks=[] if name in SHORT else pytest.mark.slow) for name in JOBS]
MODELS = [model for model in MODELS if model.values != ("logistic, Hessian",)]  # whose sixty iterations take minutes


def pooled(model: str, coalition: Coalition, partition: str) -> list[tuple[Array, Array]]:
    """Normal rows, and signs with a target that has nothing to do with them; what members own is the same in both."""
    owners, rng = coalition.who.owners, np.random.default_rng(7)
    columns = 2 if partition == "horizontal" else len(owners)
    x, signs = rng.standard_normal((ROWS, columns)), rng.choice([-1.0, 1.0], (ROWS, columns))
    y, other = x.sum(axis=1) + rng.standard_normal(ROWS), rng.standard_normal(ROWS)
    if model == "logistic":
        y, other = (y > 0).astype(float), (other > 0).astype(float)
    theirs = np.array([owner in coalition.members for owner in owners])
    if partition == "vertical":  # the second owner has the target
        return [(x, y), (np.where(theirs, x, signs), y if theirs[1] else other)]
    own = np.repeat(theirs, ROWS // len(owners))
    return [(x, y), (np.where(own[:, None], x, signs), np.where(own, y, other))]


def seen_twice(coalition: Coalition, model: str, partition: str, to: str | None = None) -> tuple[Seen, Seen]:
    """A run on one table, and one on the other with the masks that give the same view; each as right as it should be.
    to: who gets the result, default everybody."""
    who, settings = coalition.who, replace(SETTINGS[model], to=[to] if to else None)
    data = pooled(model, coalition, partition)
    tables = [tables_of(x, y, who.owners, partition) for x, y in data]
    facts = facts_for(tables[0], who, partition)

    def program(session: Session, of_owners: dict[int, Table]) -> Outcome:
        return train(session, facts, settings, of_owners.get(session.rank))

    seen = coalition.run(program, tables[0])
    other = coalition.simulated(seen, program, tables[1])
    receiver = who.rank_of(to or who.names[0])
    for run, (x, y) in zip((seen, other), data, strict=True):
        twin, found = plaintext_twin(x, y, facts, settings), run.results[receiver]
        assert distance(found.coefficients, twin.coefficients) < CLOSE[model]
        assert abs(found.intercept - twin.intercept) < CLOSE[model]
    assert distance(other.results[receiver].coefficients, seen.results[receiver].coefficients) > 0.1
    return seen, other


@pytest.mark.parametrize(("model", "partition", "parties", "honest"), [*QUICK, *SLOW])
def test_all_but_one_and_an_owner_see_the_same_whatever_the_tables_of_others_are(
    model: str, partition: str, parties: int, honest: int
) -> None:
    """The dealer owns a table too, and gets the result; the last owner is with the coalition."""
    who = roster(parties, owners=parties + 2)
    coalition = Coalition.against(who, honest, who.owners[-1])
    seen, other = seen_twice(coalition, model, partition, "dealer")
    assert not seen.differences(other)
    assert all(len(seen.view[rank]) > 15 for rank in who.compute if rank != honest)


def test_where_all_get_the_result_the_honest_partys_share_of_it_is_all_that_changes() -> None:
    """N organisations and a helper. That share is the result less what the coalition has of it."""
    seen, other = seen_twice(Coalition.against(roster(3), 1), "logistic", "horizontal")
    assert sorted(seen.differences(other)) == ["rank 0: reveal with 1", "rank 2: reveal with 1"]
    for run in (seen, other):
        ((first,), (second,)) = (
            [part for what, peer, part in run.view[rank] if (what, peer) == ("reveal", 1)] for rank in (0, 2)
        )
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_shows_a_coalition_the_same_of_other_tables(name: str) -> None:
    """Near ones, so that what is decided in public on the way is the same. The dealer gets the result."""
    compute = 3 if name in SHORT and JOBS[name][0] == "horizontal" else 2  # vertical: for a column each
    (who, facts, tables), (_, _, others) = (prepared(name, compute, moved) for moved in (0.0, 0.05))
    coalition, settings = Coalition.against(who, 0), replace(JOBS[name][2], to=["dealer"])
    mixed = {rank: tables[rank] if rank in coalition.members else others[rank] for rank in tables}

    def program(session: Session, of_owners: dict[int, Table]) -> Outcome:
        return train(session, facts, settings, of_owners.get(session.rank))

    seen = coalition.run(program, tables)
    other = coalition.simulated(seen, program, mixed)
    assert not seen.differences(other, but="reveal")
    assert not np.array_equal(other.results[who.dealer].coefficients, seen.results[who.dealer].coefficients)
