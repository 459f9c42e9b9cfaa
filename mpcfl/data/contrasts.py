"""The scatter between groups of rows as a sum of squares of few contrasts.

The scatter of all rows is that within each owner's rows, which the owner computes, plus that of the owners' means. The
second is sum_k c_k c_k^T with one contrast for each inner node of a balanced binary tree over the owners: the scaled
difference of the means left and right. Differences are of the size of the spread, so nothing cancels under MPC; and an
owner takes part in log2(owners) contrasts only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def between_contrasts(counts: Sequence[int]) -> npt.NDArray[np.float64]:
    """(owners - 1, owners) public coefficients C with sum_k (C M)_k (C M)_k^T = sum_p n_p/n (m_p - m)(m_p - m)^T
    for means M (owners, D) and m = sum_p n_p/n m_p. Groups without rows get zeros."""
    rows: list[npt.NDArray[np.float64]] = []
    total = float(sum(counts))

    def split(low: int, high: int) -> None:
        if high - low < 2:
            return
        middle = (low + high) // 2
        left, right = float(sum(counts[low:middle])), float(sum(counts[middle:high]))
        row = np.zeros(len(counts))
        if left and right:
            size = np.sqrt(left * right / (total * (left + right)))
            row[low:middle] = size * np.asarray(counts[low:middle]) / left
            row[middle:high] = -size * np.asarray(counts[middle:high]) / right
        rows.append(row)
        split(low, middle)
        split(middle, high)

    split(0, len(counts))
    return np.array(rows).reshape(-1, len(counts))
