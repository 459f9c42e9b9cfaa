"""Pinned matrix: mask X once and use it many times (PROTOCOLS.md, section 1).

`pinned = Pinned(X)` draws the mask A; `pinned.opening()` opens E = X - A, once. Every product after that opens its
other factor only. Products may share the round of the opening: `together(session, p.opening(), p.square())`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from mpcfl.offline.dealing import Recipe, at_a_time, deal
from mpcfl.protocols.ahead import LONGEST, Ahead
from mpcfl.protocols.rounds import Protocol, run
from mpcfl.protocols.turns import CASES, away, missing
from mpcfl.ring.blank import blank
from mpcfl.ring.product import gram, keep, matmul, matmul_pair, matmul_pair_t, matmul_t
from mpcfl.sharing.opening import Masked
from mpcfl.sharing.share import Share, add_public
from mpcfl.world.session import Session

STRETCH = 1 << 23  # elements that are opened at a time


Shape = tuple[int, ...]


class _Use(NamedTuple):
    """[b]; [A b], to which E [b] has been added where it is `whole`; and shares for `away` where b is watched."""

    mask: torch.Tensor
    rest: torch.Tensor
    missing: torch.Tensor | None
    whole: bool


class Pinned:
    """X (n, d), shared, with its mask. The dealer alone knows the mask A as a whole, and no opened value."""

    def __init__(self, x: Share) -> None:
        self.x, self.session, self.ahead = x, x.session, _ahead(x.session)
        self._part: tuple[Pinned, torch.Tensor] | None = None  # of which matrix this is which rows
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
    def _of(cls, x: Share, e: torch.Tensor | None, whole_mask: torch.Tensor | None) -> Pinned:
        pinned = object.__new__(cls)
        pinned.x, pinned.session, pinned.ahead, pinned._part = x, x.session, _ahead(x.session), None
        pinned._mask, pinned._opened, pinned._whole_mask = None, e, whole_mask
        keep(x._ring)
        if e is not None:
            keep(e)
        return pinned

    def _keep(self, masks: list[torch.Tensor]) -> list[torch.Tensor]:
        self._whole_mask = masks[0]
        return []

    def _dealt(self) -> torch.Tensor:
        if self._whole_mask is None and self._part is not None:
            whole, index = self._part
            self._whole_mask = torch.index_select(whole._dealt(), 0, index)
        if self._whole_mask is None:
            raise RuntimeError("only the dealer knows a mask")
        return self._whole_mask

    @property
    def _is_open(self) -> bool:
        return self._opened is not None or (self._part is not None and self._part[0]._is_open)

    @property
    def _e(self) -> torch.Tensor:
        if self._opened is None and self._part is not None:
            whole, index = self._part
            self._opened = torch.index_select(whole._e, 0, index)
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
        product, delta, use = yield from self._product(v, transposed=False, low=low)
        if low is None or use.missing is None:
            return product, None
        gone = away(self.session, delta, use.missing, low=low, cases=CASES).sum()
        return product, Share(self.session, gone, scale=0, bound=0.0)

    def transposed_times(self, u: Share) -> Protocol:
        """X.T @ u, u (n,) or (n, c), at the sum of the scales. Cost: 1 round, n c elements; offline d c."""
        product, *_ = yield from self._product(u, transposed=True, low=None)
        return product

    def _product(self, v: Share, *, transposed: bool, low: int | None) -> Protocol:
        """(X @ v or X.T @ v, v - b, the use)."""
        if v.shape[0] != self.x.shape[0 if transposed else 1]:
            raise ValueError(f"no product of shapes {self.x.shape} and {v.shape}")
        n, d = self.x.shape
        use: _Use = self.ahead.take(
            (transposed, low, v.shape),
            (n, d),
            v.shape[1] if len(v.shape) > 1 else 1,
            lambda m: self._uses(v.shape, m if self._is_open else 1, transposed, low),
        )
        (delta,) = yield [Masked(v._like(v._ring - use.mask, v.bound), protocol="pinned product")]
        # X v = X delta + E b + A b
        if use.whole:
            ring = (matmul_t if transposed else matmul)(self.x._ring, delta, use.rest)
        else:
            pair = matmul_pair_t if transposed else matmul_pair
            ring = pair(self.x._ring, delta, self._e, use.mask, use.rest)
        bound = v.shape[0] * self.x.bound * v.bound
        return Share(self.session, ring, scale=self.x.scale + v.scale, bound=bound), delta, use

    def _uses(self, shape: Shape, count: int, transposed: bool, low: int | None) -> list[_Use]:
        """`count` uses for factors of this shape. Several are columns of one product."""
        multiply, length = (matmul_t if transposed else matmul), self.x.shape[1 if transposed else 0]
        columns = (count * shape[1],) if len(shape) > 1 else (count,) if count > 1 else ()

        def derive(masks: list[torch.Tensor]) -> list[torch.Tensor]:
            product = multiply(self._dealt(), masks[0])
            return [product] if low is None else [product, missing(masks[0], low=low, cases=CASES)]

        derived: list[Shape] = [(length, *columns)]
        derived += [] if low is None else [(CASES, shape[0], *columns)]
        recipe = Recipe("pinned product", [(shape[0], *columns)], derived, derive)
        (masks,), (products, *turns) = deal(self.session, recipe)
        watched = turns[0] if turns else None
        if count == 1:
            return [_Use(masks, products, watched, whole=False)]
        rest, places = multiply(self._e, masks, products), _places(shape, count)
        return [_Use(masks[:, i], rest[:, i], None if watched is None else watched[:, :, i], True) for i in places]

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
        """Some rows of X under the same mask, for a mini-batch: nothing is opened, and E and A are looked up when they
        are needed. `index` (rows,), public."""
        index = index.to(self.session.own_device)
        pinned = Pinned._of(self.x._like(torch.index_select(self.x._ring, 0, index), self.x.bound), None, None)
        pinned._part = self, index
        return pinned

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


def _places(shape: Shape, count: int) -> Sequence[int | slice]:
    """Of the uses, among columns that lie side by side."""
    return [slice(i * shape[1], (i + 1) * shape[1]) for i in range(count)] if len(shape) > 1 else range(count)


def _ahead(session: Session) -> Ahead:
    return Ahead(longest=at_a_time(session, LONGEST))
