"""Sums of products, where only the sum is wanted: one element of correlated randomness, however many terms."""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public


def inner_product(x: Share, y: Share) -> Protocol:
    """sum_i x_i y_i, (), of shares (n,); the scale is the sum of the scales. Cost: 1 round, 2 n elements; offline 1."""
    session, shape = x.session, x.shape
    if len(shape) != 1 or y.shape != shape:
        raise ValueError(f"an inner product needs two equal shapes (n,), not {shape} and {y.shape}")
    recipe = Recipe("inner product", [shape, shape], [()], lambda m: [(m[0] * m[1]).sum(0)])
    (a, b), (c,) = deal(session, recipe)
    d, e = yield [Masked(x._like(x._ring - a, x.bound)), Masked(y._like(y._ring - b, y.bound))]
    ring = add_public(session, (d * b + e * a).sum(0) + c, (d * e).sum(0))
    return Share(session, ring, scale=x.scale + y.scale, bound=shape[0] * x.bound * y.bound)


def sum_of_squares(x: Share) -> Protocol:
    """sum_i x_i^2, (), of a share (n,), at twice the scale. Cost: 1 round, n elements; offline 1."""
    session, shape = x.session, x.shape
    if len(shape) != 1:
        raise ValueError(f"a sum of squares needs a shape (n,), not {shape}")
    (a,), (c,) = deal(session, Recipe("sum of squares", [shape], [()], lambda m: [_square(m[0])]))
    (d,) = yield [Masked(x._like(x._ring - a, x.bound))]
    ring = add_public(session, 2 * (d * a).sum(0) + c, _square(d))
    return Share(session, ring, scale=2 * x.scale, bound=shape[0] * x.bound**2)


def _square(a: torch.Tensor) -> torch.Tensor:
    return (a * a).sum(0)
