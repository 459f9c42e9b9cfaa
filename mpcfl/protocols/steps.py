"""Bits [x >= theta_k] at a coarse scale, and their products with a secret, in two rounds together.

The idea of `mpcfl.protocols.comparison`, for functions that do not mind which bit they get very near a threshold: with
c = x + r opened, c - theta and r are compared on a few bits only, in words of 16 bits for example. Digit by digit the
dealer has shared the table of sign(d - r_i) for every public digit d, in bytes, so that V = sum_i 2^i sign(d_i - r_i),
read off locally, has the sign of the first digit that differs, and is so short that the second round settles it:
V + q is opened, q modulo 2^(digits + 1), and the dealer has shared what follows from it for every value of V + q
(one-time truth tables: Ishai et al., TCC 2013, section 3). V + q + half a turn has the other result, so half a table is
enough. The same table times the mask of the factor makes bit * factor without a third round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from mpcfl.offline.dealing import Recipe, at_a_time, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.turns import CASES, away, missing
from mpcfl.ring.cut import SHORT, Cut, answers, even, read, settle_product, tables
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, require_headroom
from mpcfl.world.session import Session

_RANGE = 62  # bits of |x - theta|
_STRETCH = 1 << 18  # elements of tables that are dealt at a time: 2 MB


class Words(Cut):
    """What of x is compared: `drop` low bits of its ring value are not, then `digits` and a sign are. A bit is right
    wherever |x - theta| >= 2^(drop - 1) ring units, and everywhere at drop 0."""

    __slots__ = ()

    @classmethod
    def of_bits(cls, x: Share, thresholds: Sequence[int], bits: int) -> Words:
        """Words of `bits`: right wherever |x - theta| is at least 2^-(bits - 1) times (bound of x + |theta|)."""
        reach, drop = _reach(x, thresholds), 0
        while _room(bits) < reach / 2.0**drop:
            drop += 1
        return cls(drop, cls._cheapest(min(bits, _needed(x, thresholds, drop)), 2 * len(thresholds)))

    @classmethod
    def of_error(cls, x: Share, thresholds: Sequence[int], error: float, products: int | None = None) -> Words:
        """The shortest words that are right wherever |x - theta| >= error > 0. products: as in `watched_steps`."""
        drop = 0
        while drop < _RANGE - 1 and 2.0**drop <= error * 2.0**x.scale:
            drop += 1
        tables = len(thresholds) + (len(thresholds) if products is None else products)
        return cls(drop, cls._cheapest(_needed(x, thresholds, drop), tables))

    @staticmethod
    def _cheapest(bits: int, tables: int) -> tuple[int, ...]:
        """Digits of about equal size whose number makes the offline phase shortest, with so many tables of answers."""
        choices = [even(bits - 1, count) for count in range(1, min(bits - 1, SHORT) + 1)]
        return min(choices, key=lambda digits: Cut(0, digits).elements + (tables << len(digits)))


def _reach(x: Share, thresholds: Sequence[int]) -> float:
    """Largest |x - theta| in ring units, at least 1."""
    widest = max(map(abs, thresholds), default=0) / 2.0**x.scale
    require_headroom(x._like(x._ring, x.bound + widest), _RANGE, "a difference to be compared")
    return max(1.0, (x.bound + widest) * 2.0**x.scale)


def _room(bits: int) -> float:
    """Of |x - theta| / 2^drop in words of `bits`, the half that centres included."""
    return 2.0 ** (bits - 1) - 0.5


def _needed(x: Share, thresholds: Sequence[int], drop: int) -> int:
    bits = 2
    while _room(bits) < _reach(x, thresholds) / 2.0**drop:
        bits += 1
    return bits


def steps(
    x: Share, thresholds: Sequence[int], words: Words, factor: Share | None = None, products: int | None = None
) -> Protocol:
    """(b, b * factor) of `watched_steps`, without what is away."""
    bits, parts, _ = yield from watched_steps(x, thresholds, words, factor, products)
    return bits, parts


def watched_steps(
    x: Share,
    thresholds: Sequence[int],
    words: Words,
    factor: Share | None = None,
    products: int | None = None,
    turn: int | None = None,
) -> Protocol:
    """(b, b * factor, away): b_k = [x >= theta_k], scale 0, x.shape + (K,), for K ring elements at x's scale; products
    x.shape + (P,) of the first P, `products`, of them, by default of all.

    factor: x.shape, default x itself. A bit within 2^(drop - 1) ring units of its threshold may be either; it is the
    same in both results. away: x.shape, at scale 0, 0 where |x| is at most 3/8 of 2^turn ring units, a random element
    where it is more than 5/8, however far beyond the words; None without `turn`. Cost: 2 rounds, 8 bytes an element of
    x (and as many of another factor) and 1 byte a threshold; offline words.elements an element of x and words.half a
    threshold and a product: 12, 8 and 8 at 16 bits; with `turn` 4 an element of x.
    """
    session, shape = x.session, x.shape
    if factor is not None and factor.shape != shape:
        raise ValueError(f"a factor of shape {factor.shape} does not fit values of shape {shape}")
    count = len(thresholds) if products is None else products
    dealt = _Dealt(session, words, len(thresholds), count, turn)
    r, q, *rest = dealt.masks(shape, with_factor=factor is not None)
    opening = [Masked(x._like(x._ring + r, x.bound), protocol="steps")]
    if factor is not None:
        opening.append(Masked(factor._like(factor._ring + rest[0], factor.bound), protocol="steps"))
    c, *others = yield opening
    factor, whole = (x, c) if factor is None else (factor, others[0])
    lower = torch.tensor([theta + ((1 << words.drop) >> 1) for theta in thresholds])
    lower = lower if c.is_meta else lower.to(c.device)
    public, c, whole, ring = session.rank == 0, c.reshape(-1), whole.reshape(-1), factor._ring.reshape(-1)
    v = [read(c[some], lower, dealt.digits(some), words, public=public) for some in dealt.stretches(words.elements)]

    word = Share(session, torch.cat(v).reshape(q.shape) + q, scale=0, bound=256.0)
    (c2,) = yield [Masked(word, 8, "steps")]
    c2 = c2.reshape(-1, len(thresholds))
    bits, parts, gone = [], [], []
    for some in dealt.stretches(dealt.answers_of_one):
        table, times, *turns = dealt.answers(some)
        bit, part = settle_product(c2[some], table, times, whole[some], ring[some], words, public=public)
        bits.append(bit)
        parts.append(part)
        gone += [away(session, c[some], turns[0], low=turn, cases=CASES)] if turn is not None else []
    return (
        Share(session, torch.cat(bits).reshape(q.shape), scale=0, bound=1.0),
        factor._like(torch.cat(parts).reshape(*shape, count), factor.bound),
        Share(session, torch.cat(gone).reshape(shape), scale=0, bound=0.0) if gone else None,
    )


class _Dealt:
    """Masks, all at once, as they are used, which the dealer keeps; and their tables for a stretch of values at a time,
    which stays in a cache."""

    def __init__(self, session: Session, words: Words, thresholds: int, products: int, turn: int | None) -> None:
        self._session, self._words, self._turn = session, words, turn
        self._thresholds, self._products, self._count = thresholds, products, 0
        self._kept: list[torch.Tensor] = []  # at the dealer only

    @property
    def answers_of_one(self) -> int:
        """Elements of the answers for one value."""
        return self._words.half * (self._thresholds + self._products) + (0 if self._turn is None else CASES)

    def masks(self, shape: tuple[int, ...], *, with_factor: bool) -> list[torch.Tensor]:
        self._count = math.prod(shape)
        shapes = [shape, (*shape, self._thresholds), *([shape] if with_factor else [])]
        masks, _ = deal(self._session, Recipe("steps", shapes, [], self._keep))
        return masks

    def _keep(self, masks: list[torch.Tensor]) -> list[torch.Tensor]:
        r, q, *rest = masks
        self._kept = [r.reshape(-1), q.reshape(-1, self._thresholds), (rest[0] if rest else r).reshape(-1)]
        return []

    def stretches(self, elements: int) -> list[slice]:
        """Of values whose tables have so many elements each."""
        most = max(1, at_a_time(self._session, _STRETCH) // elements)
        return [slice(i, min(i + most, self._count)) for i in range(0, max(1, self._count), most)]

    def digits(self, some: slice) -> list[torch.Tensor]:
        shapes = self._words.shapes((some.stop - some.start,))
        recipe = Recipe(
            "steps", [], shapes, lambda _: tables(self._kept[0][some], self._words), lanes=self._words.lanes
        )
        return deal(self._session, recipe)[1]

    def answers(self, some: slice) -> list[torch.Tensor]:
        """Answers (n, K, half), the first of them times the mask of the factor, and what is missing for turn 0."""
        n, half = some.stop - some.start, self._words.half
        watched = [] if self._turn is None else [(CASES, n)]
        shapes = [(n, self._thresholds, half), (n, self._products, half), *watched]
        return deal(self._session, Recipe("steps", [], shapes, lambda _: self._derive(some)))[1]

    def _derive(self, some: slice) -> list[torch.Tensor]:
        r, q, mask = (kept[some] for kept in self._kept)
        table = answers((r >> self._words.end)[:, None], q, self._words)
        derived = [table, table[:, : self._products] * mask[:, None, None]]
        return derived if self._turn is None else [*derived, missing(-r, low=self._turn, cases=CASES)]
