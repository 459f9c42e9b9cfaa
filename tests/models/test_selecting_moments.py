"""Choosing the penalty of ridge, lasso and elastic net: the scores and the winner of scikit-learn on the same folds."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import sklearn.linear_model as sk
from sklearn.datasets import load_diabetes

from mpcfl.data.folds import folds_of
from mpcfl.errors import GuardError, JobError
from mpcfl.models.cross_validate import cross_validate
from mpcfl.models.families import Parameters, mixture_of
from mpcfl.models.guards import REACHED, VARIES
from mpcfl.models.lasso import Lasso
from mpcfl.models.linear import Ridge
from mpcfl.models.selecting_moments import FOLDS_REACHED
from mpcfl.models.selection import selection_of
from mpcfl.models.settings import Settings
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.session import Session
from tests.joint import DIABETES, PROGRESSION, Array, Run, correlated, distance, tables_of, train_jointly
from tests.parties import roster, run_with_sessions

CHOSEN = np.random.default_rng(0).permutation(442)[:90]
UNITS = [1, 10, 0.1, 1, 300]
X: Array = ((DIABETES - DIABETES.mean(axis=0)) / DIABETES.std(axis=0))[CHOSEN, 1:6] * UNITS + [0, 3, 1, -2, 500]
Y: Array = PROGRESSION[CHOSEN]
ALPHAS = {"ridge": [1.0, 30.0, 300.0], "lasso": [0.3, 20.0], "elastic_net": [0.1, 1.0]}
PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])
SCALED = load_diabetes().data[CHOSEN]
CORRELATED = correlated(90, 6, 1e3, seed=4)
TABLES = {
    "diabetes": (SCALED, Y),
    "in its units": (X, Y),
    "correlated": (CORRELATED, CORRELATED @ np.arange(6.0) + np.random.default_rng(4).normal(size=90)),
}
QUICK = Admm(iterations=16, refits=1, steps=1 << 14)


def settings(
    model: str = "ridge", *, values: list[float] | None = None, reveal: str = "scores", folds: int = 3
) -> Settings:
    parameters = Parameters()
    chosen = selection_of(model, parameters, values=values or ALPHAS[model], folds=folds, reveal=reveal)
    solver = Doubling() if model == "ridge" else QUICK
    return Settings(
        model=model,
        alpha=1.0 * (model == "ridge"),
        penalty=mixture_of(model, parameters),
        selection=chosen,
        solver=solver,
    )


def plain(model: str, alpha: float, fit_intercept: bool = True) -> sk.Ridge | sk.ElasticNet:
    if model == "ridge":
        return sk.Ridge(alpha, fit_intercept=fit_intercept)
    ratio = 1.0 if model == "lasso" else 0.5
    return sk.ElasticNet(alpha, l1_ratio=ratio, fit_intercept=fit_intercept, tol=1e-10, max_iter=100000)


def scores_of(run: Run, wanted: Settings, x: Array, y: Array) -> list[float]:
    """Mean squared error of every training row, by scikit-learn's model that has not seen it."""
    assert wanted.selection is not None
    everywhere = np.flatnonzero(~run.facts.held_out_rows)
    scores = []
    for alpha in wanted.selection.values:
        errors = []
        for fold in folds_of(run.facts, wanted.selection.folds):
            rest = np.setdiff1d(everywhere, fold)
            model = plain(wanted.model, alpha, wanted.fit_intercept).fit(x[rest], y[rest])
            errors.append((model.predict(x[fold]) - y[fold]) ** 2)
        scores.append(float(np.concatenate(errors).mean()))
    return scores


def found(run: Run) -> dict:
    return run.outcome.extras["selection"]


def agrees(run: Run, wanted: Settings, x: Array, y: Array) -> None:
    scores = scores_of(run, wanted, x, y)
    assert wanted.selection is not None
    assert np.abs(np.array(found(run)["scores"]) / scores - 1).max() < 2e-4
    winner = wanted.selection.values[int(np.argmin(scores))]
    assert found(run)["winner"] == winner
    training = ~run.facts.held_out_rows
    model = plain(wanted.model, winner, wanted.fit_intercept).fit(x[training], y[training])
    assert distance(run.outcome.coefficients, model.coef_) < 1e-4
    assert abs(run.outcome.intercept - model.intercept_) < 1e-3 * max(1.0, abs(model.intercept_))


# ---- as scikit-learn does --------------------------------------------------------------------------------------------


@PARTITIONS
@pytest.mark.parametrize("model", ALPHAS)
def test_scores_winner_and_weights_are_those_of_scikit_learn(model: str, partition: str) -> None:
    wanted = settings(model)
    agrees(train_jointly(X, Y, wanted, partition=partition), wanted, X, Y)


@PARTITIONS
@pytest.mark.parametrize(
    ("table", "grid"),
    [("diabetes", np.logspace(-3, 3, 7)), ("in its units", [0.001, 0.1, 10, 1000]), ("correlated", [0.1, 1.0, 10.0])],
)
def test_a_grid_may_span_any_range(table: str, grid: list[float], partition: str) -> None:
    """Of columns of length 1, where the strongest is 1000 times the rest; of variances from 0.01 to 10^5; RidgeCV's."""
    wanted = settings(values=list(grid))
    agrees(train_jointly(*TABLES[table], wanted, partition=partition), wanted, *TABLES[table])


def test_so_it_may_for_elastic_net() -> None:
    x, y = TABLES["diabetes"]
    wanted = replace(settings("elastic_net", values=[1e-3, 0.1, 10.0], folds=2), solver=Admm(iterations=24, refits=1))
    agrees(train_jointly(x, y, wanted), wanted, x, y)


@PARTITIONS
def test_the_strongest_may_be_the_best_and_beyond_10_to_the_9_times_what_columns_have_weights_are_zero(
    partition: str,
) -> None:
    x, noise = SCALED, np.random.default_rng(5).normal(size=len(SCALED))
    wanted = settings(values=[1e-3, 1e3])
    agrees(train_jointly(x, noise, wanted, partition=partition), wanted, x, noise)
    run = train_jointly(x, noise, settings(values=[1e-3, 1e10]), partition=partition)
    assert found(run)["winner"] == 1e10
    assert np.abs(run.outcome.coefficients).max() < 1e-9
    assert abs(run.outcome.intercept - noise.mean()) < 1e-5


def test_without_an_intercept_and_among_three_compute_parties() -> None:
    wanted = replace(settings(), fit_intercept=False)
    x, y = X - X.mean(axis=0) * 0.9, Y - Y.mean() * 0.9
    agrees(train_jointly(x, y, wanted, who=3), wanted, x, y)
    agrees(train_jointly(x, y, wanted, partition="vertical"), wanted, x, y)


@PARTITIONS
def test_rows_held_out_are_in_no_fold_and_the_metrics_are_of_the_final_model(partition: str) -> None:
    wanted = replace(settings(), metrics=("mse",))
    run = train_jointly(X, Y, wanted, partition=partition, test_fraction=0.3)
    agrees(run, wanted, X, Y)
    out = run.facts.held_out_rows
    error = np.mean((X[out] @ run.outcome.coefficients + run.outcome.intercept - Y[out]) ** 2)
    assert abs(run.outcome.extras["metrics"]["mse"] / error - 1) < 1e-3


def test_owners_of_very_different_rows_and_one_without_a_row_in_some_fold() -> None:
    order = np.argsort(X[:, 2])
    wanted = settings(folds=5)
    run = train_jointly(X[order], Y[order], wanted, cuts=[2, 40], who=2)
    agrees(run, wanted, X[order], Y[order])


# ---- what is revealed, and what it costs -----------------------------------------------------------------------------


def test_the_winner_and_the_guards_of_the_folds_are_revealed_to_all_the_scores_only_if_asked_for() -> None:
    for reveal in ("winner", "scores"):
        run = train_jointly(X, Y, replace(settings(reveal=reveal), to=["p1"]))
        asked = ["mse by alpha"] if reveal == "scores" else []
        assert sorted(run.revealed()) == sorted(
            ["which alpha is best", FOLDS_REACHED, VARIES, "weights", REACHED, *asked]
        )
        to = {entry["what"]: entry["to"] for entry in run.sessions[0].ledger}
        assert to["which alpha is best"] == ["p0", "p1", "dealer"] and to["weights"] == ["p1"]
        assert ["scores" in outcome.extras["selection"] for outcome in run.outcomes] == [
            False,
            reveal == "scores",
            False,
        ]


def test_all_penalties_and_folds_take_the_rounds_of_one_solution() -> None:
    rounds = set()
    for values, folds in (([1.0, 10.0], 2), ([1.0, 10.0, 30.0, 100.0], 3)):
        rounds.add(train_jointly(X, Y, settings(values=values, folds=folds)).cost().rounds)
    one = train_jointly(X, Y, Settings(model="ridge", alpha=1.0)).cost().rounds
    # besides its doublings: penalty 3, error 5, truncation 1, largest 4, reveal 1, and the intercept 2 more than of one
    assert rounds == {one + 2 * Doubling().doublings + 16}


def test_a_doubling_more_costs_that_of_one_solution_for_every_penalty_and_fold_and_for_the_winner() -> None:
    costs = []
    for wanted in (settings(), Settings(model="ridge", alpha=1.0)):
        one, two = (train_jointly(X, Y, replace(wanted, solver=Doubling(steps=1 << k))).cost() for k in (16, 17))
        costs.append((two.rounds - one.rounds, two.bytes - one.bytes))
    (rounds, sent), (rounds_of_one, sent_of_one) = costs
    d = X.shape[1]
    assert rounds == 2 * rounds_of_one
    assert sent == 3 * 3 * 16 * (d * d + d) + sent_of_one  # of which what follows the last doubling is shorter


def test_a_vertical_run_opens_its_columns_once() -> None:
    run = train_jointly(X, Y, settings(), partition="vertical")
    plain_run = train_jointly(X, Y, Settings(model="ridge", alpha=1.0), partition="vertical")
    one, other = (r.sessions[0].meter.exact()["online"]["pinned matrix"]["bytes"] for r in (run, plain_run))
    d, doublings = X.shape[1], Doubling().doublings
    columns, powers = d + 1, d * d * doublings
    assert one - other == 8 * (2 * 3 * columns + 3 * 3 * (powers + columns**2))  # shifts; nine solutions and errors


@pytest.mark.parametrize("best", [0.0, 1.0])
def test_what_a_run_costs_does_not_depend_on_who_wins(best: float) -> None:
    first, second = (train_jointly(X, Y, settings(values=values)) for values in ([best, 300.0], [300.0, best]))
    assert found(first)["winner"] == found(second)["winner"] == best
    assert first.sessions[0].meter.exact() == second.sessions[0].meter.exact()


# ---- from Python -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Ridge(), Lasso(solver=QUICK)])
def test_an_estimator_comes_back_fitted_with_the_winner(model: Ridge | Lasso) -> None:
    who, tables, values = roster(2), tables_of(X, Y, [0, 1], "horizontal"), ALPHAS[model.model][:2]

    def program(session: Session) -> Ridge | Lasso:
        own = copy(model)
        return cross_validate(session, tables.get(session.rank), target="y", model=own, values=values, folds=2)

    models, _ = run_with_sessions(who, program)
    assert models[0].alpha == models[1].alpha == models[0].selection_["winner"]
    best = plain(model.model, models[0].alpha).fit(X, Y)
    assert distance(models[0].coef_, best.coef_) < 1e-4


# ---- what stops it ---------------------------------------------------------------------------------------------------


def test_a_solution_that_is_not_reached_in_a_fold_ends_the_run_before_anything_is_chosen() -> None:
    twice = np.c_[X, X[:, 0] + X[:, 1]]
    with pytest.raises(GuardError, match="not reached with one of .select. values in one of the folds") as caught:
        train_jointly(twice, Y, settings(values=[0.0, 10.0]))
    assert caught.value.hint is not None and "[select]" not in caught.value.hint and "weakest" in caught.value.hint


def test_a_constant_column_is_named() -> None:
    constant = np.c_[X[:, :2], np.full(len(X), 3.0)]
    with pytest.raises(GuardError, match="column 'x2' is constant"):
        train_jointly(constant, Y, settings(values=[0.0, 1e-9]))


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("linear", {}, "for models with a penalty, not for 'linear'"),
        ("ridge", {"parameter": "C"}, "'C' cannot be selected"),
        ("lasso", {"values": [-1.0, 1.0]}, "alpha must be at least 0"),
        ("ridge", {"metric": "r2"}, "'r2' is not for model 'ridge'"),
        ("ridge", {"metric": "auc"}, "'auc' is not for model 'ridge'"),
    ],
)
def test_what_cannot_be_is_refused_by_setting(model: str, options: dict, said: str) -> None:
    with pytest.raises(JobError, match=said):
        selection_of(model, Parameters(), **({"values": [1.0, 2.0]} | options))


def test_other_solvers_standard_errors_and_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(JobError, match="the gradient solver does not promise"):
        replace(settings(), solver=Gradient(learning_rate=0.1))
    with pytest.raises(JobError, match="standard errors are for linear regression"):
        replace(settings(), alpha=0.0, standard_errors=True)
    with pytest.raises(JobError, match="folds = 3 are too many for 5 rows"):
        train_jointly(X[:5], Y[:5], settings())
