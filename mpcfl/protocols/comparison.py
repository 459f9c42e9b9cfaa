"""Secure comparison in three rounds, for any number of parties.

[x >= theta] is the sign bit of x - theta. With c = x + r opened and d = c - theta public, x - theta = d - r, whose sign
bit is d63 xor r63 xor borrow, and the borrow says whether r is larger than d on the low 63 bits. Digit by digit (16
digits of 4 bits, unit vectors from the dealer) each party computes locally a share of sign(r_i - d_i), and
Z = sum_i 2^i sign(r_i - d_i) has the sign of the first digit that differs. So a comparison of 63 bits has become one
of 17; the same once more leaves 5 bits, which one lookup settles together with the two sign bits of the masks.

One opening of x serves any number of thresholds.
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.lookup import lookup, unit_vectors
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.truncation import logical_shift
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public, require_headroom

_DIGIT, _BASE = 4, 16
_FIRST, _SECOND = 16, 4  # digits of 64 bits, of the low 16 of 17 bits
_SMALL = 17  # bits of Z, sign included


def at_least(x: Share, thresholds: torch.Tensor) -> Protocol:
    """Bits [x >= theta_k], scale 0, shape x.shape + (K,), for public ring elements `thresholds` (K,) at x's scale.

    Needs |x - theta| < 2^63 by the bound of x, else HeadroomError. Cost: 3 rounds, 8 bytes an element of x and 5 bytes
    a threshold; offline 256 elements an element of x and 193 a threshold.
    """
    session = x.session
    shape = (*x.shape, thresholds.shape[0])
    widest = max(map(abs, thresholds.tolist()), default=0) / 2.0**x.scale
    require_headroom(x._like(x._ring, x.bound + widest), 63, "a difference to be compared")
    recipe = Recipe("comparison", [x.shape], [(*x.shape, _FIRST, _BASE)], lambda m: [_digits(m[0], _FIRST)])
    (r,), (units,) = deal(session, recipe)
    (c,) = yield [Masked(x._like(x._ring + r, x.bound), protocol="comparison")]
    d = c[..., None] - thresholds.to(c.device)

    z = torch.zeros(shape, dtype=torch.int64, device=c.device)
    top = units[..., _FIRST - 1, :]
    halves = top[..., : _BASE // 2] + top[..., _BASE // 2 :]  # without bit 63
    for i in range(_FIRST - 1):
        z = z + (_signs(d, i, _BASE) * units[..., None, i, :]).sum(-1) * (1 << i)
    z = z + (_signs(d, _FIRST - 1, _BASE // 2) * halves[..., None, :]).sum(-1) * (1 << (_FIRST - 1))
    r63 = top[..., None, _BASE // 2 :].sum(-1)

    small = [(*shape, _SECOND, _BASE), shape]
    (r2,), (units2, r16) = deal(session, Recipe("comparison", [shape], small, lambda m: _derive_small(m[0])))
    (c2,) = yield [Masked(Share(session, r2 - z, scale=0, bound=1 << 16), 32, "comparison")]
    z2 = torch.zeros(shape, dtype=torch.int64, device=c.device)
    for i in range(_SECOND):
        z2 = z2 + (_signs(c2, i, _BASE) * units2[..., i, :]).sum(-1) * (1 << i)

    code = add_public(session, z2 + (r16 << 5) + (r63 << 6), torch.full(shape, 16, device=c.device))
    flipped = yield from lookup(Share(session, code, scale=0, bound=127), _SETTLE)
    known = logical_shift(d, 63) ^ ((c2 >> (_SMALL - 1)) & 1)
    # negative = known xor flipped, and the result is its complement
    ring = add_public(session, flipped._ring * (2 * known - 1), 1 - known)
    return Share(session, ring, scale=0, bound=1)


def _signs(d: torch.Tensor, i: int, base: int) -> torch.Tensor:
    """(..., base): sign(u - d_i) for every possible digit u, where d_i is digit i of d."""
    digit = (d >> (_DIGIT * i)) & (base - 1)
    return torch.sign(torch.arange(base, device=d.device) - digit[..., None])


def _digits(r: torch.Tensor, count: int) -> torch.Tensor:
    """(..., count, 16): unit vectors of the 4-bit digits of r, lowest first."""
    return torch.stack([unit_vectors(r >> (_DIGIT * i), _BASE) for i in range(count)], dim=-2)


def _derive_small(r: torch.Tensor) -> list[torch.Tensor]:
    return [_digits(r, _SECOND), (r >> (_SMALL - 1)) & 1]


def _settle_table() -> torch.Tensor:
    """128 entries: r63 xor r16 xor [z > 0], at index (z + 16) + 32 r16 + 64 r63."""
    code = torch.arange(128)
    return ((code >> 6) & 1) ^ ((code >> 5) & 1) ^ ((code & 31) > 16).to(torch.int64)


_SETTLE = _settle_table()
