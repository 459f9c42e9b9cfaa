"""Bring secrets to a common size by secret powers of two (PROTOCOLS.md, section 5).

`leading_power` finds how far each value is below the largest threshold; `normalised` uses it to write a value as
mantissa times a power of two, which is how a result of unknown size leaves the ring: neither column scales nor the
number of leading zeros can be read off what is revealed, only the number itself.
"""

from __future__ import annotations

import math

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.product import product
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share, add_public
from mpcfl.world.session import Session

MANTISSA_BITS = 62
KEPT_BITS = 30  # significant bits of a mantissa; what lies below is filled with uniform noise
MAX_BITS = MANTISSA_BITS - (MANTISSA_BITS - KEPT_BITS) // 2  # 46: of a ring value that `normalised` takes


def leading_power(x: Share, thresholds: torch.Tensor, step: int) -> Protocol:
    """(power, count, reached) for x >= 0 and falling public ring thresholds (K,), each 2^step times the next.

    count (integers): how many of the first K - 1 thresholds x does not reach; power = 2^(step * count), so that
    x * power reaches the first threshold; reached: the bit [x >= last threshold]. Cost: that of `at_least`.
    """
    reached = yield from at_least(x, thresholds)
    return _power(reached, step)


def leading_power_signed(x: Share, thresholds: torch.Tensor, step: int) -> Protocol:
    """The same for |x|, with both signs of each threshold."""
    both = yield from at_least(x, torch.cat([thresholds, 1 - thresholds]))
    k = thresholds.shape[0]
    reached = both[..., :k] - both[..., k:] + 1.0  # x >= theta or x <= -theta
    return _power(reached, step)


def _power(reached: Share, step: int) -> tuple[Share, Share, Share]:
    missed = -(reached[..., :-1] - 1.0)
    levels = missed.shape[-1]
    growth = [(1 << (step * (k + 1))) - (1 << (step * k)) for k in range(levels)]
    weights = torch.tensor(growth, dtype=torch.int64, device=missed._ring.device)
    power = Share(
        missed.session,
        add_public(missed.session, (missed._ring * weights).sum(-1), torch.ones(missed.shape[:-1], dtype=torch.int64)),
        scale=0,
        bound=2.0 ** (step * levels),
    )
    return power, missed.sum(-1).within(levels), reached[..., -1].within(1)


def normalised(x: Share, exponent: Share) -> Protocol:
    """(mantissa, exponent') with x * 2^exponent = mantissa * 2^exponent', both to be revealed together.

    x: |ring value| < 2^46 by its bound; `exponent`: integers. mantissa: scale 62, 1/4 <= |mantissa| < 1 (below that only
    where x is zero to its precision), KEPT_BITS significant bits, noise from the dealer below. Cost: 4 rounds.
    """
    session, shape = x.session, x.shape
    bits = x.scale + math.ceil(math.log2(x.bound))
    if bits > MAX_BITS:
        raise ValueError(f"normalised takes {MAX_BITS} bits, not {bits}: truncate first")
    thresholds = torch.tensor([1 << k for k in range(bits - 2, -1, -2)])
    power, count, _ = yield from leading_power_signed(x, thresholds, 2)
    fill = MANTISSA_BITS - bits
    masks = ((1 << fill) - 1, (1 << (MANTISSA_BITS - KEPT_BITS)) - 1)
    recipe = Recipe("noise", [shape, shape], [shape, shape], lambda m: [m[0] & masks[0], m[1] & masks[1]])
    _, (inner, outer) = deal(session, recipe)
    wide = Share(session, (x._ring << fill) + inner - _half(session, fill), scale=MANTISSA_BITS, bound=1.0)
    scaled = yield from product(wide, power)
    mantissa = Share(session, scaled._ring + outer, scale=MANTISSA_BITS, bound=1.0)
    return mantissa, exponent - count * 2 + float(bits - x.scale)


def _half(session: Session, fill: int) -> int:
    """What centres the inner noise, subtracted by one party."""
    return 1 << (fill - 1) if session.rank == 0 else 0
