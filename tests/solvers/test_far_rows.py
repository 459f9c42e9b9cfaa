"""What a guard sees of z it sees modulo something, and a step that is much too long may move all rows by a multiple of
that. No such run ends with weights."""

import numpy as np
import pytest

from mpcfl.errors import DataError, GuardError, HeadroomError
from mpcfl.models.families import Parameters, objective_of
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.solvers.gradient import Gradient
from mpcfl.solvers.steering import RANGE
from mpcfl.world.session import Session
from tests.joint import Array, facts_for, tables_of, train_jointly
from tests.parties import roster, run_with_sessions

N = 200
BINARY: Array = np.where(np.arange(N) % 2, 1.0, -1.0)[:, None]
SAME = np.arange(N) % 10 < 3
LABELS: Array = np.where(SAME, BINARY[:, 0] > 0, BINARY[:, 0] < 0).astype(float)
"""Mostly those of the other sign: the first step has a direction, and z = 0 again has the same."""
TARGETS = {"logistic": LABELS, "svm": LABELS, "huber": LABELS * 2 - 1, "poisson": LABELS * 3, "gamma": LABELS * 3 + 1}
SLOPES = {
    "logistic": BINARY[:, 0] * (0.5 - LABELS),
    "svm": -2 * BINARY[:, 0] * (LABELS * 2 - 1),
    "huber": BINARY[:, 0] * (1 - LABELS * 2),
    "poisson": BINARY[:, 0] * (1 - LABELS * 3),
    "gamma": BINARY[:, 0] * (1 - TARGETS["gamma"]),
}
"""Of the loss, at weight 0, times every row."""


def settings(model: str, move: float, *, iterations: int = 3, range: float | str = 32, **solver: float) -> Settings:
    """The first step moves all rows by `move`."""
    rate = move / abs(float(SLOPES[model].mean()))
    parameters = Parameters(penalty="none", alpha=0.0, C=1e6, sigmoid={"range": range, "error": 1e-3})
    return Settings(
        model=model,
        objective=objective_of(model, parameters),
        solver=Gradient(learning_rate=rate, iterations=iterations, **solver),  # type: ignore[arg-type]
        fit_intercept=False,
    )


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
@pytest.mark.parametrize("periods", [1, 3, 16, 127, 128, 512, 2**14])
@pytest.mark.parametrize("range", [8, 32])
def test_rows_that_move_by_whole_periods_of_the_sigmoid_are_seen(range: int, periods: int, partition: str) -> None:
    x = BINARY if partition == "horizontal" else np.c_[BINARY, np.zeros((N, 2))]
    with pytest.raises(GuardError, match="left the range"):
        train_jointly(x, LABELS, settings("logistic", periods * 4.0 * range, range=range), partition=partition)


@pytest.mark.parametrize("model", TARGETS)
@pytest.mark.parametrize("power", [7, 9, 12, 16, 20, 23, 26])
def test_no_loss_takes_rows_that_are_far_for_rows_that_stayed(model: str, power: int) -> None:
    """2^7 is a period of the sigmoid, 2^9 of words, 2^12 of an exponential's, 2^16 and 2^23 of the rings of z."""
    with pytest.raises((GuardError, HeadroomError), match=r"left the range|bits for the weights|might reach"):
        train_jointly(BINARY, TARGETS[model], settings(model, 2.0**power))


@pytest.mark.parametrize("solver", [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"batch": 50}])
def test_nor_with_momentum_or_in_batches(solver: dict[str, float]) -> None:
    for periods in (1, 16, 128, 1024):
        with pytest.raises(GuardError, match="left the range"):
            train_jointly(BINARY, LABELS, settings("logistic", 128.0 * periods, iterations=5, **solver))


def test_a_range_that_is_widened_is_not_taken_for_one_in_which_all_have_stayed() -> None:
    """After the first step, taken at 0, rows are a multiple of all periods away: all ranges are tried, and it fails."""
    who, wanted = roster(2), settings("logistic", 4096.0, range="auto", check_every=1)
    tables = tables_of(BINARY, LABELS, who.owners, "horizontal")
    facts = facts_for(tables, who, "horizontal")

    def program(session: Session) -> str:
        try:
            train(session, facts, wanted, tables.get(session.rank))
        except GuardError as error:
            return str(error)
        return "no error"

    told, sessions = run_with_sessions(who, program)
    assert all("left the range" in told[rank] for rank in who.compute)
    assert [session.decisions for session in sessions] == [[True] + [False] * 3] * len(sessions)
    assert [entry["what"] for entry in sessions[0].ledger].count(RANGE) == 4


def test_a_row_that_is_far_out_in_many_columns_is_refused_by_its_owner() -> None:
    """The largest weight that is let pass times the largest row is what a guard sees."""
    x = np.tile(BINARY, (1, 20))
    x[130] *= 11.5
    with pytest.raises(DataError, match=r"row 65: its values add up to more than 220 in size") as refused:
        train_jointly(x, LABELS, settings("logistic", 0.1))
    assert refused.value.hint is not None and "mean 0 and variance 1" in refused.value.hint
