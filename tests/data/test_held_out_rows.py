"""Held-out rows as the parties share them where the others are known by their Gram matrices: which, in which order."""

import numpy as np
import pytest

from mpcfl.data.held_out_rows import share_held_out
from mpcfl.sharing.share import Share
from tests.evaluation import sum_of_shares
from tests.joint import Array, facts_for, tables_of
from tests.parties import roster, run_with_sessions

RNG = np.random.default_rng(0)
X: Array = RNG.normal(size=(40, 4))
Y: Array = RNG.normal(size=40)
PARTITIONS = pytest.mark.parametrize("partition", ["horizontal", "vertical"])


def shared(
    partition: str, *, intercept: bool = True, weight_bound: float = 1024.0, cuts: list[int] | None = None
) -> tuple[list[Share], Array, Array, Array]:
    """What party 0 holds; x and target, added up; and which rows are held out."""
    who = roster(2, owners=3)
    tables = tables_of(X, Y, who.owners, partition, cuts=cuts)
    facts = facts_for(tables, who, partition, test_fraction=0.25, seed=1)
    results, _ = run_with_sessions(who, lambda s: share_held_out(s, tables.get(s.rank), facts, intercept, weight_bound))
    x, y = (sum_of_shares([results[r][k] for r in (0, 1)]).numpy() / 2.0 ** results[0][k].scale for k in (0, 1))
    return results[0], x, y, facts.held_out_rows


@PARTITIONS
@pytest.mark.parametrize("intercept", [True, False])
def test_they_are_the_rows_that_do_not_train_with_columns_in_the_order_of_the_weights(
    partition: str, intercept: bool
) -> None:
    _, x, y, out = shared(partition, intercept=intercept)
    wanted = np.c_[X, np.ones(40)] if intercept else X
    assert 8 <= len(y) <= 12 and np.abs(x - wanted[out]).max() < 2.0**-20 and np.abs(y - Y[out]).max() < 2.0**-20


def test_an_owner_with_a_row_or_two_may_hold_none_out() -> None:
    _, x, _, out = shared("horizontal", cuts=[1, 2])
    assert np.abs(x[:, :4] - X[out]).max() < 2.0**-20


def test_rows_have_half_the_bits_that_large_weights_leave() -> None:
    x, target = shared("horizontal")[0]
    assert (x.scale, x.bound, target.scale, target.bound) == (20, 32.0, 20, 1024.0)
    x, target = shared("horizontal", weight_bound=2.0**20)[0]
    assert (x.scale, target.bound) == ((59 - 28) // 2, 2.0**20)  # 5 columns of 32 times 2^20: 28 bits
