"""Sigmoid in one opening (PROTOCOLS.md, section 3).

z matters modulo the period of the series only, so z - r is opened modulo a turn in 32-bit words, and
sin(k z) = sin(k delta) cos(k r) + cos(k delta) sin(k r) is linear in what the dealer shared. The low bits of z are
dropped share by share, which errs by less than one unit of 2^-scale for each party.

The same tuples give the guard, at no cost: how many rows have left the range in which the series is the sigmoid.
"""

from __future__ import annotations

import numpy as np
import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.harmonics import ANGLE_BITS, Series, waves
from mpcfl.protocols.rounds import Protocol
from mpcfl.protocols.truncation import logical_shift
from mpcfl.ring.blank import blank
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public

GUARD_SCALE = 16


def sigmoid(
    z: Share, series: Series, *, table_scale: int, scale: int, factor: float = 1.0, slope: bool = False
) -> Protocol:
    """(factor * sigmoid(z), guard), both (n,); with `slope` (factor * sigmoid(z), guard, factor * sigmoid'(z)).

    The first and the last at table_scale + scale, not truncated: the next product takes it as it is. guard at
    table_scale + 16: 0 for a row within half the range, 1/2 at its end, 1 from 1.3 times it. z: any scale from that of
    the series up. `factor`: public, worked into the coefficients. Cost: 1 round, 4 bytes each; offline 2 terms elements
    each. The slope costs no more.
    """
    session, shape, terms = z.session, z.shape, series.terms
    wave_shape = (terms, *shape)
    recipe = Recipe("sigmoid", [shape], [wave_shape, wave_shape], lambda m: _tables(m[0], terms, table_scale))
    (r,), (cosines, sines) = deal(session, recipe)
    word = logical_shift(z._ring, z.scale - series.scale) if z.scale > series.scale else z._ring
    (delta,) = yield [Masked(Share(session, word - r, scale=series.scale, bound=1.0), ANGLE_BITS, "sigmoid")]
    value = guard = steep = blank(shape)
    if session.holds_shares:  # many small operations: parties that learn shapes only are spared them
        sin_d, cos_d = waves(delta, terms)
        value = _combine(sin_d, cosines, factor * series.sigmoid(), scale)
        value = value + _combine(cos_d, sines, factor * series.sigmoid(), scale)
        guard = _combine(sin_d, sines, series.guard() / 2, GUARD_SCALE)
        guard = guard - _combine(cos_d, cosines, series.guard() / 2, GUARD_SCALE)
        if slope:
            steep = _combine(cos_d, cosines, factor * series.slope(), scale)
            steep = steep - _combine(sin_d, sines, factor * series.slope(), scale)
        value = add_public(session, value, _full(shape, round(factor * 2.0 ** (table_scale + scale - 1))))
        guard = add_public(session, guard, _full(shape, 1 << (table_scale + GUARD_SCALE - 1)))
    found = (
        Share(session, value, scale=table_scale + scale, bound=1.1 * abs(factor)),
        Share(session, guard, scale=table_scale + GUARD_SCALE, bound=1.1),
    )
    return (*found, Share(session, steep, scale=table_scale + scale, bound=0.3 * abs(factor))) if slope else found


def _full(shape: tuple[int, ...], value: int) -> torch.Tensor:
    return torch.full(shape, value, dtype=torch.int64)


def _combine(wave: torch.Tensor, table: torch.Tensor, coefficients: np.ndarray, scale: int) -> torch.Tensor:
    """sum_k round(c_k wave_k 2^scale) table_k: public integers times shares."""
    c = torch.from_numpy(coefficients * 2.0**scale).to(wave.device).reshape(-1, *[1] * (wave.dim() - 1))
    public = (c * wave).round().to(torch.int64)
    return (public * table).sum(0)


def _tables(r: torch.Tensor, terms: int, scale: int) -> list[torch.Tensor]:
    """cos(k r), sin(k r) for odd k at `scale`, (terms, ...) each; r uniform modulo a turn, so rounding has no bias."""
    sines, cosines = waves(r & ((1 << ANGLE_BITS) - 1), terms)
    return [(wave * 2.0**scale).round().to(torch.int64) for wave in (cosines, sines)]
