"""One party's place in a run: who the others are, how to reach them, which keys are shared with whom.

Every party executes the *same program*. What differs is what a session does with it:

- a compute party holds shares and talks to the other compute parties;
- the dealer meets every request for correlated randomness in the same order and sends corrections; it holds no
  share, and in its program shares are tensors without content (`mpcfl.ring.blank`), so it learns shapes only;
- a data owner who does not compute sends its inputs and then likewise sees shapes until the result is revealed;
- a dry run (`Session.dry`) sends nothing and counts: it is the plan, and equals the run by construction.

Keys: each linked pair agrees on one 256-bit key by X25519 (RFC 7748), so that a reader of the wire does not learn it
even where TLS is off; its ChaCha20 stream is used under operation numbers that only grow, so no stretch of a stream is
used twice.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from mpcfl.errors import AgreementError, SetupError
from mpcfl.ring.prg import CPU, Draw, Stream, derive
from mpcfl.world.cluster import Cluster
from mpcfl.world.footprint import Footprint
from mpcfl.world.meter import Meter
from mpcfl.world.party import Roster
from mpcfl.world.staging import Staging
from mpcfl.world.wire import DryWire, Expected, Wire

META = torch.device("meta")
_DIGEST_BYTES = 32


class Session:
    """A party in a run. Make one with `Session.join` (mpcfl.world.join) or `Session.dry`.

    `own_device`: where this party computes or deals (an owner who does neither: the CPU). `device`: where its shares
    are: there too, or nowhere (torch's meta device) at a party without shares.
    """

    def __init__(self, roster: Roster, rank: int, wire: Wire, *, device: str | torch.device = CPU) -> None:
        self.roster, self.rank, self.wire = roster, rank, wire
        self.dry_run = isinstance(wire, DryWire)
        self.device = META if self.dry_run or rank not in roster.compute else torch.device(device)
        self.own_device = torch.device(device) if self.is_compute or self.is_dealer else CPU
        self.cluster: Cluster | None = None  # by which openings go, where all agreed that they do not go over the wire
        self._staging = None if self.dry_run or self.own_device == CPU else Staging(self.own_device)
        self.meter = Meter()
        self.footprint = Footprint()  # in a dry run
        self.ledger: list[dict[str, Any]] = []
        self.headroom = math.inf  # bits left at the tightest place so far; public, and the same in a dry run
        self.decisions: list[bool] = []  # revealed, and gone by (mpcfl.sharing.decide)
        self.script: list[bool] = []  # in a dry run: the decisions to go by
        self.news = ""  # public: what a person should see of the work that goes on, besides how far it is
        self.on_step: Callable[[str, int, int], None] | None = None
        self.on_reveal: Callable[[dict[str, Any]], None] | None = None  # gets each ledger entry before its value leaves
        self._streams: dict[int, Stream] = {}
        self._operation = 0

    @classmethod
    def dry(cls, roster: Roster, rank: int, script: Sequence[bool] = ()) -> Session:
        """A session that sends nothing and counts what a run would send; `script`: the decisions of that run."""
        session = cls(roster, rank, DryWire())
        session.script = list(script)
        return session

    def __repr__(self) -> str:
        return f"Session({self.name}, rank {self.rank} of {self.roster.size})"

    @property
    def name(self) -> str:
        return self.roster.names[self.rank]

    @property
    def is_compute(self) -> bool:
        return self.rank in self.roster.compute

    @property
    def is_dealer(self) -> bool:
        return self.rank == self.roster.dealer

    @property
    def holds_shares(self) -> bool:
        """Whether shares have content here: at compute parties, outside a dry run."""
        return self.is_compute and not self.dry_run

    def agree(self, digest: bytes) -> None:
        """Compare `digest` (of job and version) with every peer and derive the pair keys; one round.

        AgreementError names the party that differs; nothing has been shared by then.
        """
        own = hashlib.sha256(digest + b"|gpus" * self.roster.gpus).digest()  # what is dealt at a time depends on it
        secrets = {peer: X25519PrivateKey.generate() for peer in self.roster.peers(self.rank)}
        public = {peer: secret.public_key().public_bytes_raw() for peer, secret in secrets.items()}
        sends = {peer: _bytes_tensor(own + key) for peer, key in public.items()}
        size = _DIGEST_BYTES + 32
        with self.protocol("agreement"):
            received = self.exchange(sends, dict.fromkeys(secrets, ((size,), torch.uint8)))
        if self.dry_run:
            return
        for peer, message in received.items():
            theirs = bytes(message.numpy().tobytes())
            if theirs[:_DIGEST_BYTES] != own:
                raise AgreementError(
                    f"{self.name} and {self.roster.names[peer]} do not run the same job and version of mpcfl",
                    hint="give all parties the same job file (local paths may differ) and release of mpcfl: the last "
                    "line of mpcfl plan is then the same",
                )
            common = secrets[peer].exchange(X25519PublicKey.from_public_bytes(theirs[_DIGEST_BYTES:]))
            low, high = sorted(((self.rank, public[peer]), (peer, theirs[_DIGEST_BYTES:])))
            key = derive(common, "pair", own, low[0], low[1], high[0], high[1])
            self._streams[peer] = Stream(key, self.own_device)

    def publish(self, data: bytes) -> list[bytes]:
        """Every party's `data` by rank: public facts such as schemas. Four rounds of phase setup, never in a plan.

        Parties without a link to each other (dealer, data owners) hear of each other through rank 0.
        """
        with self.phase("setup"), self.protocol("publish"):
            known = {self.rank: data, **self._swap(dict.fromkeys(self.roster.peers(self.rank), data))}
            beyond = [rank for rank in range(self.roster.size) if rank not in self.roster.compute]
            if self.rank == 0:
                self._swap({rank: _pack([known[r] for r in beyond]) for rank in beyond}, receive=())
            elif not self.is_compute:
                known.update(zip(beyond, _unpack(self._swap({}, receive=(0,))[0]), strict=True))
        return [known[rank] for rank in range(self.roster.size)]

    def _swap(self, out: Mapping[int, bytes], receive: Iterable[int] | None = None) -> dict[int, bytes]:
        """Send byte strings of unknown length: the lengths first."""
        sources = list(out if receive is None else receive)
        lengths = {peer: torch.tensor([len(data)]) for peer, data in out.items()}
        sizes = self.exchange(lengths, dict.fromkeys(sources, ((1,), torch.int64)))
        sends = {peer: _bytes_tensor(data) for peer, data in out.items()}
        received = self.exchange(sends, {peer: ((int(sizes[peer]),), torch.uint8) for peer in sources})
        return {peer: tensor.numpy().tobytes() for peer, tensor in received.items()}

    def next_operation(self) -> int:
        """The number of the next operation that draws randomness; equal at all parties, never repeated."""
        self._operation += 1
        return self._operation

    def draw(self, peer: int, operation: int) -> Draw:
        """What this party and `peer` both expand for `operation`, on this party's device; each number once a pair."""
        return self._streams[peer].operation(operation)

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Expected],
        *,
        rounds: int = 1,
        on_device: bool = False,
    ) -> dict[int, torch.Tensor]:
        """Send and receive at once, counted as `rounds` rounds (0 for messages that nobody waits for in turn).

        What is sent may be on this party's device or the CPU; from a device, a message that nobody waits for in turn
        goes with the next one, or at `flush`. What arrives is on the CPU, or, `on_device`, on the
        party's device.
        """
        self._count(sends, rounds)
        if self._staging is not None and not receives and not rounds:
            self._staging.post(self.wire, sends)
            return {}
        if self._staging is not None:
            return self._staging.exchange(self.wire, sends, receives, on_device=on_device)
        return self.wire.exchange(sends, receives)

    def exchange_masked(
        self, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Expected]
    ) -> dict[int, torch.Tensor]:
        """One round among all compute parties, of messages that are uniformly masked, from device to device.

        They go over the wire, or in the clear by `cluster` (which wants all of them at all parties, or none).
        """
        if self.cluster is None:
            return self.exchange(sends, receives, on_device=True)
        self._count(sends, 1)
        self.flush()
        return self.cluster.exchange(sends, receives)

    def _count(self, sends: Mapping[int, torch.Tensor], rounds: int) -> None:
        payload = sum(tensor.numel() * tensor.element_size() for tensor in sends.values())
        self.meter.count(rounds=rounds, messages=len(sends), payload=payload)
        self.wire.phase = self.meter.phase_name

    def flush(self) -> None:
        """Send what is still to go."""
        if self._staging is not None:
            self._staging.flush(self.wire)

    def phase(self, name: str) -> AbstractContextManager[None]:
        return self.meter.phase(name)

    def protocol(self, name: str) -> AbstractContextManager[None]:
        return self.meter.protocol(name)

    def step(self, what: str, done: int, total: int) -> None:
        """Tell whoever listens (progress on a terminal), and the other parties, that work goes on."""
        self.flush()  # somebody may wait for it while this party does something long
        self.wire.advance()
        if self.on_step is not None:
            self.on_step(what, done, total)

    @contextmanager
    def closing(self) -> Iterator[Session]:
        """Close the wire at the end; on an error tell the others first (without any content of the error)."""
        try:
            yield self
            self.flush()
            if self.cluster is not None:
                self.cluster.close()
        except BaseException as error:
            # A lost party has been named by the wire already, and the first abort counts.
            self.wire.abort(type(error).__name__)
            if self.cluster is not None:
                self.cluster.abort()
            if isinstance(error, torch.OutOfMemoryError):
                raise SetupError(
                    f"{self.name} ran out of memory on {self.own_device}",
                    hint='give it a GPU that nobody else uses, or set device = "cpu" for this party',
                ) from None
            raise
        finally:
            self.wire.close()


def _bytes_tensor(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def _pack(items: Sequence[bytes]) -> bytes:
    return b"".join(len(item).to_bytes(8, "little") + item for item in items)


def _unpack(data: bytes) -> list[bytes]:
    items = []
    while data:
        size = int.from_bytes(data[:8], "little")
        items.append(data[8 : 8 + size])
        data = data[8 + size :]
    return items
