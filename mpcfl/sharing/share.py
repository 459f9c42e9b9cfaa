"""A secret-shared tensor: this party's piece of it, its scale and a bound.

Additive sharing over Z_2^64: x = sum_i [x]_i mod 2^64. A real `a` at scale `s` is the ring element round(a * 2^s).
What is linear happens here, locally and for free; what is not stands in `mpcfl.protocols`. A share has no content in
its `repr`, no truth value, no float, no pickle: `mpcfl.sharing.reveal` is the only exit.

The bound is public: a number that no element of the real value exceeds in absolute value. It follows the arithmetic,
so that a dry run finds a computation that might leave the ring before anything is shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from mpcfl.errors import HeadroomError
from mpcfl.ring.blank import blank
from mpcfl.ring.fixed import encode
from mpcfl.ring.product import bits_of, keep, matmul
from mpcfl.world import _crypten
from mpcfl.world.session import Session

RING_BITS = 64


class Share:
    """One party's share; on a party without shares (dealer, dry run) a tensor of the same shape without content.

    `scale`: fractional bits, at least 0. `bound`: max |real value| that is publicly known. Carried by a CrypTen tensor.
    """

    __slots__ = ("_carrier", "_ring", "bound", "scale", "session")

    def __init__(self, session: Session, ring: torch.Tensor, *, scale: int, bound: float) -> None:
        self.session, self.scale, self.bound = session, scale, float(bound)
        self._ring, self._carrier = ring, _crypten.carry(ring, scale)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._ring.shape)

    @property
    def headroom(self) -> float:
        """Bits left between the bound and 2^63; negative means that the value might wrap."""
        return RING_BITS - 1 - self.scale - math.log2(self.bound) if self.bound > 0 else math.inf

    def _like(self, ring: torch.Tensor, bound: float, scale: int | None = None) -> Share:
        return Share(self.session, ring, scale=self.scale if scale is None else scale, bound=bound)

    # -- linear arithmetic, local ------------------------------------------------------------------------------------

    def __add__(self, other: Share | float | torch.Tensor) -> Share:
        if isinstance(other, Share):
            self._check_scale(other)
            return self._like(self._ring + other._ring, self.bound + other.bound)
        public = encode(other, self.scale, name="a public term")
        size = float(public.abs().max()) / 2.0**self.scale if public.numel() else 0.0
        return self._like(add_public(self.session, self._ring, public), self.bound + size)

    def __sub__(self, other: Share | float | torch.Tensor) -> Share:
        if isinstance(other, Share):
            self._check_scale(other)
            return self._like(self._ring - other._ring, self.bound + other.bound)
        return self + (-other)

    def __neg__(self) -> Share:
        return self._like(-self._ring, self.bound)

    def __mul__(self, factor: int) -> Share:
        """Times a public integer; real factors need `mpcfl.protocols.truncation` afterwards."""
        if not isinstance(factor, int):
            raise TypeError("a share can be multiplied by a public integer only; see mpcfl.protocols for the rest")
        return self._like(self._ring * factor, self.bound * abs(factor))

    def times(self, public: torch.Tensor, *, scale: int = 0, bound: float) -> Share:
        """Elementwise with a public ring tensor at `scale` whose real elements stay within `bound`."""
        return self._like(self._ring * public.to(self._ring.device), self.bound * bound, self.scale + scale)

    def matmul_public(self, public: torch.Tensor, *, scale: int, bound: float) -> Share:
        """[x] @ public: (n, k) times a public ring matrix (k, m) at `scale`, real elements within `bound`."""
        known = public.to(self._ring.device)
        if not known.is_meta:
            keep(known, bits_of(public))  # it may be short, and then takes less
        return self._like(matmul(self._ring, known), self.bound * bound * self.shape[-1], self.scale + scale)

    def divided_by_power(self, bits: int) -> Share:
        """x / 2^bits, free and exact: the same ring elements at a larger scale."""
        return self._like(self._ring, self.bound / 2.0**bits, self.scale + bits)

    def at_scale(self, scale: int) -> Share:
        """The same value at a larger scale, exact."""
        if scale < self.scale:
            raise ValueError("a smaller scale needs mpcfl.protocols.truncation")
        return self._like(self._ring << (scale - self.scale), self.bound, scale)

    def within(self, bound: float) -> Share:
        """The same value with a tighter bound that mathematics gives; say why where it is called."""
        return self._like(self._ring, min(bound, self.bound))

    # -- shape -------------------------------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Share:
        return self._like(self._ring[index], self.bound)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a share without dimensions has no length")
        return self.shape[0]

    @property
    def T(self) -> Share:
        return self._like(self._ring.T, self.bound)

    def reshape(self, *shape: int) -> Share:
        return self._like(self._ring.reshape(*shape), self.bound)

    def expand(self, *shape: int) -> Share:
        return self._like(self._ring.expand(*shape), self.bound)

    def sum(self, dim: int) -> Share:
        return self._like(self._ring.sum(dim), self.bound * self.shape[dim])

    def diagonal(self) -> Share:
        return self._like(self._ring.diagonal(), self.bound)

    # -- CrypTen -----------------------------------------------------------------------------------------------------

    def to_crypten(self) -> Any:
        """A CrypTen `MPCTensor` of a copy of this share; `mpcfl.protocols.crypten_code` says how to compute with it.

        Its `get_plain_text` bypasses the ledger: `reveal` here.
        """
        return _crypten.to_mpc_tensor(self._ring, self.scale)

    @classmethod
    def from_crypten(cls, session: Session, tensor: Any, *, bound: float) -> Share:
        """From an arithmetically shared `MPCTensor`; `bound` as in the class."""
        ring, scale = _crypten.from_mpc_tensor(tensor)
        return cls(session, ring.to(session.device), scale=scale, bound=bound)

    # -- no way out --------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Share(shape={self.shape}, scale={self.scale})"

    def _no(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a share has no value of its own; mpcfl.reveal(share, to=..., reason=...) is the only exit")

    __bool__ = __float__ = __int__ = __iter__ = __array__ = __reduce__ = __reduce_ex__ = __eq__ = __lt__ = _no  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def _check_scale(self, other: Share) -> None:
        if self.scale != other.scale:
            raise ValueError(f"scales differ: {self.scale} and {other.scale}")


def add_public(session: Session, ring: torch.Tensor, public: torch.Tensor | int) -> torch.Tensor:
    """[x] + public: the first compute party adds it; the shape is the broadcast shape everywhere."""
    if session.rank == 0 or session.device.type == "meta":
        return ring + (public.to(ring.device) if isinstance(public, torch.Tensor) else public)
    if isinstance(public, torch.Tensor) and public.shape != ring.shape:
        return ring.expand(np.broadcast_shapes(ring.shape, public.shape))  # torch's own would import sympy, here
    return ring


def concatenate(shares: Sequence[Share], dim: int = 0) -> Share:
    """Join shares of one scale along `dim`."""
    first = shares[0]
    for share in shares[1:]:
        first._check_scale(share)
    return first._like(torch.cat([s._ring for s in shares], dim), max(s.bound for s in shares))


def sum_at(parts: Sequence[Share], places: Sequence[npt.NDArray[np.int64]], length: int) -> Share:
    """(length, ...): the parts' rows added up, row j of part i at `places[i][j]`, which is public; zero elsewhere."""
    every = concatenate(parts)
    index = np.concatenate(places)
    total = zeros(every.session, (length, *every.shape[1:]), scale=every.scale)
    if every.session.holds_shares:
        total._ring.index_add_(0, torch.from_numpy(index).to(total._ring.device), every._ring)
    return total._like(total._ring, every.bound * (np.bincount(index).max() if len(index) else 0))


def zeros(session: Session, shape: tuple[int, ...], *, scale: int) -> Share:
    """A sharing of zero in which every share is zero: a start for sums, hides nothing."""
    ring = torch.zeros(shape, dtype=torch.int64, device=session.device) if session.holds_shares else blank(shape)
    return Share(session, ring, scale=scale, bound=0.0)


def require_headroom(share: Share, bits: int, what: str) -> None:
    """HeadroomError unless |ring value| < 2^bits by the public bound; raised in the dry run, before any data move."""
    missing = share.scale + math.log2(share.bound) - bits if share.bound > 0 else -math.inf
    share.session.headroom = min(share.session.headroom, -missing)
    if missing > 0:
        raise HeadroomError(
            f"{what} might need {math.ceil(missing)} bits more than the ring has",
            hint="use fewer steps or a smaller bound",
        )
