"""Which rows are in which fold of a cross-validation: public, by the seed of the batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts
from mpcfl.errors import JobError

Rows = npt.NDArray[np.int64]


def folds_of(facts: Facts, count: int) -> list[Rows]:
    """Rows of each fold, numbered over the joint table: the public shuffle of the batches, dealt out in turn, so that
    every batch has rows of all folds. JobError: fewer than two rows for a fold."""
    rows = facts.training_rows
    if rows < 2 * count:
        raise JobError(f"[select] folds = {count} are too many for {rows} rows", hint="use fewer")
    order = np.random.Generator(np.random.PCG64(facts.seed)).permutation(rows)
    training = np.flatnonzero(~facts.held_out_rows)
    return [training[np.sort(order[fold::count])] for fold in range(count)]


def groups_of(facts: Facts, folds: list[Rows]) -> Rows:
    """(total_rows,): the fold of each row of the joint table, -1 where it is held out."""
    groups = np.full(facts.total_rows, -1)
    for fold, rows in enumerate(folds):
        groups[rows] = fold
    return groups


def groups_by_owner(facts: Facts, folds: list[Rows]) -> dict[int, Rows]:
    """Owner's rank -> the same for its rows, of a horizontal partition."""
    starts = np.cumsum([facts.rows[rank] for rank in facts.owners])[:-1]
    return dict(zip(facts.owners, np.split(groups_of(facts, folds), starts), strict=True))


def counts_of_folds(facts: Facts, folds: list[Rows]) -> list[dict[int, int]]:
    """For each fold, owner's rank -> rows, of a horizontal partition."""
    if not folds:
        return []
    own = groups_by_owner(facts, folds)
    return [{rank: int((groups == fold).sum()) for rank, groups in own.items()} for fold in range(len(folds))]


def shift_factors(fold: int, rows: int) -> tuple[float, float]:
    """For a fold of so many of all rows and s = mean of the fold - mean of all: what s is multiplied by so that its
    square is what (scatter of all - scatter of the fold about the mean of all) / rows exceeds the scatter of the others
    about their own mean by; and what the fold's mean square about the others' mean exceeds that about all's by.

    The others' mean is m - f s / (n - f), f rows in the fold, n in all."""
    share, ratio = fold / rows, fold / (rows - fold)
    return float(np.sqrt(share * ratio)), float(np.sqrt(share * (2 * ratio + ratio**2)))
