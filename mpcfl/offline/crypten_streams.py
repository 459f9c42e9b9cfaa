"""CrypTen's four random generators on ChaCha20: what it makes zero sharings, local masks and dropout from.

"next" and "prev": in common with the compute party after and before this one (the last is before the first), so that
what one party adds the other subtracts; "local": this party's alone; "global": in common to all compute parties.
"""

from __future__ import annotations

import torch

from mpcfl.ring.prg import KEY_BYTES, Stream, fresh_key
from mpcfl.world.session import Session


class CryptenStreams:
    """The generators of one use of CrypTen. Called by compute parties and dealer alike, which keeps their operation
    numbers in step; the dealer gets none. One message of 32 bytes from rank 0 to each other compute party."""

    def __init__(self, inner: Session) -> None:
        compute, rank = inner.roster.compute, inner.rank
        self._streams: dict[str, Stream] = {}
        self._counts: dict[str, int] = {}
        for party in compute:  # the pair of `party` and the one after it; two parties are two pairs
            operation, after = inner.next_operation(), compute[(party + 1) % len(compute)]
            if rank == party:
                self._streams["next"] = Stream(inner.draw(after, operation).bytes(KEY_BYTES))
            elif rank == after:
                self._streams["prev"] = Stream(inner.draw(party, operation).bytes(KEY_BYTES))
        operation = inner.next_operation()
        if inner.is_compute:
            self._streams["local"] = Stream(fresh_key())
            self._streams["global"] = Stream(_common_key(inner, operation))

    def elements(self, generator: str, size: tuple[int, ...], bits: int) -> torch.Tensor:
        """Uniform integers of `bits` bits (64: of the whole ring), int64, each stretch of a stream once."""
        count = self._counts[generator] = self._counts.get(generator, -1) + 1
        drawn = self._streams[generator].operation(count).elements(size)
        return drawn if bits >= 64 else drawn & ((1 << bits) - 1)


def _common_key(inner: Session, operation: int) -> bytes:
    """A key that rank 0 makes and hands to each other compute party under a pad from their common stream."""
    size = KEY_BYTES
    with_whom = [rank for rank in inner.roster.compute if rank != inner.rank and 0 in (rank, inner.rank)]
    pads = {rank: inner.draw(rank, operation).bytes(size) for rank in with_whom}
    with inner.phase("setup"), inner.protocol("agreement"):
        if inner.rank:
            return _xor(inner.exchange({}, {0: ((size,), torch.uint8)})[0].numpy().tobytes(), pads[0])
        key = fresh_key()
        sends = {rank: torch.frombuffer(bytearray(_xor(key, pad)), dtype=torch.uint8) for rank, pad in pads.items()}
        inner.exchange(sends, {})
        return key


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
