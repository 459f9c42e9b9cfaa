"""A user's own CrypTen code on our shares, with our correlated randomness, our PRG and our connections.

    y = run_crypten(session, lambda: (x.to_crypten() @ w.to_crypten()).relu(), shape=(n, 1), bound=1e3)

What CrypTen computes stays CrypTen's. Above all its truncation: it fails by 2^(64-t) with probability |x| / 2^63 an
element, where `mpcfl.protocols.truncation` never fails; prefer ours where ours will do. All operands need CrypTen's own
scale (16 bits unless configured): the product of two tensors of different scales comes out wrong. And `get_plain_text`
reveals without a ledger: come back to a `Share`, and `reveal` that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpcfl.offline.crypten_provider import crypten_context, serve
from mpcfl.ring.blank import blank
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session

CRYPTEN_SCALE = 16


def run_crypten(
    session: Session,
    program: Callable[[], Any],
    *,
    shape: tuple[int, ...],
    bound: float,
    scale: int = CRYPTEN_SCALE,
) -> Share:
    """What `program()` returns at the compute parties, an arithmetically shared `MPCTensor`, as a share at every party.

    Called by every party: the compute parties run `program`, the dealer serves what it asks for, the others go on.
    shape, scale, bound: of the result, public; ValueError if it has another shape or scale. Cannot be part of a plan:
    what CrypTen will ask for is known only by running it.
    """
    if session.dry_run:
        raise ValueError("a dry run cannot tell what CrypTen code will cost")
    if session.is_compute:
        with crypten_context(session):
            result = Share.from_crypten(session, program(), bound=bound)
        if (result.shape, result.scale) != (tuple(shape), scale):
            raise ValueError(f"CrypTen gave shape {result.shape} at scale {result.scale}, not {shape} at {scale}")
        return result
    if session.is_dealer:
        serve(session)
    return Share(session, blank(tuple(shape)), scale=scale, bound=bound)
