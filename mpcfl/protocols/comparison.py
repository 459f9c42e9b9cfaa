"""Secure comparison in three rounds, for any number of parties.

[x >= theta] is the sign bit of x - theta. With c = x + r opened and d = c - theta public, x - theta = d - r, whose sign
bit is d63 xor r63 xor borrow, and the borrow says whether r is larger than d on the low 63 bits. Digit by digit (16
digits of 4 bits, unit vectors from the dealer) each party computes locally a share of sign(r_i - d_i), and
Z = sum_i 2^i sign(r_i - d_i) has the sign of the first digit that differs. So a comparison of 63 bits has become one
of 17; the same once more leaves 5 bits, which a table read at a secret place settles. The dealer knows the two sign
bits of the masks and works them into that table.

One opening of x serves any number of thresholds.
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.lookup import unit_vectors
from mpcfl.protocols.rounds import Protocol
from mpcfl.ring.blank import indices
from mpcfl.ring.opened import logical_shift
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public, require_headroom

_DIGIT, _BASE = 4, 16
_FIRST, _SECOND = 16, 4  # digits of 64 bits, of the low 16 of 17 bits
_SMALL = 17  # bits of Z, sign included
_THIRD = 32  # what is left lies in -15..15


def at_least(x: Share, thresholds: torch.Tensor) -> Protocol:
    """Bits [x >= theta_k], scale 0, shape x.shape + (K,), for public ring elements `thresholds` (K,) at x's scale.

    Needs |x - theta| < 2^63 by the bound of x, else HeadroomError. Cost: 3 rounds, 8 bytes an element of x and 5 bytes
    a threshold; offline 256 elements an element of x and 97 a threshold.
    """
    session, small = x.session, (*x.shape, thresholds.shape[0])
    widest = max(map(abs, thresholds.tolist()), default=0) / 2.0**x.scale
    require_headroom(x._like(x._ring, x.bound + widest), 63, "a difference to be compared")
    derived = [(*x.shape, _FIRST, _BASE), (*small, _SECOND, _BASE), (*small, _THIRD), small]
    recipe = Recipe("comparison", [x.shape, small, small], derived, lambda m: _derive(*m))
    (r, r2, r3), (units, units2, signed, sign) = deal(session, recipe)

    (c,) = yield [Masked(x._like(x._ring + r, x.bound), protocol="comparison")]
    d = c[..., None] - thresholds.to(c.device)
    top = units[..., _FIRST - 1, :]
    halves = top[..., : _BASE // 2] + top[..., _BASE // 2 :]  # without bit 63
    z = (_signs(d, _FIRST - 1, _BASE // 2) * halves[..., None, :]).sum(-1) << (_FIRST - 1)
    for i in range(_FIRST - 1):
        z = z + ((_signs(d, i, _BASE) * units[..., None, i, :]).sum(-1) << i)

    (c2,) = yield [Masked(Share(session, r2 - z, scale=0, bound=1 << 16), 32, "comparison")]
    z2 = torch.zeros_like(z)
    for i in range(_SECOND):
        z2 = z2 + ((_signs(c2, i, _BASE) * units2[..., i, :]).sum(-1) << i)

    (c3,) = yield [Masked(Share(session, z2 + r3, scale=0, bound=16), 8, "comparison")]
    # the unit vector of r3 points at z2; the dealer has turned its sign where the two mask bits differ
    place = (c3[..., None] - indices(_THIRD, c)) & (_THIRD - 1)
    positive = ((place > 0) & (place < _THIRD // 2)).to(torch.int64)
    flipped = (signed * positive).sum(-1) + sign
    known = logical_shift(d, 63) ^ ((c2 >> (_SMALL - 1)) & 1)
    # negative = known xor flipped, and the result is its complement
    ring = add_public(session, flipped * (2 * known - 1), 1 - known)
    return Share(session, ring, scale=0, bound=1)


def _signs(d: torch.Tensor, i: int, base: int) -> torch.Tensor:
    """(..., base): sign(u - d_i) for every possible digit u, where d_i is digit i of d."""
    digit = (d >> (_DIGIT * i)) & (base - 1)
    return torch.sign(indices(base, d) - digit[..., None])


def _derive(r: torch.Tensor, r2: torch.Tensor, r3: torch.Tensor) -> list[torch.Tensor]:
    """Unit vectors of the digits of r and r2; that of r3 times 1 - 2 s, and s = r63 xor r2's bit 16."""
    s = (logical_shift(r, 63)[..., None] ^ (r2 >> (_SMALL - 1))) & 1
    signed = unit_vectors(r3, _THIRD) * (1 - 2 * s)[..., None]
    return [_digits(r, _FIRST), _digits(r2, _SECOND), signed, s]


def _digits(r: torch.Tensor, count: int) -> torch.Tensor:
    """(..., count, 16): unit vectors of the 4-bit digits of r, lowest first."""
    return torch.stack([unit_vectors(r >> (_DIGIT * i), _BASE) for i in range(count)], dim=-2)
