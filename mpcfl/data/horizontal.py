"""Horizontal partition: from each owner's own moments to shared moments in near-correlation form (PROTOCOLS.md, 5).

No multiplication under MPC touches a row. The difficulty is scale: a year beside a turnover, of which nobody may learn
the size. Each owner tells, in shares, which size thresholds its columns reach, and shares its float64 moments at every
scale that might be needed (`mpcfl.data.words`). A lookup finds the largest size over the owners, `select` picks the
words at that scale (others may have wrapped and are never seen), and a secret power of two does the rest.

Rounds: share 1, sizes 1, select 1, contrasts 1, comparison 3, scaling 1, truncation 1.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence

import torch

from mpcfl.data.moments import Moments
from mpcfl.data.standardised import FOLD_SLACK, GRAM_SCALE, LEVELS, PRODUCT_SCALE, TEST_SLACK, Fold, Standardised
from mpcfl.data.words import FLOOR, LARGEST, STEP, Layout, own_inputs
from mpcfl.errors import JobError
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.leading_power import leading_power
from mpcfl.protocols.lookup import lookup, select
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.product import congruence, product
from mpcfl.protocols.rounds import Protocol, parallel, run, together
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.inputs import share_inputs
from mpcfl.sharing.share import Share, sum_at
from mpcfl.world.session import Session

_TABLE = 256  # entries of the largest lookup
_BEFORE_BLOCKS = 2  # inputs of an owner before those of the blocks: sizes and means


def share_moments(
    session: Session,
    own: Sequence[Moments] | None,
    counts: Sequence[Mapping[int, int]],
    columns: int,
    *,
    alpha: float = 0.0,
    centred: bool = True,
    folds: Sequence[Mapping[int, int]] = (),
) -> Standardised:
    """Shared moments of all owners' rows.

    own: this owner's moments of the training rows, of held-out rows if there are any, of each fold; None elsewhere.
    counts: public numbers of rows in the same order, each owner's rank -> rows. columns: D, the target last.
    alpha: ridge penalty on the features. centred: about the mean (fit_intercept), else about zero.
    folds: public numbers of rows of each fold of a cross-validation.
    Cost: 9 rounds; a compute party opens 16 D^2 + O(D) elements and an owner shares as many, whatever the rows; for
    each fold 18 D^2 + O(D) more.
    """
    layout = Layout(counts, columns, alpha, centred, folds)
    if alpha / layout.rows > LARGEST**2:
        raise JobError(f"[model] alpha = {alpha:g} is too large for {layout.rows} rows: all weights would be zero")
    sizes, means, *blocks = _sum_over_owners(session, own, layout)
    size = run(session, _largest(sizes, len(layout.owners)))
    low, high = torch.triu_indices(columns, columns)
    picks = [select(means, size)]
    for scatter, rows in zip(blocks[::2], blocks[1::2], strict=True):
        picks += [select(scatter, size[low] + size[high]), select(rows, size.expand(rows.shape[0], columns))]
    mean, *picked = together(session, *picks)
    pairs = list(zip(picked[::2], picked[1::2], strict=True))
    kinds = len(counts)
    protocols = [_gram(scatter, rows) for scatter, rows in pairs[:kinds]]
    found = together(session, *protocols, *[_fold(scatter, rows, centred) for scatter, rows in pairs[kinds:]])
    distance = pairs[1][1][-1, -1:] if kinds > 1 else None
    whole = mean.within(1.0) if centred else None
    return run(session, _scale(found[:kinds], found[kinds:], distance, whole, size, layout))


def _sum_over_owners(session: Session, own: Sequence[Moments] | None, layout: Layout) -> list[Share]:
    """Column sizes (D, 15), means (D, 16), then for each block scatter (pairs, 32) and rows (K, D, 16)."""
    inputs = [own_inputs(layout, rank, own if rank == session.rank else None) for rank in layout.owners]
    shares = share_inputs(session, [item for items in inputs for item in items])
    kinds = [list(shares[start :: len(inputs[0])]) for start in range(len(inputs[0]))]
    totals = []
    for kind, parts in enumerate(kinds):
        block, contrasts = divmod(kind - _BEFORE_BLOCKS, 2)
        if block >= 0 and contrasts:
            places = [layout.part(block, rank) for rank in layout.owners]
            totals.append(sum_at(parts, places, len(layout.coefficients(block))))
        else:
            totals.append(functools.reduce(operator.add, parts))
    return totals


def _largest(counts: Share, owners: int) -> Protocol:
    """(D,) class of each column: how many thresholds at least one owner reaches; `counts` (D, 15) of owners."""
    if owners < _TABLE:
        table = torch.ones(1 << owners.bit_length(), dtype=torch.int64)
        table[0] = 0
        reached = yield from lookup(counts, table)
    else:
        reached = (yield from at_least(counts, torch.ones(1, dtype=torch.int64)))[..., 0]
    return reached.sum(-1)


def _gram(scatter: Share, rows: Share) -> Protocol:
    """(D, D): the scatter within owners plus the squares of the rows, at the scale of the scatter."""
    d = rows.shape[1]
    place = torch.zeros(d, d, dtype=torch.int64)
    low, high = torch.triu_indices(d, d)
    place[low, high] = place[high, low] = torch.arange(len(low))
    whole = scatter[place]
    bound = 1.0 / (d - 1)  # the mean square of a column in units of its size is at most 1, and is divided by d - 1
    if rows.shape[0]:
        pinned = Pinned(rows)
        _, squares = yield from parallel(pinned.opening(), pinned.gram())
        whole = whole + squares
    return whole.within(bound)


def _fold(scatter: Share, rows: Share, centred: bool) -> Protocol:
    """[Gram matrix of a fold, and squares of the two shifts] (D, D)."""
    if not centred:
        return [(yield from _gram(scatter, rows))]
    return (yield from parallel(_gram(scatter, rows[:-2]), squares(rows[-2:-1]), squares(rows[-1:])))


def squares(rows: Share) -> Protocol:
    """rows.T @ rows (D, D). Cost: 1 round, as many elements as rows has."""
    pinned = Pinned(rows)
    _, gram = yield from parallel(pinned.opening(), pinned.gram())
    return gram


def _variance_thresholds(gram: Share) -> torch.Tensor:
    """Ring elements of 4^-k / d, k = 1..LEVELS: a variance below the last counts as none."""
    unit = (1 << gram.scale) / (gram.shape[0] - 1)
    return torch.tensor([int(unit * 4.0**-k) for k in range(1, LEVELS + 1)])


def _scale(
    grams: list[Share],
    folds: list[list[Share]],
    distance: Share | None,
    mean: Share | None,
    size: Share,
    layout: Layout,
) -> Protocol:
    """Bring every variance of the training rows to [1/4, 1) / d by a power of two, and the held-out rows likewise."""
    found = yield from parallel(*[leading_power(g.diagonal(), _variance_thresholds(g), 1) for g in grams])
    power, count, varies = found[0]
    extra = []
    if distance is not None:
        extra = [_fits(count, found[1][1]), _own_spread(grams[1], distance, power)]
    apart = [part for fold in folds for part in _apart(grams[0], fold)]
    scaled = yield from parallel(*[_scaled(gram, power, layout) for gram in [*apart, *grams]], *extra)
    of_folds, scaled = scaled[: len(apart)], scaled[len(apart) :]
    test, fits, target = scaled[1:] if extra else (None, None, None)
    return Standardised(
        rows=layout.rows,
        features=layout.features,
        gram=scaled[0],
        exponent=size * STEP - float(FLOOR) - count,
        power=power,
        mean=mean,
        varies=varies,
        test=test,
        test_fits=fits,
        test_target=target,
        folds=tuple(
            Fold(rows=layout.rows - sum(counts.values()), gram=others, apart=inside)
            for counts, others, inside in zip(layout.folds, of_folds[::2], of_folds[1::2], strict=True)
        ),
    )


def _apart(whole: Share, fold: list[Share]) -> list[Share]:
    """[Gram matrix of the rows outside the fold, about their mean; of the fold, about that mean too]."""
    inside, outside, bound = fold[0], fold[0], whole.bound
    if len(fold) > 1:
        inside, outside = inside + fold[2], outside + fold[1]
    return [(whole - outside.at_scale(whole.scale)).within(bound), inside.within(bound * 2**FOLD_SLACK)]


def _scaled(gram: Share, power: Share, layout: Layout) -> Protocol:
    """D G D at scale 30, or 28 for held-out rows, whose variances are bounded by 2^8 / d (see `_fits`)."""
    slack = PRODUCT_SCALE - gram.scale
    scaled = yield from congruence(gram, power)
    drop = gram.scale - GRAM_SCALE + slack // 4
    return (yield from truncation(scaled.within(2.0**slack / layout.features), drop))


def _own_spread(gram: Share, distance: Share, power: Share) -> Protocol:
    """(1,) mean square of the held-out targets about their own mean, scaled like the last element of `gram`."""
    square = yield from product(distance, distance)
    own = gram.diagonal()[-1:] - square
    last = power[-1:]
    own = yield from product((yield from product(own, last)), last)
    d = gram.shape[0] - 1
    slack = PRODUCT_SCALE - gram.scale
    return (yield from truncation(own.within(2.0**slack / d), gram.scale - GRAM_SCALE + slack // 4))


def _fits(count: Share, test_count: Share) -> Protocol:
    """Bits: whether held-out rows spread less than 4^4 times the variance class of the training rows."""
    far = torch.arange(2 * LEVELS) - LEVELS
    bits = yield from lookup(count - test_count + float(LEVELS), (far < TEST_SLACK // 2).to(torch.int64))
    return bits
