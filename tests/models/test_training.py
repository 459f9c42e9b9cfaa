"""One run as a whole: what leaves the shares, what it costs, what stops it."""

import numpy as np
import pytest
import sklearn.linear_model as sk
import torch
from sklearn.metrics import mean_squared_error, r2_score

from mpcfl.data.moments import split_rows
from mpcfl.errors import GuardError
from mpcfl.models.guards import FITS, REACHED, VARIES
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.solvers.doubling import Doubling
from mpcfl.world.session import Session
from tests.joint import DIABETES, PROGRESSION, Array, Run, distance, facts_for, tables_of, train_jointly
from tests.parties import roster, run_with_sessions

PARTITIONS = ("horizontal", "vertical")
RNG = np.random.default_rng(2)


def held_out(run: Run) -> Array:
    """Which of the pooled rows were held out."""
    if run.facts.holders:
        return split_rows(442, run.facts.test_fraction, run.facts.seed)
    rows = run.facts.rows.values()
    return np.concatenate([split_rows(n, run.facts.test_fraction, run.facts.seed) for n in rows])


# ---- what is revealed ------------------------------------------------------------------------------------------------


def test_a_horizontal_run_reveals_the_weights_and_its_guards() -> None:
    run = train_jointly(DIABETES, PROGRESSION)
    assert run.revealed() == ["weights", REACHED, VARIES]
    shapes = [entry["shape"] for entry in run.sessions[0].ledger]
    assert shapes == [[11], [], [11]]
    assert all(entry["to"] == ["p0", "p1", "dealer"] for entry in run.sessions[0].ledger)


def test_in_a_vertical_run_each_owner_checks_its_own_columns() -> None:
    assert train_jointly(DIABETES, PROGRESSION, partition="vertical").revealed() == ["weights", REACHED]


def test_more_is_revealed_only_if_asked_for() -> None:
    settings = Settings(metrics=("r2", "mse"), standard_errors=True)
    run = train_jointly(DIABETES, PROGRESSION, settings, test_fraction=0.2)
    assert sorted(run.revealed()) == sorted(["weights", REACHED, VARIES, FITS, "r2", "mse", "variances"])


def test_one_round_reveals_everything() -> None:
    settings = Settings(metrics=("r2", "mse"), standard_errors=True)
    run = train_jointly(DIABETES, PROGRESSION, settings, test_fraction=0.2)
    assert run.sessions[0].meter.exact()["online"]["reveal"]["rounds"] == 1


def test_two_runs_on_the_same_data_send_different_messages() -> None:
    """Masks are fresh: what a party sees of one run says nothing about the next."""
    first, second = (train_jointly(DIABETES, PROGRESSION) for _ in range(2))
    views = [torch.cat([v.reshape(-1).view(torch.uint8) for v in r.sessions[0].wire.view[2:]]) for r in (first, second)]
    assert views[0].shape == views[1].shape
    assert (views[0] == views[1]).double().mean() < 0.01


# ---- held-out rows ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_metrics_of_held_out_rows_are_those_of_scikit_learn(fit_intercept: bool, partition: str) -> None:
    x = DIABETES if fit_intercept else DIABETES - DIABETES.mean(axis=0) * 0.9
    settings = Settings(metrics=("r2", "mse"), fit_intercept=fit_intercept)
    run = train_jointly(x, PROGRESSION, settings, partition=partition, test_fraction=0.2, seed=3)
    out = held_out(run)
    wanted = sk.LinearRegression(fit_intercept=fit_intercept).fit(x[~out], PROGRESSION[~out])
    assert distance(run.outcome.coefficients, wanted.coef_) < 1e-4
    predicted, true = wanted.predict(x[out]), PROGRESSION[out]
    found = run.outcome.extras["metrics"]
    # `squared_error` is right to about 2^-14 of the target's mean square about the point of reference
    about = PROGRESSION[~out].mean() if fit_intercept else 0.0
    unit = 2.0**-13 * float(np.mean((true - about) ** 2))
    assert abs(found["mse"] - mean_squared_error(true, predicted)) < unit
    assert abs(found["r2"] - r2_score(true, predicted)) < unit / true.var()


def test_metrics_of_ridge() -> None:
    run = train_jointly(
        DIABETES, PROGRESSION, Settings(model="ridge", alpha=50.0, metrics=("r2",)), who=3, test_fraction=0.3, seed=1
    )
    out = held_out(run)
    wanted = sk.Ridge(alpha=50.0).fit(DIABETES[~out], PROGRESSION[~out])
    assert distance(run.outcome.coefficients, wanted.coef_) < 1e-4
    assert abs(run.outcome.extras["metrics"]["r2"] - wanted.score(DIABETES[out], PROGRESSION[out])) < 2.0**-12


def test_an_owner_with_one_row_holds_none_out() -> None:
    run = train_jointly(DIABETES, PROGRESSION, Settings(metrics=("mse",)), cuts=[1, 200], test_fraction=0.25)
    out = held_out(run)
    assert run.facts.held_out[0] == 0 and not out[0]
    wanted = sk.LinearRegression().fit(DIABETES[~out], PROGRESSION[~out])
    assert distance(run.outcome.coefficients, wanted.coef_) < 1e-4


@pytest.mark.parametrize("partition", PARTITIONS)
def test_held_out_rows_far_beyond_the_others_are_refused_by_name(partition: str) -> None:
    """One wild value among the held-out rows would not fit the ring."""
    x = RNG.normal(size=(300, 3))
    y = x @ [1.0, 2.0, 3.0] + RNG.normal(size=300)
    who = roster(2, owners=3)
    if partition == "vertical":
        out = split_rows(300, 0.2, 0)
    else:
        out = np.concatenate([split_rows(100, 0.2, 0)] * 3)
    x[np.flatnonzero(out)[0], 1] = 500.0
    with pytest.raises(Exception, match="column 'x1' spreads .* held-out rows") as caught:
        train_jointly(x, y, Settings(metrics=("r2",)), who=who, partition=partition, test_fraction=0.2)
    assert caught.value.exit_code in (3, 8)


# ---- guards ----------------------------------------------------------------------------------------------------------


def test_too_few_steps_are_noticed() -> None:
    with pytest.raises(GuardError, match=r"not reached.*\n.*\[solver\] steps = 1048576"):
        train_jointly(DIABETES, PROGRESSION, Settings(solver=Doubling(steps=64)))


def test_a_guard_that_trips_gives_no_party_a_result() -> None:
    who = roster(2, owners=3)
    tables = tables_of(DIABETES, PROGRESSION, who.owners, "horizontal")
    facts = facts_for(tables, who, "horizontal")
    raised: list[int] = []

    def program(session: Session) -> None:
        try:
            train(session, facts, Settings(solver=Doubling(steps=64)), tables.get(session.rank))
        except GuardError:
            raised.append(session.rank)

    run_with_sessions(who, program)
    assert sorted(raised) == [0, 1, 2]


# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_a_horizontal_run_takes_fifty_rounds() -> None:
    """Sharing 1 (none if all owners compute), moments 8, doublings 2 x 16, intercept 4, mantissas 4, reveal 1."""
    assert train_jointly(DIABETES, PROGRESSION).cost().rounds == 1 + 8 + 32 + 4 + 4 + 1
    assert train_jointly(DIABETES, PROGRESSION, who=roster(2)).cost().rounds == 49
    without = Settings(fit_intercept=False)
    centred = DIABETES - DIABETES.mean(axis=0)
    assert train_jointly(centred, PROGRESSION, without).cost().rounds == 46


def test_a_vertical_run_takes_forty_five() -> None:
    """Sharing 2 (constants, columns), opening 1, truncation 1, doublings 2 x 16, intercept 4, mantissas 4, reveal 1."""
    assert train_jointly(DIABETES, PROGRESSION, partition="vertical").cost().rounds == 2 + 1 + 1 + 32 + 4 + 4 + 1
    assert train_jointly(DIABETES, PROGRESSION, who=roster(2), partition="vertical").cost().rounds == 43


@pytest.mark.parametrize("compute, owners", [(2, 2), (2, 3), (3, 4), (5, 5)])
def test_horizontal_bytes_do_not_depend_on_the_rows(compute: int, owners: int) -> None:
    runs = []
    for rows in (40, 4000):
        x = RNG.normal(size=(rows, 4))
        who = roster(compute, owners=owners)
        runs.append(train_jointly(x, x @ [1.0, 2.0, 3.0, 4.0] + RNG.normal(size=rows), who=who))
    few, many = ([session.meter.exact() for session in run.sessions] for run in runs)
    assert few == many


@pytest.mark.parametrize("partition", PARTITIONS)
def test_no_cost_depends_on_what_the_data_are(partition: str) -> None:
    runs = [train_jointly(x, PROGRESSION, partition=partition) for x in (DIABETES, DIABETES * 1e-5)]
    assert runs[0].sessions[0].meter.exact() == runs[1].sessions[0].meter.exact()


def test_vertical_bytes_are_one_opening_of_the_table_and_then_no_more() -> None:
    """A row more costs D elements, once, at each compute party; an owner who does not compute sends its columns."""
    few, many = (train_jointly(DIABETES[:n], PROGRESSION[:n], partition="vertical", cuts=[3, 7]) for n in (100, 442))
    for rank in (0, 1):
        assert many.cost(rank=rank).bytes - few.cost(rank=rank).bytes == 8 * 342 * 11
    assert many.cost(rank=2).bytes - few.cost(rank=2).bytes == 8 * 342 * 3
    assert [s.meter.exact()["online"]["share"]["messages"] for s in many.sessions] == [0, 0, 2]
    for rank in range(3):
        assert many.cost("offline", rank).bytes == few.cost("offline", rank).bytes


def test_only_the_dealer_sends_correlated_randomness_and_seeds_make_more_parties_cost_no_more() -> None:
    prices = []
    for compute in (2, 3):
        run = train_jointly(DIABETES, PROGRESSION, who=roster(compute, owners=4))
        sent = [run.cost("offline", rank).bytes for rank in range(run.sessions[0].roster.size)]
        assert [rank for rank, size in enumerate(sent) if size] == [compute]
        prices.append(sent[compute])
    assert prices[0] == prices[1]


def test_every_configuration_costs_what_its_plan_says() -> None:
    """`train_jointly` compares, at every rank; here it does so for what the other tests leave out."""
    everything = Settings(metrics=("mse", "r2"), standard_errors=True, solver=Doubling(refinements=2), to=["p1"])
    for partition in PARTITIONS:
        for who in (roster(2), roster(3, owners=5)):
            run = train_jointly(DIABETES, PROGRESSION, everything, who=who, partition=partition, test_fraction=0.1)
            assert run.cost().messages > 0
