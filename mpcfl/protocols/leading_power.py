"""Bring secrets to a common size by secret powers of two (PROTOCOLS.md, section 5).

`leading_power` finds how far each value is below the largest threshold; `normalised` uses it to write a value as
mantissa times a power of two, which is how a result of unknown size leaves the ring: neither column scales nor the
number of leading zeros can be read off what is revealed, only the number itself.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share, add_public
from mpcfl.world.session import Session

MANTISSA_BITS = 62
KEPT_BITS = 30  # significant bits of a mantissa; what lies below is filled with uniform noise
_OUTER = MANTISSA_BITS - KEPT_BITS
MAX_BITS = MANTISSA_BITS - _OUTER // 2  # 46: of a ring value that `normalised` takes


def leading_power(x: Share, thresholds: torch.Tensor, step: int) -> Protocol:
    """(power, count, reached) for x >= 0 and falling public ring thresholds (K,), each 2^step times the next.

    count (integers): how many of the first K - 1 thresholds x does not reach; power = 2^(step * count), so that
    x * power reaches the first threshold; reached: the bit [x >= last threshold]. Cost: that of `at_least`.
    """
    reached = yield from at_least(x, thresholds)
    return _power(reached, step)


def leading_power_signed(x: Share, thresholds: torch.Tensor, step: int) -> Protocol:
    """The same for |x|, with both signs of each threshold."""
    reached = yield from _reached_signed(x, thresholds)
    return _power(reached, step)


def _reached_signed(x: Share, thresholds: torch.Tensor) -> Protocol:
    both = yield from at_least(x, torch.cat([thresholds, 1 - thresholds]))
    k = thresholds.shape[0]
    return both[..., :k] - both[..., k:] + 1.0  # x >= theta or x <= -theta


def _power(reached: Share, step: int) -> tuple[Share, Share, Share]:
    missed = -(reached[..., :-1] - 1.0)
    levels = missed.shape[-1]
    return _growing(missed, step, 0), missed.sum(-1).within(levels), reached[..., -1].within(1)


def _growing(missed: Share, step: int, first: int) -> Share:
    """2^(step (count - first)), but 0 where count < first, from the bits whose sum is count."""
    levels = missed.shape[-1]
    sizes = [0] * first + [1 << (step * k) for k in range(levels - first + 1)]  # for count = 0, 1, ..., levels
    weights = torch.tensor([b - a for a, b in pairwise(sizes)], dtype=torch.int64, device=missed._ring.device)
    start = torch.full(missed.shape[:-1], sizes[0])
    ring = add_public(missed.session, (missed._ring * weights).sum(-1), start)
    return Share(missed.session, ring, scale=0, bound=sizes[-1])


def normalised(x: Share, exponent: Share) -> Protocol:
    """(mantissa, exponent') with x * 2^exponent = mantissa * 2^exponent', both to be revealed together.

    x: |ring value| < 2^46 by its bound; `exponent`: integers. mantissa: scale 62, 1/4 <= |mantissa| < 1 (below that
    only where x is zero to its precision), KEPT_BITS significant bits, noise from the dealer below. Cost: 4 rounds.
    """
    session, shape = x.session, x.shape
    bits = x.scale + math.ceil(math.log2(x.bound))
    if bits > MAX_BITS:
        raise ValueError(f"normalised takes {MAX_BITS} bits, not {bits}: truncate first")
    thresholds = torch.tensor([1 << k for k in range(bits - 2, -1, -2)])
    reached = yield from _reached_signed(x, thresholds)
    power, count, _ = _power(reached, 2)
    fill = MANTISSA_BITS - bits
    inner, outer, middle = _noise(session, shape, fill)
    wide = Share(session, (x._ring << fill) + inner - _half(session, fill), scale=MANTISSA_BITS, bound=1.0)
    scaling = [product(wide, power)]
    # The inner noise ends at bit 2 count. Where the outer noise does not reach that far, zeros between them would tell
    # count, so 32 bits in the middle take their size from it too.
    if thresholds.shape[0] - 1 > _OUTER // 2:
        scaling.append(product(middle, _growing(-(reached[..., :-1] - 1.0), 2, _OUTER // 2)))
    scaled = yield from parallel(*scaling)
    ring = sum((share._ring for share in scaled), outer)
    return Share(session, ring, scale=MANTISSA_BITS, bound=1.0), exponent - count * 2 + float(bits - x.scale)


def _noise(session: Session, shape: tuple[int, ...], fill: int) -> tuple[torch.Tensor, torch.Tensor, Share]:
    """Uniform in 0..2^fill - 1, and twice in 0..2^32 - 1."""
    masks = ((1 << fill) - 1, (1 << _OUTER) - 1, (1 << _OUTER) - 1)
    recipe = Recipe("noise", [shape] * 3, [shape] * 3, lambda m: [r & mask for r, mask in zip(m, masks, strict=True)])
    _, (inner, outer, middle) = deal(session, recipe)
    return inner, outer, Share(session, middle, scale=MANTISSA_BITS, bound=2.0 ** (_OUTER - MANTISSA_BITS))


def _half(session: Session, fill: int) -> int:
    """What centres the inner noise, subtracted by one party."""
    return 1 << (fill - 1) if session.rank == 0 else 0
