"""scripts/run_sweep.py: what it plans is what runs cost, what it computes follows from what it measured."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`measuring("sweeps.axes")`: a module as the script sees it."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: importlib.import_module(f"measuring.{name}")


def logistic(measuring: Any, iterations: int, **more: Any) -> Any:
    solver = {"name": "gradient", "learning_rate": 0.1, "iterations": iterations}
    parameters = {"penalty": "none"}
    return measuring("trainings").Training(model="logistic", solver=solver, parameters=parameters, **more)


def test_a_planned_step_of_logistic_regression_costs_what_the_protocol_says(measuring: Any) -> None:
    """4 rounds, and n/2 elements for the sigmoid, n for the error, d + 1 for the weights and for the gradient."""
    n, d = 1000, 10
    few, many = (logistic(measuring, count).planned(n, d) for count in (20, 30))
    assert many["rounds"] - few["rounds"] == 4 * 10
    assert many["bytes"] - few["bytes"] == 8 * (n // 2 + n + 2 * (d + 1)) * 10
    assert few["how"] == "planned"


def test_planned_bytes_of_least_squares_are_the_same_for_all_rows(measuring: Any) -> None:
    training = measuring("trainings").Training()
    few, many = training.planned(10**3, 30), training.planned(10**6, 30)
    assert {name: few[name] for name in few if name != "rows"} == {name: many[name] for name in many if name != "rows"}


def test_compute_parties_send_to_each_other(measuring: Any) -> None:
    two, eight = (logistic(measuring, 5, compute=count, owners=count).planned(100, 4) for count in (2, 8))
    assert eight["bytes"] == 7 * two["bytes"] and eight["rounds"] == two["rounds"]


def test_every_axis_varies_one_thing(measuring: Any) -> None:
    axes = measuring("sweeps.axes")
    small = {"rows": (1000, 2000), "columns": (3, 4), "compute_parties": (2, 3), "owners": (3, 4)}
    axes_before, axes.AXES = axes.AXES, small
    try:
        rows = list(axes.planned(measuring("sweeps").Sweep(seed=1)))
    finally:
        axes.AXES = axes_before
    assert len(rows) == len({row["case"] for row in rows}) == 3 * 8 - 2
    for row in rows:
        value = int(row["case"].rpartition(" ")[2])
        assert row[row["axis"]] == value


def test_owners_in_threads_cost_what_the_plan_says_and_find_the_weights(measuring: Any) -> None:
    owners, real = measuring("sweeps.owners"), measuring("real")
    training = measuring("trainings").Training(owners=12)
    row = owners._row(training, *real.synthetic("linear", 240, 3, 1))
    assert row["as_planned"] and row["relative"] < 1e-5 and row["owners"] == 12
    assert row["bytes_owner"] == training.planned(240, 3)["bytes_owner"] > 0


def test_a_link_adds_one_way_for_each_round_and_its_rate_for_bytes(measuring: Any) -> None:
    links = measuring("sweeps.links")
    slow = links.Link("slow", 0.040, 100e6)
    assert slow.seconds(50, 0) == pytest.approx(50 * 0.020)
    assert slow.seconds(0, 10**6) == pytest.approx(0.08)
    assert slow.seconds(1, 0, dealt=10**9) == pytest.approx(80.0)  # the dealer's link is what takes longest
    assert links.LOOPBACK.seconds(50, 10**6, 10**9) == 0.0


def test_bits_are_turned_down_inside_and_only_there(measuring: Any) -> None:
    from mpcfl.solvers import doubling, row_gradient

    bits = measuring("sweeps.bits")
    before = row_gradient._LARGEST, doubling.GRAM_SCALE
    with bits.finest(9):
        assert (row_gradient._LARGEST, doubling.GRAM_SCALE) == (9, 9)
        few = bits.LINEAR.planned(100, 4)
    assert (row_gradient._LARGEST, doubling.GRAM_SCALE) == before
    assert few["bytes"] < bits.LINEAR.planned(100, 4)["bytes"]  # weights have fewer bits to open


def test_the_error_of_a_series_falls_with_its_terms(measuring: Any) -> None:
    series_error = measuring("sweeps.sigmoid").series_error
    assert series_error(16, 8) == pytest.approx(4.4e-3, rel=0.02)  # PROTOCOLS, section 3
    assert series_error(16, 16) == pytest.approx(3.2e-5, rel=0.02)


@pytest.mark.parametrize("name, shape", [("diabetes", (442, 10)), ("breast-cancer", (569, 30)), ("digits", (1797, 52))])
def test_real_tables_are_standardised(measuring: Any, name: str, shape: tuple[int, int]) -> None:
    x, y = measuring("real").load(name)
    assert x.shape == shape and y.shape == shape[:1]
    assert np.allclose(x.mean(axis=0), 0) and np.allclose(x.std(axis=0), 1) and np.abs(x).max() < 32


def test_a_table_that_is_not_installed_says_what_to_install(measuring: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.datasets", None)
    with pytest.raises(LookupError, match="pip install statsmodels"):
        measuring("real").load("visits")


def test_a_training_is_a_job(measuring: Any) -> None:
    training = replace(logistic(measuring, 7), compute=3, owners=5)
    assert training.job.solver.iterations == 7 and len(training.job.compute_parties) == 3
    assert sum("data" in party.roles for party in training.job.parties) == 5
    assert training.words(10, 2)["iterations"] == 7


# ---- baselines -------------------------------------------------------------------------------------------------------


def test_the_cheap_baselines_still_make_the_kept_rows(measuring: Any) -> None:
    """Rounds, bytes, who sees what, and parameters are equal, errors are within their bands."""
    check, rows, baselines = importlib.import_module("check_results"), measuring("rows"), measuring("sweeps.baselines")
    kept = rows.read(rows.RESULTS / "sweep.jsonl")
    made = list(baselines.baseline_rows(baselines.EXACT))
    assert check.compared(made, kept) == (4, [])
    by_name = {rows.key(row): row for row in kept}
    assert all(row["params"] == by_name[rows.key(row)]["params"] for row in made)


def test_steps_that_are_computed_from_one_cost_what_all_of_them_cost(measuring: Any) -> None:
    from mpcfl.baselines.classic import measure_sum
    from mpcfl.baselines.problem import Problem
    from mpcfl.solvers.gradient import Gradient

    baselines, steps = measuring("sweeps.baselines"), Gradient(learning_rate=0.1, iterations=6)
    problem = Problem(name="small", model="logistic", x=np.eye(9), y=np.arange(9) % 2.0)
    computed, wanted = baselines.added_up(problem, steps, "masks"), measure_sum(problem, steps, scheme="masks")
    for name in ("rounds", "bytes", "bytes_online", "bytes_offline", "accuracy", "iterations"):
        assert computed[name] == wanted[name], name
    assert computed["how"] == "computed" and "from" in computed


def test_a_baseline_whose_library_is_missing_is_not_measured_and_says_so(
    measuring: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    (row,) = measuring("sweeps.baselines").baseline_rows(["ckks-sum"])
    assert row["case"] == "ckks-sum" and "pip install 'mpcfl[baselines]'" in row["not_measured"]
