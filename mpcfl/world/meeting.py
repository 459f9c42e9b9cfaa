"""How two parties link up: the lower rank listens, the higher dials, TLS, then a hello that proves each to the other.

Each linked pair opens two connections: one for data, one for the pulse. Hello, 52 bytes, from the dialling side, and
the same with the ranks exchanged in reply:

    8 bytes "mpcfl/w1", u32 channel, u32 from, u32 to, 32 bytes HMAC-SHA256 under the run's token of prefix and the rest

The token comes from the rendezvous store, so whoever cannot read the store is refused; with TLS the certificate must
also be the one expected of that very rank. Strangers (port scanners, parties of another run) are turned away without
holding up the meeting: every connection is greeted in a thread of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import queue
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from enum import IntEnum

from mpcfl.errors import SetupError
from mpcfl.world.rendezvous import Address, Rendezvous, is_loopback
from mpcfl.world.tls import Credentials, fingerprint, peer_fingerprint

_HELLO = struct.Struct("<8sIII32s")
_MAGIC = b"mpcfl/w1"
_PAUSE = 0.2  # seconds between two attempts to dial, and between two looks at the store
_REFUSALS = 5  # this many in a row from an address that was published: its party is gone
_GREETING = 10.0  # seconds that a connection may take for TLS and hello


class Channel(IntEnum):
    """What a connection is for."""

    DATA = 0
    PULSE = 1


class Stranger(Exception):
    """The other side is not who it should be."""


class Meeting:
    """Links one party with `peers`. `wires[peer, channel]` are the connections made so far, non-blocking."""

    def __init__(
        self,
        rendezvous: Rendezvous,
        listener: socket.socket,
        peers: Sequence[int],
        addresses: Sequence[Address],
        token: bytes,
        credentials: Credentials | None,
    ) -> None:
        self._rendezvous, self._listener, self._addresses = rendezvous, listener, addresses
        self._token, self._credentials = token, credentials
        self.rank, self._peers = rendezvous.rank, set(peers)
        self.wires: dict[tuple[int, Channel], socket.socket] = {}
        self._done = threading.Event()
        self._news: queue.SimpleQueue[tuple[int, Channel, socket.socket | str]] = queue.SimpleQueue()
        self._strangers = 0

    def run(self) -> None:
        """Make all connections within the rendezvous' time limit; PartyError names who could not be linked with."""
        wanted = {(peer, channel) for peer in self._peers for channel in Channel}
        threading.Thread(target=self._accept, name="mpcfl-accept", daemon=True).start()
        for peer, channel in wanted:
            if peer < self.rank:
                threading.Thread(target=self._dial, args=(peer, channel), name="mpcfl-dial", daemon=True).start()
        try:
            while missing := wanted - set(self.wires):
                self._take_news(missing)
        finally:
            self._done.set()

    def _take_news(self, missing: set[tuple[int, Channel]]) -> None:
        try:
            peer, channel, news = self._news.get(timeout=_PAUSE)
        except queue.Empty:
            self._rendezvous.heed()
            if time.monotonic() > self._rendezvous.deadline:
                fault = "did not link up"
                if self._strangers:
                    fault += f" (connections of strangers that were refused: {self._strangers})"
                raise self._rendezvous.absent(sorted({peer for peer, _ in missing}), fault) from None
            return
        if isinstance(news, str):
            self._rendezvous.heed()  # somebody else may know the cause
            raise self._rendezvous.fault(peer, news)
        self.wires[peer, channel] = news

    def _left(self) -> float:
        return min(max(self._rendezvous.deadline - time.monotonic(), 0.1), _GREETING)

    def _accept(self) -> None:
        self._listener.setblocking(False)
        while not self._done.is_set():
            if select.select([self._listener], [], [], _PAUSE)[0]:
                try:
                    sock = self._listener.accept()[0]
                except OSError:
                    continue
                threading.Thread(target=self._greet, args=(sock,), name="mpcfl-greet", daemon=True).start()
        self._listener.close()

    def _greet(self, raw: socket.socket) -> None:
        """The accepting side of TLS and hello."""
        sock = raw
        try:
            sock = self._secure(raw, server=True)
            channel, peer = self._read_hello(sock)
            self._check_certificate(sock, peer)
            sock.sendall(self._hello(channel, peer))
            self._deliver(peer, channel, sock)
        except (OSError, Stranger, ValueError):  # ssl.SSLError is an OSError
            self._strangers += 1
            sock.close()

    def _dial(self, peer: int, channel: Channel) -> None:
        """The dialling side; tries again while the time limit lasts, as connections do fail."""
        refusals = 0
        while not self._done.is_set() and time.monotonic() < self._rendezvous.deadline:
            sock: socket.socket | None = None
            try:
                theirs, own = self._addresses[peer], self._addresses[self.rank]
                host = reachable(theirs.host, own.host, self._rendezvous.master)
                sock = socket.create_connection((host, theirs.port), timeout=self._left())
                sock = self._secure(sock, server=False)
                self._check_certificate(sock, peer)
                sock.sendall(self._hello(channel, peer))
                if self._read_hello(sock) != (channel, peer):
                    raise Stranger
                return self._deliver(peer, channel, sock)
            except ssl.SSLCertVerificationError as error:
                fault: str | None = f"is not who it should be: its certificate is refused ({error.verify_message})"
            except (Stranger, ValueError):
                fault = "is not who it should be: it showed another certificate or token than expected"
            except ssl.SSLError as error:
                alert = "CERTIFICATE" in (error.reason or "") or "UNKNOWN_CA" in (error.reason or "")
                fault = "refuses our certificate" if alert else None
            except ConnectionError:
                refusals += 1
                fault = "is gone: its address refuses connections" if refusals >= _REFUSALS else None
            except OSError:
                fault = None
            if sock is not None:
                sock.close()
            if fault is not None:
                return self._news.put((peer, channel, fault))
            self._done.wait(_PAUSE)

    def _secure(self, sock: socket.socket, *, server: bool) -> socket.socket:
        sock.settimeout(self._left())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Keep-alive for the tables of routers between us. Buffer sizes are left to the kernel: setting them ends its
        # own tuning, which goes far beyond the size that an unprivileged program may ask for.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._credentials is None:
            return sock
        return self._credentials.context(server=server).wrap_socket(sock, server_side=server)

    def _check_certificate(self, sock: socket.socket, peer: int) -> None:
        if isinstance(sock, ssl.SSLSocket) and peer_fingerprint(sock) != fingerprint(self._addresses[peer].certificate):
            raise Stranger

    def _deliver(self, peer: int, channel: Channel, sock: socket.socket) -> None:
        sock.setblocking(False)
        if self._done.is_set():
            return sock.close()  # too late
        self._news.put((peer, channel, sock))

    def _hello(self, channel: int, peer: int) -> bytes:
        return _HELLO.pack(_MAGIC, channel, self.rank, peer, self._proof(channel, self.rank, peer))

    def _proof(self, channel: int, sender: int, receiver: int) -> bytes:
        text = _MAGIC + struct.pack("<III", channel, sender, receiver) + self._rendezvous.prefix.encode()
        return hmac.digest(self._token, text, hashlib.sha256)

    def _read_hello(self, sock: socket.socket) -> tuple[Channel, int]:
        """Channel and rank of the other side; Stranger if it is none of this party's peers in this run."""
        raw = b""
        while len(raw) < _HELLO.size:
            part = sock.recv(_HELLO.size - len(raw))
            if not part:
                raise ConnectionError
            raw += part
        magic, channel, sender, receiver, proof = _HELLO.unpack(raw)
        expected = self._proof(channel, sender, receiver)
        if magic != _MAGIC or receiver != self.rank or not hmac.compare_digest(proof, expected):
            raise Stranger
        if sender not in self._peers:
            raise Stranger
        return Channel(channel), sender


def listen(host: str, master: str) -> socket.socket:
    """A listening socket on a free port: of `host`, or of every address if parties elsewhere must reach `host` by the
    name `master` (which resolves to the loopback here)."""
    everywhere = is_loopback(host) and not is_loopback(master)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.bind(("" if everywhere else host, 0))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SetupError(
            f"this party cannot listen on {host}: {error.strerror}", hint="give an address that this machine has"
        ) from None
    return listener


def reachable(theirs: str, own: str, master: str) -> str:
    """The host to dial for a party that published `theirs`.

    Who sees `master` (MASTER_ADDR) as itself publishes 127.0.0.1; for those elsewhere that machine is `master`.
    """
    return master if is_loopback(theirs) and not is_loopback(own) else theirs
