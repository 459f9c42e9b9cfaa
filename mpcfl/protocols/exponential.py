"""exp of a secret in one opening: for losses with a log link.

The period P = 4 B of delta = z - r, opened in 32 bits, is cut into four cases. Within a case delta is known to B / 2
about its middle m, so the dealer, who knows r, knows for each case the one tau = m + r modulo P with |tau| <= 2 B that
z can be next to, and exp(z) = exp(delta - m) exp(tau) whatever z is in [-1.5 B, 1.5 B]. (Two cases would reach B only,
and need a public factor up to e^B.) With a public c added to both delta and z this is so about any c.

The public factor is within e^(c +- B / 2), the dealt one within e^(+-2 B), and one product of two rounded numbers at
scale s would be wrong by sqrt(e^(c + 2.5 B) 2^-s): 2e-3 at B = 4, c = 0, s = 32, and 3e-1 at B = 8. So the public
factor is taken in two digits, each times the dealt one at the scale that makes up for it, which leaves
(e^(c + 2.5 B) 2^-2s)^(1/3): 1e-5 at B = 4, 3e-4 at B = 8. That is four more elements offline and nothing online;
exp(z / 2)^2 would be two more rounds.

The guard is exact, unlike that of a series: the dealer says for each eighth of the period whether z, known to B / 4
about its middle, can be in [c - B, c + B]. What is left of the 32 bits, the number of periods, must be the dealer's
too, so that a row that is thrown out by many periods in one step does not pass for one that stayed.
"""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import torch

from mpcfl.offline.dealing import Recipe, at_a_time, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.blank import indices
from mpcfl.ring.exp import entries, exact, exp
from mpcfl.ring.opened import logical_shift
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public
from mpcfl.world.session import Session

STRETCH = 1 << 14  # values whose tables are dealt at a time: 2.5 MB stay in a cache, whatever the rows are
_ELEMENTS = 20  # of the tables of a value
RANGES = (1, 2, 4, 8)
EXACT = 1.5  # times the range: how far the exponential is right
_WORD = 32
_UNIT = 20  # fractional bits of the opened word, whose period is 4096
_CASES, _EIGHTHS = 4, 8


def exponential(z: Share, range: int, *, scale: int, factor: float = 1.0, middle: float = 0.0) -> Protocol:
    """(factor * exp(z) at `scale`, not truncated; guard, integers at scale 0), both of z's shape; z at scale <= 52.

    `range` B is 1, 2, 4 or 8, `middle` c a public number with |c| <= B. Guard: 0 while |z - c| <= B, at least 1 where
    1.5 B < |z - c| < 4096 - 1.5 B, one or the other between; where it is 0 the result is right: unbiased, within
    |factor| e^(c + 1.5 B), and wrong by at most 2.5 (e^(c + 2.5 B) 2^-2scale)^(1/3) and exp(z) 2^-21 for each party,
    since low bits of z are rounded off share by share. `factor`: public, worked into the coefficients; below 1 in size
    it makes no error larger. Cost: 1 round, 4 bytes each; offline 20 elements each.
    """
    if range not in RANGES or z.scale > 64 - _WORD + _UNIT or abs(middle) > range:
        raise ValueError(f"no exponential of range {range} about {middle:g} for a value at scale {z.scale}")
    session, shape, digits = z.session, z.shape, _Digits(range, middle, scale)
    masks: list[torch.Tensor] = []  # at the dealer only: r as a whole, for the tables
    (r,), _ = deal(session, Recipe("exponential", [shape], [], lambda m: _kept(masks, m)))
    centre = round(middle * (1 << _UNIT))
    word = add_public(session, _rounded(z._ring, z.scale - _UNIT), -centre)
    (delta,) = yield [Masked(Share(session, word - r, scale=_UNIT, bound=1.0), _WORD, "exponential")]
    pieces, stretch = [], at_a_time(session, STRETCH * _ELEMENTS) // _ELEMENTS
    for start in builtins.range(0, delta.numel(), stretch):
        opened = delta.reshape(-1)[start : start + stretch]
        tables = _dealt(session, masks, start, len(opened), digits)
        if session.holds_shares:  # parties that learn shapes only are spared the arithmetic
            public = exp(_offset(opened, digits.case_bits) + centre, _UNIT) * factor
            pieces.append(_read(session, opened, digits.split(public), tables, digits))
    value = guard = word
    if pieces:
        value, guard = (torch.cat(parts).reshape(shape) for parts in zip(*pieces, strict=True))
    bound = abs(factor) * math.exp(middle + EXACT * range)
    return (
        Share(session, value, scale=scale, bound=bound),
        Share(session, guard, scale=0, bound=4.0 ** (_WORD - digits.period_bits)),
    )


def _kept(masks: list[torch.Tensor], found: list[torch.Tensor]) -> list[torch.Tensor]:
    """Nothing is derived yet; the dealer keeps the mask, flat."""
    masks.append(found[0].reshape(-1))
    return []


def _dealt(session: Session, masks: list[torch.Tensor], start: int, count: int, digits: _Digits) -> list[torch.Tensor]:
    """The tables of `count` values: see `_tables`."""
    shapes = [(_CASES, count)] * 3 + [(_EIGHTHS, count)]
    recipe = Recipe("exponential", [], shapes, lambda _: _tables(masks[0][start : start + count], digits))
    return deal(session, recipe)[1]


def _read(
    session: Session,
    delta: torch.Tensor,
    public: tuple[torch.Tensor, torch.Tensor],
    tables: list[torch.Tensor],
    digits: _Digits,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shares of the exponential and of the guard, (n,), from opened words (n,)."""
    coarse, fine, periods, outside = tables
    case = (delta >> digits.case_bits & _CASES - 1)[None]
    eighth = (delta >> digits.case_bits - 1 & _EIGHTHS - 1)[None]
    turns = delta >> digits.period_bits
    value = public[0] * coarse.gather(0, case)[0] + public[1] * fine.gather(0, case)[0]
    guard = outside.gather(0, eighth)[0] - 2 * turns * periods.gather(0, case)[0]
    return value, add_public(session, guard, turns * turns)


@dataclass(frozen=True, slots=True)
class _Digits:
    """The public factor in two digits at scales g1, g2, the dealt one at f1, f2; g1 + f1 = g2 + f2 = scale.

    Errors e^(c + B / 2) 2^-f1 of the first product, 2^-(g1 + f2) of the second, e^(2 B) 2^-g2 of what is left: alike.
    """

    range: int
    middle: float
    scale: int

    @property
    def case_bits(self) -> int:
        return _UNIT + self.range.bit_length() - 1

    @property
    def period_bits(self) -> int:
        return self.case_bits + 2

    @property
    def coarse(self) -> int:
        """f1."""
        return round(self._error_bits() + (self.middle + self.range / 2) * math.log2(math.e))

    @property
    def fine(self) -> int:
        """f2."""
        return self.scale - round(self._error_bits() + 2 * self.range * math.log2(math.e))

    def _error_bits(self) -> float:
        return (2 * self.scale - (self.middle + 2.5 * self.range) * math.log2(math.e)) / 3

    def split(self, factor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        unit = 2.0 ** (self.coarse - self.scale)
        first = (factor / unit).round()
        second = ((factor - first * unit) * 2.0 ** (self.scale - self.fine)).round()
        return first.to(torch.int64), second.to(torch.int64)


def _rounded(ring: torch.Tensor, bits: int) -> torch.Tensor:
    return logical_shift(ring + (1 << (bits - 1)), bits) if bits > 0 else ring << -bits


def _offset(delta: torch.Tensor, bits: int) -> torch.Tensor:
    """Units from the middle of the case, as integers."""
    return (delta & ((1 << bits) - 1)) - (1 << (bits - 1))


def _tables(mask: torch.Tensor, digits: _Digits) -> list[torch.Tensor]:
    """exp(tau) at both scales and the number of periods (4, ...); (8, ...) its square, or 1 more outside the range.

    Rounded up with probability equal to the fraction: the half of the mask that hides nothing is the die.
    """
    r, die = mask & ((1 << _WORD) - 1), logical_shift(mask, _WORD).to(torch.float64) * 2.0**-_WORD
    tau, periods = _near(r, _CASES, digits)
    near, _ = _near(r, _EIGHTHS, digits)
    # the four are quarters of a period apart: one exponential, of how far they are from the middles of theirs
    rest = exp(_offset(tau[0], digits.case_bits), _UNIT)
    values = rest * entries(_middles(digits.range), (tau >> digits.case_bits) + _CASES // 2)
    outside = near.abs() > 5 << (digits.case_bits - 2)
    squares = (periods * periods).repeat_interleave(_EIGHTHS // _CASES, 0) + outside
    words = [(values * 2.0**scale + die).floor().to(torch.int64) for scale in (digits.coarse, digits.fine)]
    return [*words, periods, squares]


@cache
def _middles(range: int) -> torch.Tensor:
    """(4,): exp of the middle of each quarter of a period about 0."""
    middles = [Decimal(range) * (2 * j + 1 - _CASES) / 2 for j in builtins.range(_CASES)]
    return torch.tensor([exact(middle) for middle in middles], dtype=torch.float64)


def _near(r: torch.Tensor, parts: int, digits: _Digits) -> tuple[torch.Tensor, torch.Tensor]:
    """(parts, ...): r plus the middle of each part of a period, as a number of at most half a period and the number of
    periods that delta must have more than it for z to be so near."""
    width = (1 << digits.period_bits) // parts
    middles = (indices(parts, r) * width + width // 2).reshape(-1, *[1] * r.dim())
    shifted = r + middles + (1 << (digits.period_bits - 1))
    tau = (shifted & ((1 << digits.period_bits) - 1)) - (1 << (digits.period_bits - 1))
    return tau, -(shifted >> digits.period_bits) & ((1 << (_WORD - digits.period_bits)) - 1)
