"""What an owner of a vertical partition does with its own columns: centre, scale, check, in float64, in the clear."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts
from mpcfl.data.faults import NO_SPREAD_HINT, NO_TARGET_HINT
from mpcfl.data.folds import Rows, shift_factors
from mpcfl.data.moments import Moments, grouped_moments, local_moments, split_moments
from mpcfl.data.source import Source
from mpcfl.data.standardised import LARGEST_EXPONENT, LEVELS, TEST_SLACK
from mpcfl.errors import DataError

Array = npt.NDArray[np.float64]


class OwnColumns:
    """The columns of one owner, in the order of the joint table. All attributes are (columns,) float64 and private:

    exponent e_j brings the root of the mean square (with the penalty) of a training column to [1/2, 1); reference is
    what is subtracted (mean or zero); mean_exponent a_j >= e_j bounds the mean: |mean| <= 2^a_j.
    """

    def __init__(
        self, source: Source, facts: Facts, rank: int, held_out: npt.NDArray[np.bool_], *, alpha: float, centred: bool
    ) -> None:
        names = [*facts.features, facts.target]
        self.names = [names[j] for j in facts.positions(rank)]
        self.order = [source.columns.index(name) for name in self.names]
        self.features, self._target = len(facts.features), facts.target
        self.counts = [int((~held_out).sum()), int(held_out.sum())]
        test: Moments | None = None
        if held_out.any():
            train, test = split_moments(source, held_out)
        else:
            train = local_moments(source)
        is_feature = np.array([name != facts.target for name in self.names])
        self.penalty = np.where(is_feature, alpha / self.counts[0], 0.0)
        self.mean = train.mean[self.order]
        self.reference = self.mean if centred else np.zeros_like(self.mean)
        spread = self._mean_square(train, self.counts[0])
        self._refuse(source.name, (spread == 0) & ((alpha == 0) | ~is_feature), "is constant")
        self.exponent = np.floor(np.log2(np.sqrt(spread + self.penalty))) + 1
        self._refuse(
            source.name, np.abs(self.exponent) > LARGEST_EXPONENT, "spreads less than 2^-64, or more than 2^63"
        )
        with np.errstate(divide="ignore"):
            size = np.where(self.mean == 0, -np.inf, np.ceil(np.log2(np.abs(self.mean) * (1 + 1e-12))))
        self.mean_exponent = np.maximum(self.exponent, size)
        self._refuse(source.name, self.mean_exponent - self.exponent >= LEVELS, "spreads less than 1/32768 of its size")
        if test is not None:
            large = self._mean_square(test, self.counts[1]) > 4.0**self.exponent * 2.0**TEST_SLACK
            self._refuse(source.name, large, "spreads 16 times more in the held-out rows than in the others")
            own_spread = test.scatter.diagonal()[self.order] / max(1, self.counts[1])
            self.test_spread = own_spread / 4.0**self.exponent / self.features

    def scaled(self, block: Array, held_out: bool) -> Array:
        """Rows (r, columns of the source) -> (x - reference) / (2^e sqrt(n d)), n the rows of their kind."""
        n = max(1, self.counts[int(held_out)])
        return (block[:, self.order] - self.reference) / (2.0**self.exponent * np.sqrt(n * self.features))

    def shifts(self, source: Source, groups: Rows, count: int) -> Array:
        """(2 count, columns): for each fold its mean less `reference`, scaled, times both `shift_factors`."""
        rows = []
        for fold in grouped_moments(source, groups, count):
            away = (fold.mean[self.order] - self.reference) / (2.0**self.exponent * np.sqrt(self.features))
            rows += [away * factor for factor in shift_factors(fold.count, self.counts[0])]
        return np.stack(rows)

    def scaled_penalty(self) -> Array:
        """What the ridge penalty adds to the diagonal of the scaled Gram matrix."""
        return self.penalty / 4.0**self.exponent / self.features

    def _mean_square(self, moments: Moments, rows: int) -> Array:
        about_mean = moments.scatter.diagonal()[self.order] / rows
        return about_mean + (moments.mean[self.order] - self.reference) ** 2

    def _refuse(self, name: str, bad: npt.NDArray[np.bool_], what: str) -> None:
        if bad.any():
            column = self.names[int(np.argmax(bad))]
            hint = NO_TARGET_HINT if column == self._target else NO_SPREAD_HINT
            raise DataError(f"{name}: column '{column}' {what}", hint=hint)
