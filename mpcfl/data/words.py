"""What a data owner of a horizontal partition shares: its moments at every scale that might be needed.

Column j is of class c if |x_j| <= 2^(4 c - 20), c = 0..15: sizes from 1e-6 to 1e12. In units of their classes' sizes
all moments are at most 1. Owners do not know the joint class, so each entry is encoded for every class that it might
have, modulo 2^64: 31 words for a product of two columns, 16 for a mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.contrasts import between_contrasts
from mpcfl.data.folds import shift_factors
from mpcfl.data.moments import Moments
from mpcfl.data.standardised import FOLD_SLACK, MEAN_SCALE, PRODUCT_SCALE, TEST_SLACK
from mpcfl.ring.fixed import encode_words
from mpcfl.sharing.inputs import Input

CLASSES, STEP, FLOOR = 16, 4, 20
LARGEST = 2.0 ** (STEP * (CLASSES - 1) - FLOOR)
_PAIR_CLASSES = 2 * CLASSES  # the sum of two classes is at most 30; a lookup wants a power of two


@dataclass(frozen=True)
class Layout:
    """The public shape of a horizontal partition. `counts`: rows by owner's rank, for training and, if some are held
    out, for those; `folds`: in each fold of a cross-validation. Blocks are numbered likewise, folds last; `columns` D
    counts the target."""

    counts: Sequence[Mapping[int, int]]
    columns: int
    alpha: float
    centred: bool
    folds: Sequence[Mapping[int, int]] = ()

    @property
    def blocks(self) -> list[Mapping[int, int]]:
        return [*self.counts, *self.folds]

    @property
    def owners(self) -> tuple[int, ...]:
        return tuple(sorted(self.counts[0]))

    @property
    def features(self) -> int:
        return self.columns - 1

    @property
    def rows(self) -> int:
        return sum(self.counts[0].values())

    def product_scale(self, block: int) -> int:
        if self.is_fold(block):
            return PRODUCT_SCALE - FOLD_SLACK
        return PRODUCT_SCALE if block == 0 else PRODUCT_SCALE - TEST_SLACK

    def is_fold(self, block: int) -> bool:
        return block >= len(self.counts)

    def divisor(self, block: int) -> int:
        """Rows by which a Gram matrix is divided: a fold by all, so that folds add up."""
        return self.rows if self.is_fold(block) else max(1, sum(self.counts[block].values()))

    def row_scale(self, block: int) -> int:
        return self.product_scale(block) // 2

    def coefficients(self, block: int) -> npt.NDArray[np.float64]:
        """(K, blocks, owners): row k is the sum over blocks b and owners q of coefficient * mean_qb. The squares of the
        K rows add what the scatter within owners lacks: contrasts, and the distance to the point of reference (zero,
        or the mean of the training rows) unless that is the block's own mean. The last two of a fold, if `centred`, are
        that distance again, times `shift_factors`."""
        return self._coefficients[block]

    def part(self, block: int, rank: int) -> npt.NDArray[np.int64]:
        """The rows of the coefficients in which this owner takes part: about log2(owners), public. All others would be
        zero, so they are not shared."""
        return np.flatnonzero(self.coefficients(block)[:, :, self.owners.index(rank)].any(axis=1))

    @cached_property
    def _coefficients(self) -> list[npt.NDArray[np.float64]]:
        return [self._coefficients_of(block) for block in range(len(self.blocks))]

    def _coefficients_of(self, block: int) -> npt.NDArray[np.float64]:
        weights = [np.array([c[q] for q in self.owners]) / max(1, sum(c.values())) for c in self.blocks]
        contrasts = between_contrasts([self.blocks[block][q] for q in self.owners])
        own = block == 0 and self.centred
        rows = np.zeros((len(contrasts) + (not own), len(self.blocks), len(self.owners)))
        rows[: len(contrasts), block] = contrasts
        if not own:
            rows[-1, block] = weights[block]
            if self.centred:
                rows[-1, 0] -= weights[0]
        return self._of_fold(block, rows) if self.is_fold(block) else rows

    def _of_fold(self, block: int, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        inside = sum(self.blocks[block].values())
        scaled = rows * np.sqrt(inside / self.rows)
        shifts = [rows[-1:] * factor for factor in shift_factors(inside, self.rows)] if self.centred else []
        return np.concatenate([scaled, *shifts])


def own_inputs(layout: Layout, rank: int, own: Sequence[Moments] | None) -> list[Input]:
    """The inputs of owner `rank`: sizes, mean, then scatter and rows of each block; `own` only at that owner."""
    d, inputs = layout.columns, []
    owner = layout.owners.index(rank)
    sizes = mean = None
    if own is not None:
        sizes = _sizes(layout, own)
        weight = layout.counts[0][rank] / layout.rows
        mean = encode_words(own[0].mean * weight, _scales(MEAN_SCALE, CLASSES, 1))
    inputs.append(Input("column sizes", rank, (d, CLASSES - 1), 0, 1.0, sizes))
    inputs.append(Input("means", rank, (d, CLASSES), MEAN_SCALE, 1.0, mean))
    low, high = np.triu_indices(d)
    for block in range(len(layout.blocks)):
        part = layout.part(block, rank)
        within = rows = None
        if own is not None:
            scatter = _scatter(layout, block, rank, own[block])
            within = encode_words(scatter[low, high], _scales(layout.product_scale(block), _PAIR_CLASSES, 2))
            means = np.stack([moments.mean for moments in own])
            real = layout.coefficients(block)[part, :, owner] @ means / np.sqrt(layout.features)
            rows = encode_words(real, _scales(layout.row_scale(block), CLASSES, 1))
        pairs = (len(low), _PAIR_CLASSES)
        inputs.append(Input("scatter", rank, pairs, layout.product_scale(block), 1.0, within))
        shape = (len(part), d, CLASSES)
        inputs.append(Input("contrasts", rank, shape, layout.row_scale(block), 1.0, rows))
    return inputs


def _scales(scale: int, classes: int, factors: int) -> list[int]:
    """Scale of the word of each class: `scale` fractional bits in units of the class, for `factors` columns."""
    return [scale + factors * FLOOR - STEP * c for c in range(classes)]


def _scatter(layout: Layout, block: int, rank: int, own: Moments) -> npt.NDArray[np.float64]:
    """This owner's part of the Gram matrix (D, D): divided by rows and features; with its part of the penalty."""
    rows = layout.divisor(block)
    scatter = own.scatter / rows
    if block == 0 and layout.alpha:
        penalty = np.full(layout.columns, layout.alpha / rows * layout.counts[0][rank] / rows)
        penalty[-1] = 0.0  # the target is not penalised
        scatter = scatter + np.diag(penalty)
    return scatter / layout.features


def _sizes(layout: Layout, own: Sequence[Moments]) -> torch.Tensor:
    """(D, 15) bits: which thresholds the class of each column reaches at this owner."""
    largest = np.max([moments.max_abs for moments in own], axis=0)
    penalty = np.full(layout.columns, layout.alpha / layout.rows)
    penalty[-1] = 0.0
    size = np.sqrt(largest**2 + penalty)
    with np.errstate(divide="ignore"):
        exact = np.ceil((np.log2(size * (1 + 1e-12)) + FLOOR) / STEP)
    classes = np.clip(exact, 0, CLASSES - 1)
    return torch.from_numpy((classes[:, None] >= np.arange(1, CLASSES)).astype(np.int64))
