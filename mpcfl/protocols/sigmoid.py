"""Sigmoid in one opening (PROTOCOLS.md, section 3).

z matters modulo the period of the series only, so z - r is opened modulo a turn in 32-bit words, and
sin(k z) = sin(k delta) cos(k r) + cos(k delta) sin(k r) is linear in what the dealer shared. The low bits of z are
dropped share by share, which errs by less than one unit of 2^-scale for each party.

Of many elements tables are shared modulo 2^32, two entries an element of the dealer's message, since no result has more
bits: the sum over the terms, of which each party then has a share modulo 2^32, goes back to the ring by one more
opening (`mpcfl.protocols.extension`).

The same tuples give the guard, at no cost: how many rows have left the range in which the series is the sigmoid. The
word that is opened holds z modulo many periods (2^16 in all) where z has bits for them, and two more elements say
whether a row is in another than its own (`mpcfl.protocols.turns`): the guard alone sees z modulo one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch

from mpcfl.errors import HeadroomError
from mpcfl.offline.dealing import Recipe, at_a_time, deal
from mpcfl.protocols.extension import extension
from mpcfl.protocols.harmonics import Series
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.turns import away, missing
from mpcfl.ring.blank import blank
from mpcfl.ring.waves import ANGLE_BITS, Coefficients, combine, elements_of, tables
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public
from mpcfl.world.session import Session

GUARD_SCALE = 16
SEEN_BITS = 16  # of z in front of the point, at most: the others of a word are fractional
_WORD_BITS = 30  # of a result in words, at most: `extension`
MANY = 1 << 16  # elements, of which tables take words: 30 MB at 29 terms, half of it spared
STRETCH = 1 << 18  # elements of tables that are dealt at a time: 2 MB stay in a cache, whatever the rows are


def sigmoid(
    z: Share, series: Series, *, table_scale: int, scale: int, factor: float = 1.0, slope: bool = False
) -> Protocol:
    """(factor * sigmoid(z), guard), of z's shape; with `slope` (factor * sigmoid(z), guard, factor * sigmoid'(z)).

    The first and the last at table_scale + scale, not truncated: the next product takes it as it is. guard at
    table_scale + 16: 0 for a row within half the range, 1/2 at its end, 1 from 1.3 times it, and a random element where
    |z| passes 3 times the range, up to 2^16 or what z's scale leaves; `factor`: public, worked into the coefficients. z
    may wrap, at any scale that leaves room for a period of the series, 64 - log2(4 range) at most, else HeadroomError.
    Rounding has no bias but for the dealer's, to nearest: 0.11 * 2^(-1.5 table_scale) of it.
    Cost: 1 round, 4 bytes each; offline 2 terms elements each, and 2 where z has bits for more than one period. The
    slope costs no more. In words (`in_words`): 2 rounds, 12 bytes each (with the slope 16); offline terms + 4 elements
    each (with it terms + 6), and the same 2.
    """
    session, turns = z.session, turn_bits(series, z.scale)
    if 64 - z.scale < series.period_bits:
        raise HeadroomError(
            f"{z.scale} bits of scale leave no room for a sigmoid of range {series.range}",
            hint="use a smaller range of the sigmoid",
        )
    words = in_words(math.prod(z.shape)) and table_scale + GUARD_SCALE <= _WORD_BITS
    left_out = max(0, table_scale + scale - _WORD_BITS) if words else 0
    dealt = _Dealt(session, z.shape, series.terms, table_scale, turns=turns, words=words)

    scale_of_word = series.scale - turns
    surplus = z.scale - scale_of_word
    word = (z._ring + (1 << surplus >> 1)) >> surplus if surplus >= 0 else z._ring << -surplus
    masked = Share(session, word - dealt.mask(), scale=scale_of_word, bound=1.0)
    (delta,) = yield [Masked(masked, ANGLE_BITS, "sigmoid")]
    rings, gone = dealt.combined(delta, _coefficients(series, factor, scale - left_out, slope))

    scales = [table_scale + scale - left_out, table_scale + GUARD_SCALE, table_scale + scale - left_out]
    bounds = [0.6 * abs(factor), 0.6, 0.3 * abs(factor)]
    found = [Share(session, r, scale=s, bound=b) for r, s, b in zip(rings, scales, bounds, strict=False)]
    if words:
        found = yield from parallel(*[extension(share) for share in found])
    value, guard, *steep = found
    value = value.at_scale(table_scale + scale)
    whole = add_public(session, value._ring, round(factor * 2.0 ** (table_scale + scale - 1)))
    left = add_public(session, guard._ring, 1 << (table_scale + GUARD_SCALE - 1))
    left = left if gone is None else left + gone
    steep = [share.at_scale(value.scale) for share in steep]
    return (value._like(whole, 1.1 * abs(factor)), guard._like(left, 1.1), *steep)


class _Dealt:
    """What the dealer shares for elements of `shape`: one mask, and tables of it in stretches, each dealt when it is
    due. turns: bits of a word above a period. words: tables are modulo 2^32."""

    def __init__(
        self, session: Session, shape: tuple[int, ...], terms: int, scale: int, *, turns: int, words: bool
    ) -> None:
        self._session, self._shape, self._count = session, shape, math.prod(shape)
        self._terms, self._scale, self._turns, self._words = terms, scale, turns, words
        self._stretch = at_a_time(session, STRETCH) // (2 * terms)
        self._low = ANGLE_BITS - turns
        self._whole: list[torch.Tensor] = []  # at the dealer only: the mask, for the tables
        self._first: list[torch.Tensor] = []

    def mask(self) -> torch.Tensor:
        """This party's share of the mask; the first stretch comes with it."""
        (r,), self._first = deal(self._session, self._recipe(0))
        return r

    def combined(
        self, delta: torch.Tensor, coefficients: Coefficients
    ) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        """(this party's shares of the series of all elements; what is `away`, None where no turns are told apart)."""
        pieces: list[Sequence[torch.Tensor]] = []
        gone: list[torch.Tensor] = []
        flat, shared = delta.reshape(-1), self._first
        for start in range(0, max(self._count, 1), self._stretch):
            if start:
                _, shared = deal(self._session, self._recipe(start))
            if self._session.holds_shares:
                piece = flat[start : start + self._stretch]
                angles = (piece << self._turns) & ((1 << ANGLE_BITS) - 1) if self._turns else piece
                pieces.append(combine(angles, shared[0], coefficients, words=self._words))
                if self._turns:
                    gone.append(away(self._session, piece, shared[1], low=self._low, width=ANGLE_BITS))
        if not pieces:
            return [blank(self._shape)] * len(coefficients), None
        return [self._joined(part) for part in zip(*pieces, strict=True)], self._joined(gone) if gone else None

    def _recipe(self, start: int) -> Recipe:
        size = min(self._stretch, self._count - start)

        def derive(drawn: list[torch.Tensor]) -> list[torch.Tensor]:
            self._whole.extend(drawn)
            piece = self._whole[0].reshape(-1)[start : start + size]
            dealt = [tables(piece << self._turns, self._terms, self._scale, words=self._words)]
            return [*dealt, missing(piece, low=self._low, width=ANGLE_BITS)] if self._turns else dealt

        entries = elements_of(size) if self._words else size
        derived: list[tuple[int, ...]] = [(2, self._terms, entries), *([(2, size)] if self._turns else [])]
        lanes = [32, 64][: len(derived)] if self._words else ()
        return Recipe("sigmoid", [] if start else [self._shape], derived, derive, lanes=lanes)

    def _joined(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        whole = parts[0] if len(parts) == 1 else torch.cat(list(parts))
        return whole.reshape(self._shape)


def in_words(elements: int) -> bool:
    """Whether tables are dealt in words of 32 bits, which half the dealer's message, for a round more and 4 bytes an
    element of each result: where there are so many that its message is what everybody waits for."""
    return elements >= MANY


def turn_bits(series: Series, scale: int) -> int:
    """2^bits periods of the series are told apart, for z at `scale`."""
    return max(0, min(64 - scale, SEEN_BITS) - series.period_bits)


@functools.lru_cache(maxsize=64)
def _coefficients(series: Series, factor: float, scale: int, slope: bool) -> Coefficients:
    """factor * sigmoid - factor / 2; the guard - 1/2 and, with `slope`, factor * sigmoid'."""
    cosines = [series.guard() / -2 * 2.0**GUARD_SCALE]
    if slope:
        cosines.append(factor * series.slope() * 2.0**scale)
    return Coefficients((factor * series.sigmoid() * 2.0**scale)[None], np.stack(cosines))
