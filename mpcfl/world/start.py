"""From a store to connected sockets: addresses, pins, certificates, connections; and whoever fails tells the others."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence

from mpcfl.errors import MpcflError
from mpcfl.world import tls
from mpcfl.world.blame import Lost
from mpcfl.world.frame import Verdict
from mpcfl.world.meeting import Channel, Meeting, listen
from mpcfl.world.rendezvous import Address, Rendezvous, Store, local_host

Links = Collection[frozenset[int]] | Callable[[int, int], bool]
Wires = dict[tuple[int, Channel], socket.socket]


def link_up(
    store: Store,
    *,
    rank: int,
    names: Sequence[str],
    links: Links,
    timeout: float,
    credentials: tls.Credentials | None,
    pins: Mapping[int, str],
    prefix: str,
    host: str | None,
) -> tuple[Wires, list[str]]:
    """All connections of this party (non-blocking), and "host:port" of every party.

    `credentials`: None means plaintext. Errors are those of `Mesh.connect`; the other parties have been told by then.
    """
    pinned = {peer: tls.read_pin(pin, names[peer]) for peer, pin in pins.items()}
    start = Rendezvous(store, rank, names, prefix, timeout)
    listener = listen(host := host or local_host(), start.master)
    wires: Wires = {}
    try:
        certificate = credentials.certificate if credentials else b""
        addresses = start.exchange(Address(host, listener.getsockname()[1], certificate))
        if credentials:
            for peer, pin in pinned.items():
                if tls.fingerprint(addresses[peer].certificate) != pin:
                    raise start.fault(peer, "is not who it should be: its certificate is not the pinned one")
            for peer, address in enumerate(addresses):
                try:
                    credentials.trust([address.certificate])
                except ssl.SSLError:
                    raise start.fault(peer, "is not who it should be: what it published is no certificate") from None
        peers = [peer for peer in range(len(names)) if peer != rank and _linked(links, rank, peer)]
        meeting = Meeting(start, listener, peers, addresses, start.token(), credentials)
        wires = meeting.wires
        meeting.run()
        start.all_linked()
    except MpcflError as error:
        listener.close()
        verdict = error.verdict if isinstance(error, Lost) else Verdict(rank, rank, error.args[0])
        start.warn(verdict)
        for sock in wires.values():
            sock.close()
        raise
    return wires, start.places


def pulse_wires(wires: Wires) -> dict[int, socket.socket]:
    """The control connections, by peer."""
    return {peer: sock for (peer, channel), sock in wires.items() if channel is Channel.PULSE}


def _linked(links: Links, i: int, j: int) -> bool:
    return links(i, j) if callable(links) else frozenset((i, j)) in links
