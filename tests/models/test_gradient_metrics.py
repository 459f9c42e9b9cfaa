"""Metrics of held-out rows after so many steps of least squares: those of scikit-learn with the revealed weights."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error, r2_score

from mpcfl.errors import DataError, HeadroomError
from mpcfl.models.linear import Ridge
from mpcfl.models.settings import Settings
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.session import Session
from tests.joint import Array, Run, distance, train_jointly
from tests.parties import roster, run_with_sessions

RNG = np.random.default_rng(5)
X: Array = RNG.normal(size=(160, 5))
Y: Array = X @ RNG.normal(size=5) + 0.5 * RNG.normal(size=160) + 0.7
PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])
SOLVER = Gradient(learning_rate=0.1, iterations=15)
BOTH = ("r2", "mse")


def settings(metrics: tuple[str, ...] = BOTH, **how) -> Settings:
    solver = replace(SOLVER, **{k: how.pop(k) for k in ("weight_bound", "iterations", "batch") if k in how})
    return Settings(solver=solver, metrics=metrics, **how)


def fitted(wanted: Settings, x: Array = X, y: Array = Y, **how) -> Run:
    return train_jointly(x, y, wanted, **{"test_fraction": 0.3, "seed": 4, **how})


def expected(run: Run, x: Array = X, y: Array = Y) -> dict[str, float]:
    out = run.facts.held_out_rows
    z = x[out] @ run.outcome.coefficients + run.outcome.intercept
    return {"r2": r2_score(y[out], z), "mse": mean_squared_error(y[out], z)}


# ---- those of scikit-learn -------------------------------------------------------------------------------------------


@PARTITIONS
@pytest.mark.parametrize(
    "wanted",
    [settings(), settings(fit_intercept=False), settings(model="ridge", alpha=20.0), settings(batch=20)],
    ids=["linear", "no intercept", "ridge", "batches"],
)
def test_metrics_are_of_the_weights_that_are_revealed(wanted: Settings, partition: str) -> None:
    run = fitted(wanted, partition=partition)
    found = run.outcome.extras["metrics"]
    assert found == pytest.approx(expected(run), abs=1e-4) and found.keys() == set(BOTH)
    assert 0.3 < found["r2"] < 0.95


@PARTITIONS
@pytest.mark.parametrize(("compute", "owners"), [(2, 2), (3, 4)])
def test_whoever_computes_and_owns(compute: int, owners: int, partition: str) -> None:
    run = fitted(settings(), partition=partition, who=roster(compute, owners=owners))
    assert run.outcome.extras["metrics"] == pytest.approx(expected(run), abs=1e-4)


@pytest.mark.parametrize("bound", [2.0**4, 2.0**16])
def test_large_targets_with_a_large_bound(bound: float) -> None:
    """In units of the bound they are right to the bits that it leaves of the weights and of the rows."""
    y = Y * bound / 32
    run = fitted(settings(weight_bound=bound), y=y)
    found, wanted = run.outcome.extras["metrics"], expected(run, y=y)
    assert abs(found["r2"] - wanted["r2"]) < 1e-3
    assert abs(found["mse"] / wanted["mse"] - 1) < 2e-3


def test_a_model_that_is_nearly_right_has_digits_left() -> None:
    y = X @ np.array([0.3, -0.2, 0.1, 0.0, 0.4]) + 0.01 * np.random.default_rng(0).normal(size=160)
    run = fitted(settings(iterations=120), y=y)
    assert abs(run.outcome.extras["metrics"]["mse"] / expected(run, y=y)["mse"] - 1) < 0.02
    assert expected(run, y=y)["mse"] < 3e-4


@PARTITIONS
def test_an_owner_may_have_no_row_that_is_held_out(partition: str) -> None:
    cuts = [1, 3]
    run = fitted(settings(), cuts=cuts, partition=partition, seed=1)
    assert run.outcome.extras["metrics"] == pytest.approx(expected(run), abs=1e-4)


# ---- held out means held out -----------------------------------------------------------------------------------------


@PARTITIONS
def test_the_weights_are_those_without_metrics(partition: str) -> None:
    with_metrics, without = (fitted(settings(metrics), partition=partition) for metrics in (BOTH, ()))
    assert distance(with_metrics.outcome.coefficients, without.outcome.coefficients) < 1e-5


# ---- what is revealed, and what it costs -----------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", [(), ("mse",), BOTH])
def test_only_the_metrics_that_were_asked_for_are_revealed(metrics: tuple[str, ...]) -> None:
    run = fitted(settings(metrics))
    assert run.revealed() == ["weights", *metrics]


def test_held_out_rows_are_shared_and_pinned_once_and_multiplied_once() -> None:
    who = roster(2, owners=2)
    plain, scored = fitted(settings(()), who=who), fitted(settings(("mse",)), who=who)
    before, after = (run.sessions[0].meter.exact()["online"] for run in (plain, scored))
    rows, width = int(scored.facts.test_rows), 6
    opened = after["pinned matrix"]["bytes"] - before["pinned matrix"]["bytes"]
    assert opened == 8 * rows * width, "X of the held-out rows, and nothing else"
    assert after["pinned product"]["bytes"] - before["pinned product"]["bytes"] == 8 * width
    # pin 1, scores 2, clip 2, mse 7
    assert scored.cost().rounds - plain.cost().rounds == 1 + 2 + 2 + 7


# ---- what is refused -------------------------------------------------------------------------------------------------


@PARTITIONS
def test_a_held_out_value_beyond_its_bound_is_named(partition: str) -> None:
    """By its row in the table of its owner: that of the target, who has the last rows or the last columns."""
    how = {"partition": partition, "who": roster(2, owners=2), "cuts": [40] if partition == "horizontal" else [2]}
    mask = fitted(settings(()), **how).facts.held_out_rows
    row = int(np.flatnonzero(mask[60:])[0]) + 60
    named = row + 1 - 40 if partition == "horizontal" else row + 1
    x, y = X.copy(), Y.copy()
    x[row, 3], y[row] = 33.0, 1100.0
    with pytest.raises(DataError, match=rf"row {named}, column 'x3': held out, and beyond 32, which") as caught:
        fitted(settings(), x, **how)
    assert "mean 0 and variance 1" in str(caught.value.hint)
    with pytest.raises(
        DataError, match=rf"row {named}, column 'y': held out, and beyond weight_bound = 1024"
    ) as caught:
        fitted(settings(), X, y, **how)
    assert "raise [solver] weight_bound" in str(caught.value.hint) and "1100" not in str(caught.value)
    fitted(settings(()), x, y, **how)  # nobody looks at them


def test_a_bound_that_leaves_no_bits_for_the_weights_is_refused_with_what_to_change() -> None:
    with pytest.raises(HeadroomError, match="weights of 8 bits") as caught:
        fitted(settings(weight_bound=2.0**24))
    assert "a smaller [solver] weight_bound" in str(caught.value.hint)


def test_metrics_of_one_row_are_refused_before_anything_is_shared() -> None:
    with pytest.raises(DataError, match="metrics need two held-out rows, there are 0"):
        fitted(settings(), test_fraction=0.0)


def test_an_estimator_has_them_by_name() -> None:
    tables = [{**{f"x{i}": X[half, i] for i in range(5)}, "y": Y[half]} for half in (slice(80), slice(80, None))]

    def program(session: Session) -> Ridge:
        model = Ridge(alpha=2.0, solver=SOLVER, metrics=["r2"], test_fraction=0.2)
        return model.fit(session, tables[session.rank] if session.rank < 2 else None, target="y")

    models, _ = run_with_sessions(roster(2), program)
    assert models[0].metrics_.keys() == {"r2"} and 0.3 < models[0].metrics_["r2"] < 1
