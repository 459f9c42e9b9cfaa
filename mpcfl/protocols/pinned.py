"""Pinned matrix: mask X once and use it many times (PROTOCOLS.md, section 1).

`pinned = Pinned(X)` draws the mask A; `pinned.opening()` opens E = X - A, once. Every product after that opens its
other factor only. Products may share the round of the opening: `together(session, p.opening(), p.square())`.
"""

from __future__ import annotations

import torch

from mpcfl.offline.dealing import Recipe, deal
from mpcfl.protocols.rounds import Protocol, run
from mpcfl.protocols.turns import CASES, away, missing
from mpcfl.ring.blank import blank
from mpcfl.ring.product import gram, keep, matmul, matmul_pair, matmul_pair_t, matmul_t
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public

STRETCH = 1 << 23  # elements that are opened at a time


class Pinned:
    """X (n, d), shared, with its mask. The dealer alone knows the mask A as a whole, and no opened value."""

    def __init__(self, x: Share) -> None:
        self.x, self.session = x, x.session
        self._whole_mask: torch.Tensor | None = None  # at the dealer only
        (mask,), _ = deal(self.session, Recipe("pin", [x.shape], [], self._keep))
        self._mask: torch.Tensor | None = mask  # until it has been used
        self._opened: torch.Tensor | None = None

    @classmethod
    def opened(cls, x: Share) -> Pinned:
        """X, pinned and open; a large one in stretches of rows, so that no more than X and E lie in memory.
        Cost: n d elements; a round for each 2^23 of them."""
        session, rows = x.session, max(1, STRETCH // x.shape[1])
        pieces: list[Pinned] = []
        e = torch.empty(x.shape, dtype=torch.int64, device=session.device) if session.holds_shares else blank(x.shape)
        for start in range(0, x.shape[0], rows):
            piece = cls(x[start : start + rows])
            run(session, piece.opening())
            if x.shape[0] <= rows:
                return piece
            if session.holds_shares:
                e[start : start + rows] = piece._e
                piece._opened = None
            pieces.append(piece)
        dealt = [piece._whole_mask for piece in pieces if piece._whole_mask is not None]
        return cls._of(x, e, torch.cat(dealt) if dealt else None)

    @classmethod
    def _of(cls, x: Share, e: torch.Tensor, whole_mask: torch.Tensor | None) -> Pinned:
        pinned = object.__new__(cls)
        pinned.x, pinned.session = x, x.session
        pinned._mask, pinned._opened, pinned._whole_mask = None, e, whole_mask
        keep(x._ring)
        keep(e)
        return pinned

    def _keep(self, masks: list[torch.Tensor]) -> list[torch.Tensor]:
        self._whole_mask = masks[0]
        return []

    def _dealt(self) -> torch.Tensor:
        if self._whole_mask is None:
            raise RuntimeError("only the dealer knows a mask")
        return self._whole_mask

    @property
    def _e(self) -> torch.Tensor:
        if self._opened is None:
            raise RuntimeError("run opening() first, or in the same `together` before its products")
        return self._opened

    def opening(self) -> Protocol:
        """Open E = X - A. Cost: 1 round, n d elements."""
        if self._mask is None:
            raise RuntimeError("a pinned matrix is opened once")
        masked, self._mask = self.x._like(self.x._ring - self._mask, self.x.bound), None
        (self._opened,) = yield [Masked(masked, protocol="pinned matrix")]
        keep(self.x._ring)
        keep(self._opened)

    def _share_of_mask(self) -> torch.Tensor:
        """[A] = [X] - E: nobody need keep what it expanded."""
        return add_public(self.session, self.x._ring, -self._e)

    def times(self, v: Share) -> Protocol:
        """X @ v, v (d, c) or (d,), at the sum of the scales. Cost: 1 round, d c elements; offline n c."""
        product, _ = yield from self._times(v, None)
        return product

    def times_watched(self, v: Share, turn: int) -> Protocol:
        """(X @ v, away ()): away, at scale 0, is 0 where no |v| passes 3/8 of 2^turn, and a random element of the ring
        where one passes 5/8 of it. Cost: that of `times`; offline 4 d c elements more."""
        return (yield from self._times(v, turn + v.scale))

    def _times(self, v: Share, low: int | None) -> Protocol:
        (n, d), session = self.x.shape, self.session

        def derive(masks: list[torch.Tensor]) -> list[torch.Tensor]:
            product = matmul(self._dealt(), masks[0])
            return [product] if low is None else [product, missing(masks[0], low=low, cases=CASES)]

        shapes = [(n, *v.shape[1:])] if low is None else [(n, *v.shape[1:]), (CASES, *v.shape)]
        (b,), (c, *turns) = deal(session, Recipe("pinned product", [v.shape], shapes, derive))
        (delta,) = yield [Masked(v._like(v._ring - b, v.bound), protocol="pinned product")]
        # X v = X delta + E b + A b
        ring = matmul_pair(self.x._ring, delta, self._e, b, c)
        product = Share(session, ring, scale=self.x.scale + v.scale, bound=d * self.x.bound * v.bound)
        if low is None:
            return product, None
        gone = away(session, delta, turns[0], low=low, cases=CASES).sum()
        return product, Share(session, gone, scale=0, bound=0.0)

    def transposed_times(self, u: Share) -> Protocol:
        """X.T @ u, u (n,) or (n, c), at the sum of the scales. Cost: 1 round, n c elements; offline d c."""
        (n, d), session = self.x.shape, self.session
        recipe = Recipe("pinned product", [u.shape], [(d, *u.shape[1:])], lambda m: [matmul_t(self._dealt(), m[0])])
        (b,), (c,) = deal(session, recipe)
        (delta,) = yield [Masked(u._like(u._ring - b, u.bound), protocol="pinned product")]
        ring = matmul_pair_t(self.x._ring, delta, self._e, b, c)
        return Share(session, ring, scale=self.x.scale + u.scale, bound=n * self.x.bound * u.bound)

    def scaled_rows(self, s: Share) -> Protocol:
        """s_i x_ij, s (n,), at the sum of the scales. Cost: 1 round, n elements; offline n d."""
        session = self.session
        recipe = Recipe("scaled rows", [s.shape], [self.x.shape], lambda m: [self._dealt() * m[0][:, None]])
        (b,), (c,) = deal(session, recipe)
        (delta,) = yield [Masked(s._like(s._ring - b, s.bound), protocol="scaled rows")]
        # s x = delta x + b E + b A
        ring = self.x._ring * delta[:, None] + self._e * b[:, None] + c
        return Share(session, ring, scale=self.x.scale + s.scale, bound=self.x.bound * s.bound)

    def rows(self, index: torch.Tensor) -> Pinned:
        """Some rows of X under the same mask, for a mini-batch: nothing is opened. `index` (rows,), public."""
        index = index.to(self.session.own_device)
        whole = None if self._whole_mask is None else torch.index_select(self._whole_mask, 0, index)
        x = self.x._like(torch.index_select(self.x._ring, 0, index), self.x.bound)
        return Pinned._of(x, torch.index_select(self._e, 0, index), whole)

    def square(self) -> Protocol:
        """X @ X for a square X. Nothing more is opened; offline d^2."""
        (d, _), session = self.x.shape, self.session
        _, (c,) = deal(session, Recipe("pinned product", [], [(d, d)], lambda _: [_square(self._dealt())]))
        yield []
        e, a = self._e, self._share_of_mask()
        ring = add_public(session, matmul(e, a, matmul(a, e, c)), matmul(e, e))
        return Share(session, ring, scale=2 * self.x.scale, bound=d * self.x.bound**2)

    def gram(self) -> Protocol:
        """X.T @ X, (d, d). Nothing more is opened; offline d^2, whatever n is."""
        (n, d), session = self.x.shape, self.session
        _, (c,) = deal(session, Recipe("pinned gram", [], [(d, d)], lambda _: [gram(self._dealt())]))
        yield []
        e = self._e
        cross = matmul_t(e, self._share_of_mask())
        ring = add_public(session, cross + cross.T + c, gram(e))
        return Share(session, ring, scale=2 * self.x.scale, bound=n * self.x.bound**2)


def _square(a: torch.Tensor) -> torch.Tensor:
    return matmul(a, a)
