"""Which rows are in which fold: every training row in one, and known of each owner."""

import numpy as np

from mpcfl.data.facts import Facts
from mpcfl.data.folds import counts_of_folds, folds_of, groups_by_owner, groups_of


def facts(test_fraction: float = 0.0) -> Facts:
    return Facts(
        partition="horizontal",
        features=("a", "b"),
        target="y",
        rows={0: 30, 2: 11, 3: 19},
        test_fraction=test_fraction,
        seed=5,
    )


def test_every_training_row_is_in_one_fold_and_no_other_is_in_any() -> None:
    held = facts(0.25)
    groups = groups_of(held, folds_of(held, 4))
    assert np.array_equal(groups == -1, held.held_out_rows)
    assert set(groups[groups >= 0]) == {0, 1, 2, 3}


def test_owners_have_the_rows_that_are_theirs_and_folds_count_them() -> None:
    folds = folds_of(facts(), 3)
    by_owner = groups_by_owner(facts(), folds)
    assert {rank: len(groups) for rank, groups in by_owner.items()} == facts().rows
    assert np.array_equal(np.concatenate(list(by_owner.values())), groups_of(facts(), folds))
    counts = counts_of_folds(facts(), folds)
    assert [sum(count.values()) for count in counts] == [len(fold) for fold in folds]
    assert counts[1][2] == int((by_owner[2] == 1).sum())


def test_without_folds_nothing_is_counted() -> None:
    assert counts_of_folds(facts(), []) == []
