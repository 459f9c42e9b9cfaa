"""Elementwise products of two secrets, and the scaling D R D of a matrix by a secret diagonal (Beaver, CRYPTO '91)."""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public


def product(x: Share, y: Share) -> Protocol:
    """x * y elementwise, same shapes; the scale is the sum of the scales (no truncation).

    Cost: 1 round, 2 elements each; offline 1 element each.
    """
    session, shape = x.session, x.shape
    if y.shape != shape:  # broadcasting would hide several elements under one mask
        raise ValueError(f"a product needs equal shapes, not {shape} and {y.shape}: expand the smaller one")
    (a, b), (c,) = deal(session, Recipe("product", [shape, shape], [shape], lambda m: [m[0] * m[1]]))
    d, e = yield [Masked(x._like(x._ring - a, x.bound)), Masked(y._like(y._ring - b, y.bound))]
    ring = add_public(session, d * b + e * a + c, d * e)
    return Share(session, ring, scale=x.scale + y.scale, bound=x.bound * y.bound)


def congruence(matrix: Share, diagonal: Share) -> Protocol:
    """D R D: R (d, d), D = diag(p), p (d,): each element is R_ij p_i p_j, exact in the ring.

    Bound and scale: those of R times those of p twice; callers who know better say so by `within`.
    Cost: 1 round, d^2 + d elements; offline 4 d^2.
    """
    session, (d, _) = matrix.session, matrix.shape
    square = (d, d)
    if matrix.shape != square or diagonal.shape != (d,):
        raise ValueError(f"a congruence needs shapes (d, d) and (d,), not {matrix.shape} and {diagonal.shape}")
    recipe = Recipe("congruence", [square, (d,)], [square] * 4, lambda m: _derive(m[0], m[1]))
    (a, b), (bb, a_row, a_col, a_bb) = deal(session, recipe)
    masked = [
        Masked(matrix._like(matrix._ring - a, matrix.bound)),
        Masked(diagonal._like(diagonal._ring - b, diagonal.bound)),
    ]
    e, delta = yield masked
    row, col = delta[:, None], delta[None, :]
    shared = e * (row * b[None, :] + b[:, None] * col + bb) + row * col * a + row * a_col + col * a_row + a_bb
    ring = add_public(session, shared, e * row * col)
    bound = matrix.bound * diagonal.bound**2
    return Share(session, ring, scale=matrix.scale + 2 * diagonal.scale, bound=bound)


def _derive(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """[b_i b_j, A_ij b_i, A_ij b_j, A_ij b_i b_j]."""
    bb = b[:, None] * b[None, :]
    return [bb, a * b[:, None], a * b[None, :], a * bb]
