"""The memory that a training needs on a GPU: estimated before it, held against what it really had, refused in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mpcfl.data.facts import Facts
from mpcfl.errors import SetupError
from mpcfl.models.memory import memory_of
from mpcfl.models.training import train
from mpcfl.ring._cuda import CHOICES
from mpcfl.world.footprint import Footprint
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from tests import simulated_cuda
from tests.joint import facts_for, tables_of
from tests.models.devices import run_on
from tests.models.test_devices import EVERY, JOBS, TARGETS, X
from tests.parties import roster

LONGER = 20  # times the rows of the other tests, so that the table counts beside what does not depend on it
DEALER = 2


def problem(name: str) -> tuple[Roster, dict, Facts]:  # type: ignore[type-arg]
    partition, target, settings = JOBS[name]
    who = roster(2, owners=3)
    rng = np.random.default_rng(1)
    x = np.tile(X, (LONGER, 1)) + 0.01 * rng.normal(size=(LONGER * len(X), X.shape[1]))
    tables = tables_of(x, np.tile(TARGETS[target], LONGER), who.owners, partition)
    return who, tables, facts_for(tables, who, partition, test_fraction=0.25 if settings.metrics else 0.0)


@pytest.mark.parametrize("rank", [1, DEALER])
@pytest.mark.parametrize("name", EVERY)
def test_the_estimate_is_above_what_was_held_and_not_far_above(name: str, rank: int) -> None:
    who, tables, facts = problem(name)
    settings = JOBS[name][2]
    dry = Session.dry(who, rank)
    train(dry, facts, settings, None)
    estimated = dry.footprint.bytes(computes=rank != DEALER)
    fixed = Footprint().bytes(computes=rank != DEALER)
    device = simulated_cuda.memory[1]
    device.reset()
    before = device.now
    run_on({rank: "cuda:1"}, who, lambda session: train(session, facts, settings, tables.get(session.rank)))
    held = device.peak - before
    assert 0 < held < estimated
    assert estimated - fixed < 5 * held
    if "auc" not in settings.metrics and settings.selection is None:  # histograms are the fixed part
        assert held < estimated - fixed


@pytest.mark.cuda
@pytest.mark.parametrize("rank", [1, DEALER])
@pytest.mark.parametrize("name", JOBS)
def test_a_real_gpu_holds_no_more_than_was_estimated(name: str, rank: int) -> None:
    who, tables, facts = problem(name)
    settings = JOBS[name][2]
    dry = Session.dry(who, rank)
    train(dry, facts, settings, None)
    torch.cuda.reset_peak_memory_stats(0)
    before = torch.cuda.memory_allocated(0)
    run_on({rank: "cuda:0"}, who, lambda s: train(s, facts, settings, tables.get(s.rank)), real=True)
    assert 0 < torch.cuda.max_memory_allocated(0) - before < dry.footprint.bytes(computes=rank != DEALER)


def test_rows_that_stay_are_counted_once_for_each_place_where_they_lie() -> None:
    counted = Footprint()
    fixed = counted.bytes(computes=True)
    counted.inputs += 1000
    counted.deals("pin", [(100, 10)], 1000, 0)
    counted.opens(8000)  # a step of 2000
    assert counted.bytes(computes=True) - fixed == 8 * (1000 + 2 * 1000 + 5 * 2000)
    assert counted.bytes(computes=False) - fixed == 8 * (1000 + 2000 + 4 * 1000)
    counted.deals("pinned product", [(10, 33)], 330, 3300)
    assert counted.bytes(computes=True) - fixed == 8 * (1000 + 6 * 1000 + 5 * 3630)
    assert counted.bytes(computes=True, on_gpu=False) - fixed == 8 * (1000 + 2 * 1000 + 5 * 3630)


def test_digits_are_counted_where_a_gpu_makes_them() -> None:
    most = max(choice.narrow or 0 for choice in CHOICES if choice.way == "skinny")  # columns that need none
    counted = Footprint()
    for columns, wide in ((1, False), (most, False), (most + 1, True)):
        counted.deals("pinned product", [(10, columns)], 10 * columns, 0)
        assert counted.wide == wide


def test_pieces_that_come_one_after_the_other_are_one_at_a_time() -> None:
    counted = Footprint()
    counted.deals("sigmoid", [(50,)], 50, 400)
    for _ in range(9):
        counted.deals("sigmoid", [], 0, 400)
    counted.opens(0)
    assert counted.largest == 850


def test_a_dealer_who_computes_needs_the_memory_of_both() -> None:
    parties = [Party.of(name, ["data", "compute"]) for name in ("a", "b")]
    dry = [Session.dry(Roster(parties, insecure_simulation=True), rank) for rank in range(2)]
    computes, deals = (Footprint().bytes(computes=computes) for computes in (True, False))
    assert [memory_of(session) for session in dry] == [computes + deals, computes]


def test_too_little_memory_is_said_before_anything_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_cuda, "MEMORY", 50_000_000)
    who, tables, facts = problem("logistic")
    settings = replace(JOBS["logistic"][2], metrics=())
    seen = []

    def party(session: Session) -> None:
        seen.append(session)
        train(session, facts, settings, tables.get(session.rank))

    with pytest.raises(
        SetupError, match=r"p1 needs about 0\.\d\d GB of memory on cuda:0, where 0\.05 GB are free"
    ) as caught:
        run_on({1: "cuda:0"}, who, party)
    assert 'device = "cpu" for this party' in str(caught.value.hint) and caught.value.exit_code == 4
    (p1,) = (session for session in seen if session.rank == 1)
    assert "online" not in p1.meter.exact() and "offline" not in p1.meter.exact()
