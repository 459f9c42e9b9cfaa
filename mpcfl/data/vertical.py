"""Vertical partition: each owner holds whole columns of the same rows (PROTOCOLS.md, sections 1 and 5).

An owner knows mean and spread of its columns, centres and scales them in float64 on its own (`columns_of_owner`), and
shares them. One pinned Gram product gives all cross products: n D elements once, and after that no cost depends on n.
The powers of two by which columns were scaled are shared too, and stay secret.

Rounds: share 1 (only if an owner does not compute), the same for each stretch of rows with its opening, truncation 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.data.columns_of_owner import OwnColumns
from mpcfl.data.facts import Facts
from mpcfl.data.moments import split_rows
from mpcfl.data.source import Source
from mpcfl.data.standardised import GRAM_SCALE, MEAN_SCALE, PRODUCT_SCALE, TEST_SLACK, Standardised
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
    session: Session, own: Source | None, facts: Facts, *, alpha: float = 0.0, centred: bool = True
) -> Standardised:
    """Shared moments of all columns. `own`: this owner's table; None at other parties and in a dry run.

    alpha: ridge penalty on the features. centred: about the mean (fit_intercept), else about zero.
    DataError: a column of this owner is constant, or spreads too little for its size.
    """
    held_out = split_rows(facts.total_rows, facts.test_fraction, facts.seed)
    local = None
    if own is not None:
        with session.phase("local"):
            local = OwnColumns(own, facts, session.rank, held_out, alpha=alpha, centred=centred)
    exponent, power, mean, penalty, test_spread = _constants(session, facts, local)
    grams = _grams(session, facts, own, local, held_out)
    bound = 1.0 / len(facts.features)
    diagonal = torch.eye(facts.columns, dtype=torch.int64)
    grams[0] = grams[0] + penalty.reshape(1, -1).times(diagonal, bound=1.0)
    train, *test = together(
        session,
        *[truncation(g.within(bound * _slack(k)), g.scale - _final_scale(k)) for k, g in enumerate(grams)],
    )
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
    )


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
    session: Session, facts: Facts, own: Source | None, local: OwnColumns | None, held_out: npt.NDArray[np.bool_]
) -> list[Share]:
    """(D, D) Gram matrices of the training rows and, if there are any, of the held-out rows; scales 60 and 52."""
    kinds = [~held_out, held_out] if facts.test_fraction else [~held_out]
    totals: list[Share | None] = [None] * len(kinds)
    for start, stop, block in _stretches(facts, own):
        session.step("sharing columns", start, facts.total_rows)
        tables = []
        for kind, mask in enumerate(kinds):
            chosen = mask[start:stop]
            scaled = local.scaled(block[chosen], bool(kind)) if local is not None and block is not None else None
            tables.append(_share_rows(session, facts, scaled, int(chosen.sum()), _entry_scale(kind)))
        pinned = [Pinned(table) for table in tables]
        results = together(session, *[p.opening() for p in pinned], *[p.gram() for p in pinned])
        for kind, gram in enumerate(results[len(pinned) :]):
            before = totals[kind]
            totals[kind] = gram if before is None else before + gram
    return [total for total in totals if total is not None]


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
