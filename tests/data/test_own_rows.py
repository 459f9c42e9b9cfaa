"""An owner's rows as a solver takes them, and what an owner refuses before anybody hears of it, by column and row."""

import numpy as np
import pytest

from mpcfl.data.facts import Aside, Facts
from mpcfl.data.own_rows import MEAN_BOUND, ROW_BOUND, WEIGHT_BOUND, Coded, OwnRows, own_rows, size_bound, with_aside
from mpcfl.data.table import Table
from mpcfl.errors import DataError
from mpcfl.models.losses.logistic import Logistic
from mpcfl.protocols.harmonics import Series
from tests.data.files import SECRET, refusal

NAMES = ("a", "b")
N = 6  # rows of each owner


def code(y: np.ndarray, name: str, target: str) -> Coded:
    return Coded(response=y, sign=2 * y - 1, offset=y + 0.5, target=10 * y)


def horizontal(**options: object) -> Facts:
    return Facts(partition="horizontal", features=NAMES, target="y", rows={0: N, 1: N, 2: N}, **options)  # type: ignore[arg-type]


def vertical(**options: object) -> Facts:
    """Rank 0 holds a and the target, rank 1 holds b."""
    rows = {0: N, 1: N}
    return Facts(partition="vertical", features=NAMES, target="y", rows=rows, holders=(0, 1, 0), **options)  # type: ignore[arg-type]


def table(**columns: object) -> Table:
    given = {"a": np.arange(N) / 10, "b": -np.arange(N) / 5, "y": np.arange(N) % 2} | columns
    return Table.of({name: np.asarray(column, dtype=float) for name, column in given.items()}, name="north.csv")


def rows_of(
    own: Table, facts: Facts | None = None, rank: int = 1, chosen: list[np.ndarray] | None = None, **options: object
) -> OwnRows:
    facts = facts or horizontal()
    batches = [np.arange(facts.total_rows)] if chosen is None else chosen
    return own_rows(rank, own, facts, batches, **({"fit_intercept": True, "code": code} | options))  # type: ignore[arg-type]


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_columns_are_picked_by_name_and_the_ones_of_the_intercept_come_last() -> None:
    own = Table.of(table().values[:, ::-1], names=["y", "b", "a"])
    found = rows_of(own, code=lambda y, name, target: Coded(response=y))
    assert np.array_equal(found.x, np.c_[np.arange(N) / 10, -np.arange(N) / 5, np.ones(N)])
    assert found.coded is not None and np.array_equal(found.coded.response, np.arange(N) % 2)


def test_in_a_vertical_partition_each_has_its_own_and_the_owner_of_the_target_the_ones() -> None:
    with_target = rows_of(Table.of({"y": np.zeros(N), "a": np.ones(N)}), vertical(), 0)
    without = rows_of(Table.of({"b": np.full(N, 2.0)}), vertical(), 1)
    assert with_target.x.shape == (N, 2) and with_target.coded is not None
    assert np.array_equal(without.x, np.full((N, 1), 2.0)) and without.coded is None
    assert rows_of(Table.of({"y": np.zeros(N), "a": np.ones(N)}), vertical(), 0, fit_intercept=False).x.shape == (N, 1)


def test_signs_multiply_rows_only_where_the_owner_has_them_whole() -> None:
    sign = 2.0 * (np.arange(N) % 2) - 1
    assert np.array_equal(rows_of(table()).x[:, -1], sign)
    assert np.array_equal(rows_of(table(), vertical(), 0).x[:, -1], np.ones(N))


def test_held_out_rows_are_told_nothing_of_their_target() -> None:
    facts = horizontal(test_fraction=0.5, seed=1)
    held_out, y = facts.held_out_of(1), np.arange(N) % 2
    coded = rows_of(table(), facts).coded
    assert coded is not None and held_out.sum() == 3
    assert np.array_equal(coded.sign, np.where(held_out, 1, 2 * y - 1))
    assert np.array_equal(coded.offset, np.where(held_out, 0, y + 0.5))
    assert np.array_equal(coded.target, 10 * y)  # predictions are compared with it, under MPC


def test_no_text_has_a_value_in_it() -> None:
    found = rows_of(table())
    assert repr(found) == f"OwnRows(shape=({N}, 3))" and repr(found.coded) == "Coded()"


# -- columns that are no features --------------------------------------------------------------------------------------


def test_weights_multiply_offsets_and_logarithms_of_exposures_add_up() -> None:
    aside = Aside(weight="w", offset="o", exposure="e")
    w, o, e = np.linspace(0, 16, N), np.arange(N) / 2, np.exp(np.arange(N))
    columns = {"w": w, "o": o, "e": e}
    coded = with_aside(Coded(offset=np.ones(N), weight=np.full(N, 0.5)), columns, aside, "t")
    assert coded.weight is not None and np.array_equal(coded.weight, w / 2)
    assert coded.offset is not None and np.allclose(coded.offset, 1 + o + np.arange(N), rtol=1e-15, atol=1e-15)
    alone = with_aside(Coded(), columns, Aside(weight="w"), "t")
    assert np.array_equal(alone.weight, w) and alone.offset is None


def test_they_come_from_the_table_by_name() -> None:
    facts = horizontal(aside=Aside(weight="w"))
    coded = rows_of(table(w=np.arange(N)), facts).coded
    assert coded is not None and np.array_equal(coded.weight, np.arange(N))


@pytest.mark.parametrize(
    ("aside", "value", "said"),
    [
        (Aside(exposure="e"), 0.0, "row 4, column 'e': an exposure must be more than 0"),
        (Aside(exposure="e"), -float(SECRET), "row 4, column 'e': an exposure must be more than 0"),
        (Aside(weight="e"), -0.5, "row 4, column 'e': a weight must be from 0 to 16"),
        (Aside(weight="e"), float(SECRET), "row 4, column 'e': a weight must be from 0 to 16"),
    ],
)
def test_weights_and_exposures_that_cannot_be_are_named(aside: Aside, value: float, said: str) -> None:
    column = np.ones(N)
    column[3] = value
    assert refusal(lambda: rows_of(table(e=column), horizontal(aside=aside))) == f"north.csv: {said}"
    assert WEIGHT_BOUND == 16


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float(SECRET), -float(SECRET), ROW_BOUND * 1.0001])
@pytest.mark.parametrize("column", NAMES)
def test_a_value_out_of_range_is_named_by_row_and_column(column: str, value: float) -> None:
    values = np.zeros(N)
    values[[2, 5]] = value
    said, hint = refusal(lambda: rows_of(table(**{column: values}))).splitlines()
    assert said == f"north.csv: row 3, column '{column}': beyond 32"
    assert "mean 0 and variance 1" in hint


def test_a_value_at_the_bound_is_in_range() -> None:
    values = np.zeros(N)
    values[2] = -ROW_BOUND
    assert rows_of(table(a=values)).x.shape == (N, 3)


@pytest.mark.parametrize("label", [0.5, 2.0, -1.0])
def test_a_label_that_is_none_is_named_by_row_and_column(label: float) -> None:
    y = np.arange(N) % 2 * 1.0
    y[4] = label
    with pytest.raises(DataError, match=r"north\.csv: row 5, column 'y': a label must be 0 or 1"):
        rows_of(table(y=y), code=Logistic(Series(8, 8)).code)


# -- sizes in a batch --------------------------------------------------------------------------------------------------


def large(rows: int, first: int, last: int, size: float) -> Table:
    """`rows` rows whose column b is of this size from row `first` to `last`, with signs in turn, and 0 elsewhere."""
    b = np.zeros(rows)
    b[first:last] = size * (-1.0) ** np.arange(last - first)
    return Table.of({"a": np.zeros(rows), "b": b, "y": np.zeros(rows)}, name="north.csv")


def test_a_batch_whose_values_are_large_on_the_average_is_refused_by_column() -> None:
    """Any sign: it is the gradient's size that the public scales rest on."""
    facts = Facts(partition="horizontal", features=NAMES, target="y", rows={0: 100, 1: 100})
    whole = [np.arange(200)]
    most = MEAN_BOUND * 200 * 0.5 + 64  # half the rows are its own
    assert most == size_bound(facts, 200) / 2
    assert rows_of(large(100, 0, 50, most / 50), facts, chosen=whole).x.shape == (100, 3)
    with pytest.raises(DataError, match=r"north\.csv: column 'b' has a mean size beyond 2 in a batch") as refused:
        rows_of(large(100, 0, 50, most / 50 + 0.01), facts, chosen=whole)
    assert "larger batches" in str(refused.value.hint)


def test_rows_of_batches_are_numbered_over_the_owners_in_turn() -> None:
    """Rank 1 has rows 100 to 199. Its last twenty are large: only a batch that holds them all is too large."""
    facts = Facts(partition="horizontal", features=NAMES, target="y", rows={0: 100, 1: 100, 2: 100})
    own = large(100, 80, 100, 31.0)
    for harmless in (np.arange(100), np.arange(100, 180), np.arange(200, 300)):
        rows_of(own, facts, chosen=[harmless])
    for rank, harmful in ((1, np.arange(180, 200)), (0, np.arange(80, 100)), (2, np.arange(280, 300))):
        with pytest.raises(DataError, match="column 'b' has a mean size beyond 2"):
            rows_of(own, facts, rank, chosen=[np.arange(0), harmful])


def test_in_a_vertical_partition_every_owner_has_every_row_of_a_batch() -> None:
    rows = {0: 100, 1: 100}
    facts = Facts(partition="vertical", features=NAMES, target="y", rows=rows, holders=(0, 1, 0))
    own = Table.of({"b": np.full(100, 3.0)}, name="south.csv")
    rows_of(own, facts, 1, chosen=[np.arange(40)])  # 120 of 2 * 40 + 64
    with pytest.raises(DataError, match=r"south\.csv: column 'b' has a mean size beyond 2"):
        rows_of(own, facts, 1, chosen=[np.arange(80)])  # 240 of 2 * 80 + 64
