"""What an owner of rows shares: its moments at every scale that may be needed, with no trace of their size."""

import numpy as np
import pytest

from mpcfl.data.contrasts import between_contrasts
from mpcfl.data.moments import Moments, local_moments, split_moments, split_rows
from mpcfl.data.table import Table
from mpcfl.data.words import CLASSES, FLOOR, STEP, Layout, own_inputs

SCALES = {"scatter": 60, "contrasts": 30, "means": 30}


def moments(x: np.ndarray) -> Moments:
    return local_moments(Table.of(x, names=[f"x{i}" for i in range(x.shape[1] - 1)] + ["y"]), target="y")


def layout(*counts: int, columns: int, alpha: float = 0.0, centred: bool = True) -> Layout:
    return Layout([dict(enumerate(counts))], columns, alpha, centred)


def classes(own: Moments, shape: Layout) -> np.ndarray:
    """Number of thresholds that each column reaches."""
    sizes = own_inputs(shape, 0, [own])[0].ring
    assert sizes is not None
    bits = sizes.numpy()
    assert np.array_equal(bits, np.sort(bits, axis=1)[:, ::-1])  # reached, reached, ..., not reached
    return np.asarray(bits.sum(axis=1))


def test_the_class_of_a_column_bounds_its_size_and_by_little() -> None:
    sizes = np.array([1e-6, 3e-4, 0.99, 1.0, 1.01, 15.9, 16.0, 2015.0, 1e9, 2.0**40])
    x = np.stack([-sizes, sizes / 3, sizes * 0])
    bound = 2.0 ** (STEP * classes(moments(x), layout(3, columns=10)) - FLOOR)
    assert np.all(sizes <= bound)
    assert np.all((bound < sizes * 2**STEP * 1.01) | (bound == 2.0**-FLOOR))


def test_a_penalty_counts_for_the_size() -> None:
    """With alpha / n = 2^20 a column of size 1 takes part with 2^10; the target is not penalised."""
    x = np.random.default_rng(0).uniform(-0.9, 0.9, size=(16, 2))
    found = classes(moments(x), layout(16, columns=2, alpha=2.0**24))
    assert found[0] == (10 + FLOOR) / STEP + 0.5 and found[1] == FLOOR / STEP


@pytest.mark.parametrize("size", [1e-5, 1.0, 2015.0, 1e9])
def test_the_word_of_the_right_class_is_the_moment(size: float) -> None:
    """Others may have wrapped; nobody reads them."""
    x = np.random.default_rng(1).normal(size=(50, 3)) * [size, 1.0, 1.0] + [2 * size, 0.0, 0.0]
    own, shape = moments(x), layout(50, columns=3)
    c = classes(own, shape)
    _, means, scatter, contrasts = own_inputs(shape, 0, [own])
    assert contrasts.shape == (0, 3, CLASSES)
    assert means.ring is not None and scatter.ring is not None
    unit = 2.0 ** (STEP * c - FLOOR)
    word = means.ring.numpy()[np.arange(3), c]
    assert np.allclose(word / 2.0**30 * unit, own.mean, rtol=0, atol=2.0**-30 * unit.max())
    low, high = np.triu_indices(3)
    word = scatter.ring.numpy()[np.arange(6), c[low] + c[high]]
    exact = own.scatter[low, high] / 50 / 2
    assert np.allclose(word / 2.0**60 * unit[low] * unit[high], exact, rtol=1e-12, atol=2.0**-59 * unit.max() ** 2)


def test_shapes_and_bounds_are_public_and_the_same_for_all_data() -> None:
    shape = layout(40, 60, columns=5)
    empty = own_inputs(shape, 1, None)
    for size in (1e-6, 1e9):
        full = own_inputs(shape, 1, [moments(np.random.default_rng(0).normal(size=(60, 5)) * size)])
        assert [(i.name, i.owner, i.shape, i.scale, i.bound) for i in full] == [
            (i.name, i.owner, i.shape, i.scale, i.bound) for i in empty
        ]
        assert all(i.ring is not None and tuple(i.ring.shape) == i.shape for i in full)
    assert all(i.ring is None for i in empty)


# ---- contrasts and points of reference -------------------------------------------------------------------------------


def blocks(counts: list[int], seed: int = 0) -> tuple[list[np.ndarray], Layout, Layout]:
    """Each owner's rows; layouts of training and held-out rows, centred and not."""
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(n, 3)) + rng.normal(size=3) * 4 for n in counts]
    held = [split_rows(n, 0.3, 0) for n in counts]
    train = {k: int((~mask).sum()) for k, mask in enumerate(held)}
    test = {k: int(mask.sum()) for k, mask in enumerate(held)}
    return tables, Layout([train, test], 3, 0.0, True), Layout([train, test], 3, 0.0, False)


@pytest.mark.parametrize("counts", [[12], [9, 20], [4, 30, 11], [1, 1, 50]])
@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize("centred", [True, False])
def test_scatter_within_and_squares_of_the_rows_are_the_moments_about_the_point_of_reference(
    counts: list[int], block: int, centred: bool
) -> None:
    """About the mean of the training rows, of held-out rows too; without an intercept about zero."""
    tables, *shapes = blocks(counts)
    shape = shapes[0 if centred else 1]
    own = [
        split_moments(Table.of(table, names=["a", "b", "y"]), split_rows(len(table), 0.3, 0), target="y")
        for table in tables
    ]
    means = np.stack([[part.mean for part in parts] for parts in own], axis=1)  # (blocks, owners, D)
    rows = np.einsum("kbq,bqd->kd", shape.coefficients(block), means)
    total = sum(shape.counts[block].values())
    found = sum(parts[block].scatter for parts in own) / total + rows.T @ rows

    masks = [split_rows(len(table), 0.3, 0) for table in tables]
    train = np.concatenate([table[~mask] for table, mask in zip(tables, masks, strict=True)])
    held = np.concatenate([table[mask] for table, mask in zip(tables, masks, strict=True)])
    centre = train.mean(axis=0) if centred else np.zeros(3)
    z = (train, held)[block] - centre
    assert np.allclose(found, z.T @ z / len(z), rtol=1e-12, atol=1e-12)


def test_training_rows_need_the_contrasts_only() -> None:
    shape = layout(10, 20, 5, columns=3)
    assert np.array_equal(shape.coefficients(0)[:, 0], between_contrasts([10, 20, 5]))
    assert len(layout(10, 20, 5, columns=3, centred=False).coefficients(0)) == 3


def test_an_owner_shares_the_rows_in_which_it_takes_part_and_no_others() -> None:
    """About log2(owners) of them, so that a thousand owners are no dearer for each than eight."""
    shape = layout(*[7] * 1000, columns=3)
    parts = [shape.part(0, rank) for rank in shape.owners]
    assert {len(part) for part in parts} == {9, 10} and len(np.unique(np.concatenate(parts))) == 999
    for rank in (0, 345, 999):
        left_out = np.setdiff1d(np.arange(999), parts[rank])
        assert not shape.coefficients(0)[left_out, 0, rank].any()
        assert own_inputs(shape, rank, None)[-1].shape == (len(parts[rank]), 3, CLASSES)
