"""exp of fixed-point numbers, the same to the last bit on every device.

A library's exp may be another in its last bit from one device to the next: a public factor would then be rounded
differently by two parties, and their shares be wrong by a whole one. Here are only integer operations, float64 products
and sums, one at a time, and entries of a table.

With m the integer next to 32 x / ln 2, exp(x) = 2^(m / 32) exp(x - m ln 2 / 32), and the last exponent is at most
ln 2 / 64 in size. ln 2 is in two parts, of which the first has 32 bits, so that its multiple and the difference from x
are exact (Cody and Waite; the parts are those of FreeBSD's e_exp.c).
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache

import torch

from mpcfl.ring.waves import horner

LARGEST = 32  # of |x|
_PARTS = 32
_HIGH, _LOW = (float.fromhex(part) / _PARTS for part in ("0x1.62e42feep-1", "0x1.a39ef35793c76p-33"))
_TAYLOR = tuple(1 / math.factorial(k) for k in range(7))  # 2^-58 is left at ln 2 / 64
_SHIFT = 48
_MOST = math.ceil(LARGEST * _PARTS / math.log(2))  # of |m|


def exp(units: torch.Tensor, scale: int) -> torch.Tensor:
    """exp(units / 2^scale), float64, of integers with |units| / 2^scale <= 32, 0 <= scale <= 32.

    Relative error below 2^-51. Cost: local, some twenty passes over memory.
    """
    inverse = round(_PARTS / math.log(2) * 2.0 ** (_SHIFT - scale))
    m = (units * inverse + (1 << (_SHIFT - 1))) >> _SHIFT
    whole = m.to(torch.float64)
    rest = (units.to(torch.float64) * 2.0**-scale - whole * _HIGH) - whole * _LOW
    return horner(rest, _TAYLOR) * entries(_powers(), m + _MOST)


def entries(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """table[places], of a table (n,) that is kept on the CPU, where the places (...) are."""
    return table.to(places.device).index_select(0, places.reshape(-1)).reshape(places.shape)


def exact(x: Decimal) -> float:
    """The float64 nearest to exp(x)."""
    with localcontext() as context:
        context.prec = 40
        return float(x.exp())


@cache
def _powers() -> torch.Tensor:
    """2^(m / 32) for m = -_MOST, ..., _MOST, the nearest float64s; on the CPU, one for all streams of all devices."""
    with localcontext() as context:
        context.prec = 40
        roots = [float(Decimal(2) ** (Decimal(j) / _PARTS)) for j in range(_PARTS)]
    every = (divmod(m, _PARTS) for m in range(-_MOST, _MOST + 1))
    return torch.tensor([math.ldexp(roots[j], e) for e, j in every], dtype=torch.float64)
