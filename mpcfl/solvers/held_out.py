"""The rows that stay out of training: under the mask of the others, and multiplied once, by the weights at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpcfl.errors import HeadroomError
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share

_WEIGHT_SCALE = 20
_LEAST = 10
_BITS = 60  # of a score: less than every metric can take


@dataclass(frozen=True, slots=True)
class HeldOut:
    """x (m, d'), pinned; offset (m,) or None; target (m,): what predictions are compared with."""

    x: Pinned
    offset: Share | None
    target: Share

    def scores(self, w: Share) -> Protocol:
        """z = X w + offset (m,), w (d',) with the intercept last, rounded to 20 bits or to what its bound leaves; or
        (m, columns) for w (d', columns).

        HeadroomError: fewer than 10 bits are left. Cost: 2 rounds, twice the elements of w and, with an offset, m.
        """
        x, offset = self.x, None if self.offset is None else self._offset(self.offset)
        largest = x.x.shape[1] * x.x.bound * w.bound + (0.0 if offset is None else offset.bound)
        scale = min(_WEIGHT_SCALE, w.scale - 1, _BITS - x.x.scale - math.ceil(math.log2(1.01 * largest + 1)))
        if scale < _LEAST:
            raise HeadroomError(
                f"scores of held-out rows would have weights of {scale} bits",
                hint="use fewer iterations, or a smaller [solver] weight_bound",
            )
        rounding = [truncation(w, w.scale - scale)]
        if offset is not None:
            rounding.append(truncation(offset, offset.scale - scale - x.x.scale))
        short, *shift = yield from parallel(*rounding)
        z = yield from x.times(short)
        if not shift:
            return z
        return z + (shift[0] if len(z.shape) == 1 else shift[0].reshape(-1, 1).expand(*z.shape))

    @staticmethod
    def _offset(offset: Share) -> Share:
        """Its owner has encoded it, which refuses what does not fit 62 bits."""
        return offset.within(2.0 ** (62 - offset.scale))
