"""Words cut into digits: the tables in which a dealer says which of two words is larger, and how parties read them.

    tables(r, cut)                    at the dealer: the tables of a word r
    read(c, lower, shared, cut)       a party's share of V, which says whether r is larger than c - lower
    answers(sign, q, cut)             at the dealer: the table of what V says, for when it is opened under q
    settle(word, shared, cut)         a party's share of the answer

d = c - lower is public. For digit i = 0, ..., n - 1, lowest first, the dealer shares 2^i sign(d_i - r_i) for every d_i
that can be met. V, the sum of the entries at the digits of d, has the sign of the highest digit that differs, since
those below it add up to 2^i - 1 at most: V < 0 if and only if d < r on these digits, |V| < 2^n, and a comparison of all
bits has become the sign of a word of n + 1. If the bit of d above its digits is added as 2^n, bit n of V is that bit of
d - r, but for r's own, which the dealer knows.

So V is wanted modulo 2^(n + 1) only, and no entry needs to be shared modulo more. Up to 7 digits all are bytes. Of
more, up to 15, the last 7 still are: they have 2^(n - 7) in common, and what is left of one modulo 2^8 gives it modulo
2^(n + 1). Those of the n - 7 before take 16 bits. The sum of V and a mask q that is uniform modulo 2^8 or 2^16,
whichever holds n + 1 bits, shows nothing; what V has above bit n is of no use, and is hidden as well.

V + q is opened, and the dealer, who knows q, has shared a bit for every value of it below 2^n; 2^n more stand for the
other bit (one-time truth tables: Ishai et al., TCC 2013, section 3).

This file's formulas, in torch, are the definition; `_cut_cpu.py` and `_cut_triton.py` give the same in one pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch

from mpcfl.ring._triton import why_not
from mpcfl.ring.blank import blank

SHORT = 7  # digits whose entries are bytes
MOST = 15  # digits whose V fits 16 bits
TYPES = {8: torch.int8, 16: torch.int16}


@dataclass(frozen=True, slots=True)
class Cut:
    """`drop` low bits are left out, then come `digits` (bits of each, lowest first), and what is above is not read."""

    drop: int
    digits: tuple[int, ...]

    @property
    def end(self) -> int:
        """Place of the first bit above all digits."""
        return self.drop + sum(self.digits)

    @property
    def long(self) -> int:
        """How many digits, the lowest, have entries of 16 bits."""
        return max(0, len(self.digits) - SHORT)

    @property
    def lanes(self) -> tuple[int, ...]:
        """Bits of the entries of each table."""
        return (16, 8) if self.long else (8,)

    @property
    def widths(self) -> tuple[int, ...]:
        """Elements of each table of one value."""
        return tuple(-(-sum(1 << bits for bits in digits) * lane // 64) for digits, lane, _ in self.parts())

    @property
    def elements(self) -> int:
        return sum(self.widths)

    @property
    def half(self) -> int:
        """Half of what V + q can be, modulo 2^(n + 1)."""
        return 1 << len(self.digits)

    @property
    def word(self) -> int:
        """Bits of the word that V + q is opened in."""
        return 16 if self.long else 8

    def shapes(self, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Of the tables of values of this shape."""
        return [(*shape, width) for width in self.widths]

    def parts(self) -> Iterator[tuple[tuple[int, ...], int, int]]:
        """(digits, bits of an entry, power of two that an entry is short of) of each table."""
        if self.long:
            yield self.digits[: self.long], 16, 0
        yield self.digits[self.long :], 8, self.long


def even(bits: int, count: int) -> tuple[int, ...]:
    """`count` digits of `bits` together whose tables are shortest: alike in bytes, so one bit less where entries are
    two; the higher the longer."""
    long = max(0, count - SHORT)
    return tuple((bits + long + i) // count - (i < long) for i in range(count))


def tables(r: torch.Tensor, cut: Cut) -> list[torch.Tensor]:
    """`cut.shapes(r.shape)`: what the dealer shares of r, several entries an element."""
    found, position = [], cut.drop
    for (digits, lane, _), shape in zip(cut.parts(), cut.shapes(tuple(r.shape)), strict=True):
        rows = []
        for i, bits in enumerate(digits):
            digit = (r >> position) & ((1 << bits) - 1)
            rows.append(_of_digit(bits, i, lane).to(r.device).index_select(0, digit.reshape(-1)))
            position += bits
        missing = -sum(1 << bits for bits in digits) % (64 // lane)
        if missing:
            rows.append(torch.zeros(r.numel(), missing, dtype=TYPES[lane], device=r.device))
        found.append(torch.cat(rows, -1).view(torch.int64).reshape(shape))
    return found


@cache
def _of_digit(bits: int, power: int, lane: int) -> torch.Tensor:
    """(2^bits, 2^bits): 2^power sign(d - r), by r, then by d. On the CPU: one for all streams of all devices."""
    every = torch.arange(1 << bits)
    return (torch.sign(every - every[:, None]) << power).to(TYPES[lane])


def answers(sign: torch.Tensor, q: torch.Tensor, cut: Cut) -> torch.Tensor:
    """(..., half), at the dealer: the last bit of `sign` (...) xor [V >= 0] for V + q = 0, ..., half - 1, q (...)."""
    place = (q + (sign << len(cut.digits))) & (2 * cut.half - 1)  # half a turn on, it is the other bit
    return _of_word(cut.half).to(q.device).index_select(0, place.reshape(-1)).reshape(*place.shape, cut.half)


@cache
def _of_word(half: int) -> torch.Tensor:
    """(2 half, half): [V >= 0] by q, then by V + q."""
    v = (torch.arange(half) - torch.arange(2 * half)[:, None]) & (2 * half - 1)
    return (v < half).to(torch.int64)


def read(
    c: torch.Tensor, lower: torch.Tensor, shared: Sequence[torch.Tensor], cut: Cut, *, public: bool
) -> torch.Tensor:
    """V, (..., K), for d = c - lower of opened c (...) and public lower (K,): this party's share, right modulo
    2^(n + 1). `shared`: its shares of the tables of r (...). `public`: it adds the bit of d above its digits."""
    if c.is_meta or shared[0].is_meta:
        return blank((*c.shape, len(lower)))
    return _load(c.device.type).read(c, lower, shared, cut, public)


def settle(word: torch.Tensor, shared: torch.Tensor, cut: Cut, *, public: bool) -> torch.Tensor:
    """(...): this party's share of the bit that word = V + q (...), opened, stands for; `shared` (..., half): its
    shares of the answers. `public`: it is the party that adds what all of them know."""
    if word.is_meta or shared.is_meta:
        return blank(word.shape)
    return _load(word.device.type).settle(word, shared, cut, public)


def settle_product(
    word: torch.Tensor,
    shared: torch.Tensor,
    times: torch.Tensor,
    opened: torch.Tensor,
    factor: torch.Tensor,
    cut: Cut,
    *,
    public: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`settle` (..., K), and shares (..., P) of the first P bits times a factor. `times` (..., P, half): its shares of
    their answers times the mask of the factor; `opened` (...): the factor plus its mask; `factor` (...): its share."""
    if word.is_meta or shared.is_meta:
        return blank(word.shape), blank(times.shape[:-1])
    return _load(word.device.type).settle_product(word, shared, times, opened, factor, cut, public)


class Backend(Protocol):
    """What a kind of device offers."""

    def read(
        self, c: torch.Tensor, lower: torch.Tensor, shared: Sequence[torch.Tensor], cut: Cut, public: bool
    ) -> torch.Tensor: ...

    def settle(self, word: torch.Tensor, shared: torch.Tensor, cut: Cut, public: bool) -> torch.Tensor: ...

    def settle_product(
        self,
        word: torch.Tensor,
        shared: torch.Tensor,
        times: torch.Tensor,
        opened: torch.Tensor,
        factor: torch.Tensor,
        cut: Cut,
        public: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]: ...


class Plain:
    """In torch's own operations, for any device: the definition."""

    @staticmethod
    def read(
        c: torch.Tensor, lower: torch.Tensor, shared: Sequence[torch.Tensor], cut: Cut, public: bool
    ) -> torch.Tensor:
        d, position = c[..., None] - lower, cut.drop
        total = ((d >> cut.end) & 1) << len(cut.digits) if public else torch.zeros_like(d)
        for table, (digits, lane, power) in zip(shared, cut.parts(), strict=True):
            places, start = [], 0
            for bits in digits:
                places.append(((d >> position) & ((1 << bits) - 1)) + start)
                start, position = start + (1 << bits), position + bits
            at = torch.stack(places, -1)
            entries = table.reshape(-1).view(TYPES[lane]).reshape(*c.shape, table.shape[-1] * 64 // lane)
            found = entries.gather(-1, at.reshape(*c.shape, d.shape[-1] * len(digits))).reshape(at.shape)
            total = total + (found.to(torch.int64).sum(-1) << power)
        return total

    @staticmethod
    def settle(word: torch.Tensor, shared: torch.Tensor, cut: Cut, public: bool) -> torch.Tensor:
        found, flipped = _found(word, shared, cut), (word >> len(cut.digits)) & 1
        share = found * (1 - 2 * flipped)
        return share + flipped if public else share

    @staticmethod
    def settle_product(
        word: torch.Tensor,
        shared: torch.Tensor,
        times: torch.Tensor,
        opened: torch.Tensor,
        factor: torch.Tensor,
        cut: Cut,
        public: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found, flipped = _found(word, shared, cut), (word >> len(cut.digits)) & 1
        sign, count = 1 - 2 * flipped, times.shape[-2]
        share = found * sign + flipped if public else found * sign
        product = opened[..., None] * found[..., :count] - _found(word[..., :count], times, cut)
        return share, product * sign[..., :count] + factor[..., None] * flipped[..., :count]


def _found(word: torch.Tensor, shared: torch.Tensor, cut: Cut) -> torch.Tensor:
    return shared.gather(-1, (word & (cut.half - 1))[..., None]).squeeze(-1)


def load(device: str | torch.device) -> None:
    """Load what a device has before anybody waits for it."""
    _load(torch.device(device).type)


@cache
def _load(kind: str) -> Backend:
    """Imported late: compiled kernels take a while to load."""
    if kind == "cpu":
        from mpcfl.ring import _cut_cpu

        return _cut_cpu
    if why_not(kind) is None:
        from mpcfl.ring import _cut_triton

        return _cut_triton
    return Plain()
