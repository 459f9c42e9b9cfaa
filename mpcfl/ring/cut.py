"""Words cut into digits: the tables in which a dealer says which of two words is larger, and how a party reads them.

A word d is public, r is the dealer's. For digit i = 0, ..., n - 1, lowest first, the dealer shares 2^i sign(d_i - r_i)
for every d_i that can be met. V, the sum of the entries at the digits of d, has the sign of the highest digit that
differs, since those below it add up to 2^i - 1 at most: V < 0 if and only if d < r, |V| < 2^n, and a comparison of all
bits has become the sign of a word of n + 1.

So V is wanted modulo 2^(n + 1) only, and no entry needs to be shared modulo more. Up to 7 digits all are bytes. Of
more, up to 15, the last 7 still are: they have 2^(n - 7) in common, and what is left of one modulo 2^8 gives it modulo
2^(n + 1). Those of the n - 7 before take 16 bits. The sum of V and a mask q that is uniform modulo 2^8 or 2^16,
whichever holds n + 1 bits, shows nothing; what V has above bit n is of no use, and is hidden as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from mpcfl.ring.blank import blank, indices

SHORT = 7  # digits whose entries are bytes
MOST = 15  # digits whose V fits 16 bits
_TYPES = {8: torch.int8, 16: torch.int16}


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
    for digits, lane, _ in cut.parts():
        dtype = _TYPES[lane]
        signs = []
        for i, bits in enumerate(digits):
            digit = ((r >> position) & ((1 << bits) - 1)).to(torch.int16)[..., None]
            every = indices(1 << bits, r).to(torch.int16)
            signs.append(((every > digit).to(dtype) - (every < digit).to(dtype)) << i)
            position += bits
        missing = -sum(1 << bits for bits in digits) % (64 // lane)
        signs.append(torch.zeros(*r.shape, missing, dtype=dtype, device=r.device))
        found.append(torch.cat(signs, -1).view(torch.int64))
    return found


def read(c: torch.Tensor, lower: torch.Tensor, shared: Sequence[torch.Tensor], cut: Cut) -> torch.Tensor:
    """V, (..., K), for the words d = c - lower of opened c (...) and public lower (K,): this party's share, right
    modulo 2^(n + 1). `shared`: its shares of the tables of r (...)."""
    if c.is_meta or shared[0].is_meta:
        return blank((*c.shape, len(lower)))
    d, position = c[..., None] - lower, cut.drop
    total = torch.zeros_like(d)
    for table, (digits, lane, power) in zip(shared, cut.parts(), strict=True):
        places, start = [], 0
        for bits in digits:
            places.append(((d >> position) & ((1 << bits) - 1)) + start)
            start, position = start + (1 << bits), position + bits
        at = torch.stack(places, -1)
        entries = table.reshape(-1).view(_TYPES[lane]).reshape(*c.shape, table.shape[-1] * 64 // lane)
        found = entries.gather(-1, at.reshape(*c.shape, d.shape[-1] * len(digits))).reshape(at.shape)
        total = total + (found.to(torch.int64).sum(-1) << power)
    return total
