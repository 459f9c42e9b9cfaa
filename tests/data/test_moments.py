"""Local statistics, held against exact fractions where float64 itself would be the question."""

from fractions import Fraction

import numpy as np
import pytest

from mpcfl.data.moments import Moments, batch_moments, local_moments, split_moments, split_rows
from mpcfl.data.table import Table
from mpcfl.errors import DataError, JobError


def exact(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scatter in rational arithmetic, rounded once at the end."""
    rows = [[Fraction(x) for x in row] for row in values.tolist()]
    width = values.shape[1]
    mean = [sum(row[i] for row in rows) / len(rows) for i in range(width)]
    scatter = [
        [float(sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in rows)) for j in range(width)]
        for i in range(width)
    ]
    return np.array([float(m) for m in mean]), np.array(scatter)


def nasty(rows: int = 3000) -> np.ndarray:
    """A huge offset with a tiny spread, a year, a turnover, a trend through the file, a rare one, a constant."""
    rng = np.random.default_rng(7)
    return np.column_stack(
        [
            1e9 + 1e-2 * rng.standard_normal(rows),
            rng.integers(1990, 2024, rows),
            rng.lognormal(16, 2, rows),
            -1e6 + np.arange(rows) + 1e-3 * rng.standard_normal(rows),
            np.arange(rows) == rows - 1,
            np.full(rows, 3.7),
        ]
    )


def relative(scatter: np.ndarray, truth: np.ndarray) -> float:
    """Largest error in units of the product of the two columns' own spreads (as in a correlation)."""
    spread = np.sqrt(np.diag(truth))
    spread[spread == 0] = 1
    return float(np.abs((scatter - truth) / np.outer(spread, spread)).max())


@pytest.mark.parametrize("pass_values", [6, 60, 6000, 1 << 20])
def test_moments_lose_nothing_to_large_offsets(monkeypatch: pytest.MonkeyPatch, pass_values: int) -> None:
    monkeypatch.setattr("mpcfl.data.moments.PASS_VALUES", pass_values)
    monkeypatch.setattr("mpcfl.data.moments.PASS_ROWS", 1)
    values = nasty()
    mean, scatter = exact(values)
    found = local_moments(Table.of(values))
    assert found.count == 3000
    # A mean is right to its last place; of a mean that is small beside the spread, it is the spread that counts.
    assert (np.abs(found.mean - mean) <= 2.0**-52 * np.abs(mean) + 1e-14 * values.std(axis=0)).all()
    assert relative(found.scatter, scatter) < 1e-13
    assert np.array_equal(found.scatter, found.scatter.T)
    assert np.array_equal(found.max_abs, np.abs(values).max(axis=0))
    assert found.constant_columns == ("x5",)


def test_the_textbook_formula_would_have_failed_here() -> None:
    """What the test above is for: X.T X - n mean mean^T has not one digit right."""
    values = nasty()
    naive = values.T @ values - 3000 * np.outer(values.mean(0), values.mean(0))
    assert relative(naive, exact(values)[1]) > 0.5


def test_merging_the_moments_of_parties_gives_those_of_all_rows() -> None:
    values = nasty()
    parts = [local_moments(Table.of(part)) for part in np.split(values, [10, 11, 2000])]
    merged = parts[0]
    for part in parts[1:]:
        merged = Moments.merge(merged, part)
    _, scatter = exact(values)
    assert merged.count == 3000
    assert relative(merged.scatter[1:, 1:], scatter[1:, 1:]) < 1e-13
    # A party's mean at 1e9 is rounded by up to 6e-8, the spread there is 1e-2.
    assert relative(merged.scatter, scatter) < 6e-8 / 1e-2
    assert merged.constant_columns == ("x5",)


def test_the_target_comes_last_and_the_others_keep_their_order() -> None:
    values = np.random.default_rng(0).standard_normal((50, 4))
    found = local_moments(Table.of(values, names=["a", "y", "b", "c"]), target="y")
    assert found.names == ("a", "b", "c", "y")
    order = values[:, [0, 2, 3, 1]]
    np.testing.assert_allclose(found.scatter, np.cov(order.T) * 49, rtol=1e-12)
    np.testing.assert_allclose(found.mean, order.mean(0), rtol=1e-12)


def test_a_target_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="has no column 'y'"):
        local_moments(Table.of([[1.0], [2.0]]), target="y")


def test_progress_is_told_in_rows() -> None:
    seen: list[int] = []
    local_moments(Table.of(np.ones((300_000, 10))), on_chunk=seen.append)
    assert len(seen) > 1 and seen == sorted(seen) and seen[-1] == 300_000


def test_moments_of_different_columns_do_not_merge() -> None:
    first, second = (local_moments(Table.of({name: [1.0, 2.0]})) for name in "ab")
    with pytest.raises(JobError, match="different columns"):
        Moments.merge(first, second)


def test_repr_has_no_statistic_in_it() -> None:
    assert repr(local_moments(Table.of({"a": [4711.0, 4713.0]}))) == "Moments(names=['a'])"


def test_training_and_test_moments_come_from_one_pass_over_disjoint_rows() -> None:
    values = nasty()
    table = Table.of(values)
    held_out = split_rows(3000, 0.25, seed=3)
    train, test = split_moments(table, held_out, target="x2")
    for found, rows in ((train, values[~held_out]), (test, values[held_out])):
        alone = local_moments(Table.of(rows), target="x2")
        assert found.names == alone.names and found.count == alone.count
        np.testing.assert_allclose(found.mean, alone.mean, rtol=1e-15)
        np.testing.assert_allclose(found.max_abs, alone.max_abs, rtol=0)
        assert relative(found.scatter, alone.scatter) < 1e-13
    assert train.count == 2250 and test.count == 750


def test_a_side_without_rows_has_empty_moments() -> None:
    train, test = split_moments(Table.of([[1.0], [3.0]]), np.zeros(2, dtype=bool))
    assert test.count == 0 and not test.scatter.any()
    assert Moments.merge(train, test) is train and Moments.merge(test, train) is train


def test_a_split_for_another_number_of_rows_is_refused() -> None:
    with pytest.raises(JobError, match="the split is for 3 rows, the table has 2"):
        split_moments(Table.of([[1.0], [2.0]]), np.zeros(3, dtype=bool))


@pytest.mark.parametrize(
    "rows, fraction, held_out", [(442, 0.2, 89), (10, 0.0, 0), (70, 0.1, 7), (1, 0.5, 0), (2, 0.9, 1), (10, 0.999, 9)]
)
def test_a_split_holds_out_the_fraction_but_never_the_last_training_row(
    rows: int, fraction: float, held_out: int
) -> None:
    assert split_rows(rows, fraction, 0).sum() == held_out


def test_a_split_is_the_same_for_everybody_with_the_same_seed() -> None:
    assert np.array_equal(split_rows(1000, 0.3, 5), split_rows(1000, 0.3, 5))
    assert not np.array_equal(split_rows(1000, 0.3, 5), split_rows(1000, 0.3, 6))
    # The bits themselves: parties with another numpy must draw them too.
    assert np.flatnonzero(split_rows(12, 0.25, 1)).tolist() == KNOWN


KNOWN = [4, 8, 11]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2.0, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(JobError, match="test_fraction"):
        split_rows(10, fraction, 0)


@pytest.mark.parametrize("chunk_values", [9, 1 << 20])
def test_batch_moments_are_the_raw_products_of_each_batch(monkeypatch: pytest.MonkeyPatch, chunk_values: int) -> None:
    monkeypatch.setattr("mpcfl.data.moments.PASS_VALUES", chunk_values)
    monkeypatch.setattr("mpcfl.data.moments.PASS_ROWS", 1)
    rng = np.random.default_rng(2)
    values = rng.integers(-50, 50, (101, 3)).astype(float)  # whole numbers: the sums are exact in any order
    batches = [rng.permutation(101)[:17], np.array([5, 5, 100, 0]), np.array([], dtype=int), np.arange(101)]
    found = batch_moments(Table.of(values, names=["a", "y", "b"]), batches, target="y")
    z = np.column_stack([values[:, 0], values[:, 2], np.ones(101), values[:, 1]])  # a, b, 1, y
    assert found.shape == (4, 4, 4)
    for batch, sums in zip(batches, found, strict=True):
        assert np.array_equal(sums, z[batch].T @ z[batch])


def test_batch_moments_without_intercept_or_target_have_the_columns_alone() -> None:
    values = np.arange(12.0).reshape(4, 3)
    table = Table.of(values)
    batches = [np.array([0, 2])]
    [plain] = batch_moments(table, batches, intercept=False)
    assert np.array_equal(plain, values[[0, 2]].T @ values[[0, 2]])
    assert batch_moments(table, batches).shape == (1, 4, 4)
    assert batch_moments(table, []).shape == (0, 4, 4)


@pytest.mark.parametrize("row", [-1, 4])
def test_a_batch_beyond_the_table_is_refused(row: int) -> None:
    with pytest.raises(JobError, match="beyond the 4 rows"):
        batch_moments(Table.of(np.ones((4, 1))), [np.array([0, row])])
