"""Messages between the parties of a run: one round at a time, few big or many tiny ones, and nobody waits in silence.

`Mesh.connect` links this party with its peers; `Mesh.exchange` is one round: everything is sent and received at once by
one thread on non-blocking sockets, so two parties may send each other any amount. A wait ends with a `PartyError` that
names the party that holds up the run, at every party: see mpcfl.world.pulse for gone and stalled parties, and
mpcfl.world.blame for late ones. A mesh belongs to one thread.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping, Sequence

import torch

from mpcfl.world import tls
from mpcfl.world.faults import Faults
from mpcfl.world.frame import Verdict, one_line
from mpcfl.world.link import Closed, Link, OutOfStep, raw
from mpcfl.world.meeting import Channel
from mpcfl.world.pulse import Pulse
from mpcfl.world.rendezvous import Store
from mpcfl.world.start import Links, Wires, link_up, pulse_wires
from mpcfl.world.wire import Expected

_MOMENT = 20  # milliseconds between looks at the clock while a run ends
_SPIN = 50e-6  # seconds of trying again before sleeping: below it, falling asleep costs more than it saves
_NAPS = 50e-6, 1e-3  # seconds between looks at what does not wake anybody: the first, and the longest


class Mesh:
    """The connections of party `rank`. `phase` ("online", ...) is quoted in errors; `round` counts exchanges.

    `sent_payload[r]` and `sent_messages[r]`: bytes (without the 16 of each header) and messages sent to peer r so far.
    """

    def __init__(self, rank: int, names: Sequence[str], wires: Wires, *, timeout: float, places: Sequence[str]) -> None:
        """Over connections that are made already; `Mesh.connect` is the way in."""
        self.rank, self.names = rank, tuple(names)
        self.phase, self.round = "start", 0
        self._links = {peer: Link(sock) for (peer, channel), sock in wires.items() if channel is Channel.DATA}
        self.peers = tuple(sorted(self._links))
        self.sent_payload = dict.fromkeys(self.peers, 0)
        self.sent_messages = dict.fromkeys(self.peers, 0)
        self._pulse = Pulse(rank, len(names), pulse_wires(wires), timeout=timeout)
        self._faults = Faults(self._pulse, rank, names, places)
        self._closed = False

    def __repr__(self) -> str:
        return f"Mesh({self.names[self.rank]}, rank {self.rank} of {len(self.names)}, round {self.round})"

    @classmethod
    def connect(
        cls,
        store: Store,
        *,
        rank: int,
        names: Sequence[str],
        links: Links,
        timeout: float,
        encrypt: bool = True,
        credentials: tls.Credentials | None = None,
        pins: Mapping[int, str] | None = None,
        prefix: str = "mpcfl/0",
        host: str | None = None,
        start_timeout: float | None = None,
    ) -> Mesh:
        """Find the others through `store` and link up.

        `links`: the pairs {i, j} that talk. `credentials` default to ephemeral ones; `pins[r]` is the SHA-256
        fingerprint that the certificate of rank r must have. `prefix` must be new for each run on the same store.
        `host`: the address to listen on, where the route to MASTER_ADDR is not the right one. `timeout`: seconds of
        every later wait; `start_timeout`: of the start as a whole (default: the same).

        PartyError names who is missing, unreachable or not who it should be; AgreementError who runs another version
        or does not encrypt.
        """
        if encrypt and credentials is None:
            credentials = tls.Credentials.ephemeral(names[rank])
        wires, places = link_up(
            store,
            rank=rank,
            names=names,
            links=links,
            timeout=start_timeout or timeout,
            credentials=credentials if encrypt else None,
            pins=pins or {},
            prefix=prefix,
            host=host,
        )
        return cls(rank, names, wires, timeout=timeout, places=places)

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Expected],
        into: Mapping[int, torch.Tensor] | None = None,
    ) -> dict[int, torch.Tensor]:
        """One round: send contiguous CPU tensors, receive tensors of known shape and dtype; both by rank of the peer.

        `into`: contiguous CPU tensors of these shapes and dtypes to receive into, instead of new ones. A message may be
        empty. PartyError: a party is gone, stalled, late or has stopped. AgreementError: what a peer
        sent is not what is due here. After either the mesh is of no more use.
        """
        self.round += 1
        self._pulse.progress += 1
        self.check()
        payloads = {peer: raw(_sendable(tensor)) for peer, tensor in sends.items()}
        results = dict(into) if into else {peer: torch.empty(s, dtype=d) for peer, (s, d) in receives.items()}
        for peer in (*payloads, *results):
            if peer not in self._links:
                raise ValueError(f"{self.names[self.rank]} has no link with rank {peer}")
        for peer in payloads.keys() & self._pulse.left:
            raise self._faults.closed(peer)
        for peer, tensor in results.items():
            self._links[peer].receive(raw(tensor))
        for peer, payload in payloads.items():
            self._links[peer].send(payload)
        pending = {peer: self._links[peer] for peer in payloads.keys() | results.keys()}
        patience = time.perf_counter() + _SPIN
        while self._move(pending):
            if time.perf_counter() > patience:
                self._wait(pending)
                break
        for peer, payload in payloads.items():
            self.sent_payload[peer] += len(payload)
            self.sent_messages[peer] += 1
        self._pulse.progress += 1
        return results

    def send(self, peer: int, tensor: torch.Tensor) -> None:
        """Send one tensor; returns when the kernel has it."""
        self.exchange({peer: tensor}, {})

    def receive(self, peer: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Receive one tensor of known shape and dtype."""
        return self.exchange({}, {peer: (shape, dtype)})[peer]

    def wait_until(self, ready: Callable[[], bool], peers: Sequence[int], what: str) -> None:
        """Wait for something beside the mesh that `peers` take part in; ends as a wait for their messages would.

        `what` is quoted in errors, as in "waited for NCCL in round 12 (online)".
        """
        pulse, since = self._pulse, time.monotonic()
        self._faults.occasion = f"waited for {what} in round {self.round} ({self.phase})"
        patience, nap = time.perf_counter() + _SPIN, _NAPS[0]
        try:
            while not ready():
                if time.perf_counter() < patience:
                    continue
                time.sleep(nap)
                nap = min(2 * nap, _NAPS[1])
                pulse.waits_for = min(peers, key=pulse.board.waits)  # who waits too holds nobody up
                self._faults.check()
                self._faults.judge(pulse.waits_for, since)
        finally:
            pulse.waits_for = -1
        pulse.progress += 1

    def settle(self) -> None:
        """After something beside the mesh broke: PartyError if that was since a party is lost, as is known by now or
        in a moment."""
        self._faults.settle()

    def advance(self) -> None:
        """Say "I make progress" from long local work, which renews the others' waits; PartyError if the run is lost."""
        self._pulse.progress += 1
        self.check()

    def check(self) -> None:
        """PartyError if the run is known to be lost; ValueError after `close`."""
        if self._closed:
            raise ValueError(f"{self!r} is closed")
        if self._pulse.failure is not None:
            self._faults.occasion = self._occasion()
            self._faults.check()

    def abort(self, reason: str, culprit: int | None = None) -> None:
        """Tell all parties, linked or not, that this one stops; takes at most about a second. The first abort counts.

        `reason` holds no data. It reads "north stopped: {reason}", or with a `culprit` "south {reason}, says north".
        """
        if not self._closed:
            self._pulse.fail(Verdict(self.rank, self.rank if culprit is None else culprit, one_line(reason)))
            self._pulse.flush()

    def close(self) -> None:
        """Leave in order: what was sent is delivered, and the others are told that this party has done its part."""
        if not self._closed:
            self._closed = True
            self._pulse.close()
            for link in self._links.values():
                link.close()

    def _occasion(self) -> str:
        return f"waited for round {self.round} ({self.phase})"

    def _move(self, pending: dict[int, Link]) -> bool:
        """Send and receive what goes without waiting; drops who is done from `pending`, returns whether any is left."""
        for peer, link in list(pending.items()):
            try:
                if link.in_wants:
                    link.pull()
                if link.out_wants:
                    link.push()
            except Closed:
                self._faults.occasion = self._occasion()
                raise self._faults.closed(peer) from None
            except OutOfStep as error:
                self._faults.occasion = self._occasion()
                raise self._faults.out_of_step(peer, str(error)) from None
            if not link.wants:
                del pending[peer]
        return bool(pending)

    def _wait(self, pending: dict[int, Link]) -> None:
        """Sleep until every pending message is through; raises what ends the wait otherwise."""
        pulse, since = self._pulse, dict.fromkeys(pending, time.monotonic())
        self._faults.occasion = self._occasion()
        try:
            while pending:
                pulse.waits_for = min(pending, key=since.__getitem__)
                poll = select.poll()
                if not (leaving := self._faults.in_grace):
                    poll.register(pulse.alarm, select.POLLIN)
                for link in pending.values():
                    poll.register(link.fileno, link.wants)
                ready = {number for number, _ in poll.poll(_MOMENT if leaving else pulse.interval * 1000)}
                self._faults.check()
                flowing = {peer: link for peer, link in pending.items() if link.fileno in ready}
                if flowing:
                    now = time.monotonic()
                    since.update(dict.fromkeys(flowing, now))
                    pulse.progress += 1
                    before = list(flowing)
                    self._move(flowing)
                    for peer in before:
                        if peer not in flowing:
                            del pending[peer]
                for peer in pending:
                    self._faults.judge(peer, since[peer])
        finally:
            pulse.waits_for = -1


def _sendable(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise ValueError(f"only contiguous CPU tensors can be sent, not one on {tensor.device}, {tensor.stride()}")
    return tensor
