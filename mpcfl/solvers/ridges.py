"""Another ridge penalty than the one that shared moments have, at a secret scale: a table read at the exponents."""

from __future__ import annotations

from dataclasses import replace

import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.protocols.lookup import lookup
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share, concatenate, zeros

_TABLE = 128  # of e_j, which is from -63 to 63


def penalised(moments: Standardised, gram: Share, l2: float, shared: float) -> Protocol:
    """`moments` with this Gram matrix (D, D), of which `shared`, the penalty that was shared beside the mean of the
    squared errors, is exchanged for `l2`, which is no larger. Cost: none if both are 0, else 1 round, d bytes."""
    if not shared:
        return replace(moments, gram=gram)
    d = moments.features
    unit = 2.0**GRAM_SCALE / d
    sizes = [min(1.0, l2 * 4.0**-e) - min(1.0, shared * 4.0**-e) for e in range(-_TABLE // 2, _TABLE // 2)]
    found = yield from lookup(
        moments.exponent[:d] + float(_TABLE // 2), torch.tensor([round(unit * size) for size in sizes])
    )
    less = Share(found.session, found._ring, scale=GRAM_SCALE, bound=1.0 / d)
    diagonal = concatenate([less, zeros(less.session, (1,), scale=GRAM_SCALE)]).reshape(1, -1)
    whole = gram + diagonal.times(torch.eye(d + 1, dtype=torch.int64), bound=1.0)
    return replace(moments, gram=whole.within(gram.bound))
