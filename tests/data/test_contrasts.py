"""The scatter between owners is the sum of squares of few contrasts of their means."""

import numpy as np
import pytest

from mpcfl.data.contrasts import between_contrasts

COUNTS = [[5], [3, 4], [1, 1000, 7], [2, 3, 5, 7, 11], [10, 0, 4], [0, 0, 9, 1], list(range(1, 34))]


def between(counts: list[int], means: np.ndarray) -> np.ndarray:
    """Straight from the definition: sum_p n_p/n (m_p - m)(m_p - m)^T."""
    weights = np.array(counts) / sum(counts)
    centred = means - weights @ means
    return np.asarray(centred.T * weights @ centred)


@pytest.mark.parametrize("counts", COUNTS)
def test_squares_of_the_contrasts_add_up_to_the_scatter_between(counts: list[int]) -> None:
    means = np.random.default_rng(0).normal(size=(len(counts), 4))
    contrasts = between_contrasts(counts) @ means
    assert np.allclose(contrasts.T @ contrasts, between(counts, means), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("counts", COUNTS)
def test_a_common_offset_is_in_no_contrast(counts: list[int]) -> None:
    """Differences only: an offset of 1e9 would cost all digits, were it squared."""
    rows = between_contrasts(counts)
    assert rows.shape == (len(counts) - 1, len(counts))
    assert np.abs(rows.sum(axis=1)).max(initial=0.0) < 1e-15 * len(counts)


def test_an_owner_takes_part_in_few_contrasts() -> None:
    for owners in (2, 5, 33, 200):
        part = (between_contrasts([7] * owners) != 0).sum(axis=0)
        assert part.max() <= np.ceil(np.log2(owners))


def test_owners_without_rows_have_none() -> None:
    assert not between_contrasts([10, 0, 4])[:, 1].any()
    assert not between_contrasts([0, 0, 0]).any()
