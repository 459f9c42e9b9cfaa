"""Vertical partition: each owner holds whole columns of the same rows (PROTOCOLS.md, sections 1 and 5).

An owner knows mean and spread of its columns, centres and scales them in float64 on its own (`columns_of_owner`), and
shares them. One pinned Gram product gives all cross products: n D elements once, and after that no cost depends on n.
The powers of two by which columns were scaled are shared too, and stay secret.

Rounds: share 1 (only if an owner does not compute), the same for each stretch of rows with its opening, truncation 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.columns_of_owner import OwnColumns
from mpcfl.data.facts import Facts
from mpcfl.data.folds import Rows, groups_of
from mpcfl.data.horizontal import squares
from mpcfl.data.moments import split_rows
from mpcfl.data.source import Source
from mpcfl.data.standardised import FOLD_SLACK, GRAM_SCALE, MEAN_SCALE, PRODUCT_SCALE, TEST_SLACK, Fold, Standardised
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import together
from mpcfl.protocols.truncation import truncation
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share, concatenate
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
STRETCH = 1 << 24  # elements of the joint table that are shared and opened at a time: memory stays bounded
_POWER_BOUND = 2.0**15


def share_columns(
    session: Session,
    own: Source | None,
    facts: Facts,
    *,
    alpha: float = 0.0,
    centred: bool = True,
    folds: Sequence[Rows] = (),
) -> Standardised:
    """Shared moments of all columns. `own`: this owner's table; None at other parties and in a dry run.

    alpha: ridge penalty on the features. centred: about the mean (fit_intercept), else about zero.
    folds: rows of each fold of a cross-validation; nothing more is opened for them but 2 D elements each.
    DataError: a column of this owner is constant, or spreads too little for its size.
    """
    held_out = split_rows(facts.total_rows, facts.test_fraction, facts.seed)
    local = None
    if own is not None:
        with session.phase("local"):
            local = OwnColumns(own, facts, session.rank, held_out, alpha=alpha, centred=centred)
    exponent, power, mean, penalty, test_spread = _constants(session, facts, local)
    groups = groups_of(facts, list(folds)) if folds else None
    grams, inside = _grams(session, facts, own, local, held_out, groups, len(folds))
    bound = 1.0 / len(facts.features)
    diagonal = torch.eye(facts.columns, dtype=torch.int64)
    grams[0] = grams[0] + penalty.reshape(1, -1).times(diagonal, bound=1.0)
    train, *test = together(
        session,
        *[truncation(g.within(bound * _slack(k)), g.scale - _final_scale(k)) for k, g in enumerate(grams)],
    )
    shifts = _shifts(session, facts, own, local, groups, len(folds)) if folds and centred else []
    return Standardised(
        rows=facts.total_rows - int(held_out.sum()),
        features=len(facts.features),
        gram=train,
        exponent=exponent,
        power=power,
        mean=mean if centred else None,
        varies=None,
        test=test[0] if test else None,
        test_target=test_spread[-1:] if test else None,
        folds=_folds(
            session, grams[0].within(bound), inside, shifts, [facts.training_rows - len(rows) for rows in folds]
        ),
    )


def _folds(
    session: Session, whole: Share, inside: list[Share], shifts: list[Share], rows: list[int]
) -> tuple[Fold, ...]:
    """Of the rows outside each fold, and of those in it, from Gram matrices at scale 60 and shifts (2, D) at 30."""
    if not inside:
        return ()
    pairs = together(session, *[squares(one[k : k + 1]) for one in shifts for k in (0, 1)]) if shifts else []
    bound = whole.bound
    outside = [g + pairs[2 * k] for k, g in enumerate(inside)] if pairs else inside
    moved = pairs[1::2]  # at most 3 / d; truncated apart, since the sum would be too long
    terms = [(whole - g).within(bound) for g in outside] + [g.within(bound) for g in inside]
    terms += [g.within(bound * (2**FOLD_SLACK - 1)) for g in moved]
    short = together(session, *[truncation(term, term.scale - GRAM_SCALE) for term in terms])
    count, most = len(inside), bound * 2**FOLD_SLACK
    apart = [short[count + k] + short[2 * count + k] if moved else short[count + k] for k in range(count)]
    return tuple(Fold(rows=rows[k], gram=short[k], apart=apart[k].within(most)) for k in range(count))


def _shifts(
    session: Session,
    facts: Facts,
    own: Source | None,
    local: OwnColumns | None,
    groups: Rows | None,
    count: int,
) -> list[Share]:
    """(2, D) for each fold: its mean less that of all, scaled, times `shift_factors`. An owner knows those of its
    columns."""
    here = local.shifts(own, groups, count) if local is not None and own is not None and groups is not None else None
    inputs = [
        Input(
            "shifts of folds",
            rank,
            (2 * count, len(facts.positions(rank))),
            GRAM_SCALE,
            2.0,
            encode(here, GRAM_SCALE, name="a shift") if here is not None and rank == session.rank else None,
        )
        for rank in facts.owners
    ]
    joined = _in_order(facts, list(share_inputs(session, inputs)), dim=1)
    return [joined[2 * fold : 2 * fold + 2] for fold in range(count)]


def _slack(kind: int) -> float:
    """How far the mean square of a column of this kind (0: training, 1: held out) may exceed that of training."""
    return 2.0**TEST_SLACK if kind else 1.0


def _final_scale(kind: int) -> int:
    return GRAM_SCALE - (TEST_SLACK // 4 if kind else 0)


def _entry_scale(kind: int) -> int:
    return (PRODUCT_SCALE - (TEST_SLACK if kind else 0)) // 2


def _constants(session: Session, facts: Facts, local: OwnColumns | None) -> list[Share]:
    """(D,) each, in the order of the columns: exponent, 2^(a - e), mean / 2^a, penalty, spread of held-out rows."""
    inputs = []
    for rank in facts.owners:
        here = local if rank == session.rank else None
        shape = (len(facts.positions(rank)),)
        rings: list[torch.Tensor | None] = [None] * 5
        if here is not None:
            gap = here.mean_exponent - here.exponent
            spread = here.test_spread if facts.test_fraction else np.zeros(shape)
            rings = [
                encode(here.exponent, 0, name="an exponent"),
                encode(2.0**gap, 0, name="a power"),
                encode(here.mean / 2.0**here.mean_exponent, MEAN_SCALE, name="a mean"),
                encode(here.scaled_penalty(), PRODUCT_SCALE, name="a penalty"),
                encode(spread, _final_scale(1), name="a spread"),
            ]
        d = len(facts.features)
        public = [
            (0, 64.0),
            (0, _POWER_BOUND),
            (MEAN_SCALE, 1.0),
            (PRODUCT_SCALE, 1.0 / d),
            (_final_scale(1), _slack(1) / d),
        ]
        inputs += [
            Input("constants of columns", rank, shape, scale, bound, ring)
            for (scale, bound), ring in zip(public, rings, strict=True)
        ]
    shares = share_inputs(session, inputs)
    return [_in_order(facts, shares[kind::5]) for kind in range(5)]


def _in_order(facts: Facts, by_owner: list[Share], dim: int = 0) -> Share:
    """Join the owners' pieces along their columns, in the order of the joint table."""
    joined = concatenate(by_owner, dim)
    places = [j for rank in facts.owners for j in facts.positions(rank)]
    if places == sorted(places):
        return joined
    order = torch.argsort(torch.tensor(places))
    return joined[order] if dim == 0 else joined[:, order]


def _grams(
    session: Session,
    facts: Facts,
    own: Source | None,
    local: OwnColumns | None,
    held_out: npt.NDArray[np.bool_],
    groups: Rows | None,
    count: int,
) -> tuple[list[Share], list[Share]]:
    """(D, D) Gram matrices of the training rows and, if there are any, of the held-out rows; scales 60 and 52. And of
    the rows of each fold, at scale 60."""
    kinds = [~held_out, held_out] if facts.test_fraction else [~held_out]
    totals: list[Share | None] = [None] * (len(kinds) + count)
    for start, stop, block in _stretches(facts, own):
        session.step("sharing columns", start, facts.total_rows)
        tables = []
        for kind, mask in enumerate(kinds):
            chosen = mask[start:stop]
            scaled = local.scaled(block[chosen], bool(kind)) if local is not None and block is not None else None
            tables.append(_share_rows(session, facts, scaled, int(chosen.sum()), _entry_scale(kind)))
        pinned = [Pinned(table) for table in tables]
        parts = dict(enumerate(pinned))
        if groups is not None:
            here = groups[start:stop][kinds[0][start:stop]]
            inside = {fold: np.flatnonzero(here == fold) for fold in range(count)}
            parts |= {len(kinds) + k: pinned[0].rows(torch.from_numpy(r)) for k, r in inside.items() if len(r)}
        results = together(session, *[p.opening() for p in pinned], *[p.gram() for p in parts.values()])
        for place, gram in zip(parts, results[len(pinned) :], strict=True):
            before = totals[place]
            totals[place] = gram if before is None else before + gram
    found = [total for total in totals if total is not None]
    return found[: len(kinds)], found[len(kinds) :]


def _stretches(facts: Facts, own: Source | None) -> Iterator[tuple[int, int, Array | None]]:
    """(first row, row after the last, this owner's rows or None): every party sees the same stretches."""
    rows = max(1, STRETCH // facts.columns)
    blocks = _exactly(own, rows) if own is not None else None
    for start in range(0, facts.total_rows, rows):
        yield start, min(start + rows, facts.total_rows), next(blocks) if blocks is not None else None


def _exactly(own: Source, rows: int) -> Iterator[Array]:
    """Blocks of exactly `rows` rows (fewer at the end), whatever size the source gives."""
    kept: list[Array] = []
    have = 0
    for block in own.chunks(rows):
        while len(block):
            piece, block = block[: rows - have], block[rows - have :]
            kept.append(piece)
            have += len(piece)
            if have == rows:
                yield np.concatenate(kept)
                kept, have = [], 0
    if kept:
        yield np.concatenate(kept)


def _share_rows(session: Session, facts: Facts, scaled: Array | None, rows: int, scale: int) -> Share:
    """(rows, D) in the order of the columns; `scaled`: this owner's own columns."""
    inputs = []
    for rank in facts.owners:
        ring = encode(scaled, scale, name="a scaled column") if scaled is not None and rank == session.rank else None
        inputs.append(Input("columns", rank, (rows, len(facts.positions(rank))), scale, 1.0, ring))
    return _in_order(facts, share_inputs(session, inputs), dim=1)
