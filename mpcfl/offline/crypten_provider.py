"""CrypTen's provider on our dealing: a user's own CrypTen code draws our correlated randomness and our PRG.

The compute parties run it inside `crypten_context`, the dealer runs `serve` meanwhile, data owners do nothing;
`mpcfl.protocols.crypten_code.run_crypten` is all three in one call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

from mpcfl.errors import MpcflError
from mpcfl.offline.crypten_requests import Request
from mpcfl.offline.crypten_streams import CryptenStreams
from mpcfl.offline.dealing import Shape, deal
from mpcfl.world import _crypten
from mpcfl.world.collectives import Collectives
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session


@contextmanager
def crypten_context(session: Session) -> Iterator[None]:
    """At the compute parties: inside, CrypTen works on their shares. The dealer runs `serve` meanwhile.

    Inside, only CrypTen and what is local on shares: the dealer hears nothing else before the end. One at a time in a
    process, since CrypTen's state is the process's.
    """
    if not session.is_compute:
        raise ValueError(f"{session.name} does not compute: CrypTen runs at compute parties, the dealer serves them")
    _crypten.require_free()
    inner = inner_session(session)
    provider = Provider(inner)
    streams = CryptenStreams(inner)
    first_party = session.roster.insecure_simulation
    _crypten.install(provider, streams.elements, Collectives(inner), first_party=first_party)
    try:
        with session.phase("online"):
            yield
        provider.stop()
    except BaseException:
        with suppress(MpcflError, ValueError):  # the run may be lost: then the dealer knows
            provider.stop()
        raise
    finally:
        _crypten.uninstall()


def serve(session: Session) -> None:
    """At the dealer: deal what CrypTen asks for at the compute parties, until they leave their `crypten_context`.

    What arrives here are requests of rank 0: a kind, shapes, an operation.
    """
    if session.is_compute or not session.is_dealer:
        raise ValueError(f"{session.name} is no dealer apart from the compute parties: it has nobody to serve")
    inner = inner_session(session)
    CryptenStreams(inner)
    while data := _hear(inner):
        deal(inner, Request.decode(data).recipe(len(inner.roster.compute)))


class Provider:
    """CrypTen's provider methods: shares of what the dealer deals, for what CrypTen code asks."""

    NAME = _crypten.PROVIDER

    def __init__(self, inner: Session) -> None:
        self._session = inner
        self._tells = inner.rank == 0 and inner.roster.dealer not in inner.roster.compute

    def generate_additive_triple(
        self, size0: Shape, size1: Shape, op: str, device: Any = None, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any, Any]:
        """a, b uniform, c = op(a, b, ...)."""
        request = Request("additive", (tuple(size0), tuple(size1)), op, args, kwargs)
        (a, b), (c,) = self._deal(request)
        return _crypten.arithmetic(a), _crypten.arithmetic(b), _crypten.arithmetic(c)

    def square(self, size: Shape, device: Any = None) -> tuple[Any, Any]:
        """r uniform, and its square."""
        (r,), (square,) = self._deal(Request("square", (tuple(size),)))
        return _crypten.arithmetic(r), _crypten.arithmetic(square)

    def generate_binary_triple(self, size0: Shape, size1: Shape, device: Any = None) -> tuple[Any, Any, Any]:
        """a, b uniform bits, 64 an element, c = a and b; shared by exclusive or."""
        (a, b), (c,) = self._deal(Request("binary", (tuple(size0), tuple(size1))))
        return _crypten.binary(a), _crypten.binary(b), _crypten.binary(c)

    def wrap_rng(self, size: Shape, device: Any = None) -> tuple[Any, Any]:
        """r uniform, and how often the sum of its shares wraps."""
        (r,), (wraps,) = self._deal(Request("wraps", (tuple(size),)))
        return _crypten.arithmetic(r), _crypten.arithmetic(wraps)

    def B2A_rng(self, size: Shape, device: Any = None) -> tuple[Any, Any]:
        """A uniform bit an element, in arithmetic and in binary sharing."""
        (r,), (bit,) = self._deal(Request("bits", (tuple(size),)))
        return _crypten.arithmetic(bit), _crypten.binary(r & 1)

    def stop(self) -> None:
        """Tell the dealer that nothing more will be asked for."""
        if self._tells:
            _tell(self._session, b"")

    def _deal(self, request: Request) -> Any:
        if self._tells:
            _tell(self._session, request.encode())
        return deal(self._session, request.recipe(len(self._session.roster.compute)))


def inner_session(session: Session) -> Session:
    """A session of compute parties and dealer over the same connections, with keys and operation numbers of its own.

    So CrypTen never takes a stretch of the streams of `session`, and data owners, who do not know how often it draws,
    stay in step.
    """
    parties = [Party.of(p.name, p.roles | {"data"}) for p in session.roster.parties if p.roles & {"compute", "dealer"}]
    of_session = session.roster
    roster = Roster(parties, insecure_simulation=of_session.insecure_simulation, gpus=of_session.gpus)
    inner = Session(roster, session.rank, session.wire)
    inner.meter = session.meter
    session.flush()  # the inner one has no device, and speaks over the same wire at once
    inner.agree(b"crypten")
    return inner


def _tell(inner: Session, data: bytes) -> None:
    dealer = inner.roster.dealer
    with inner.phase("offline"), inner.protocol("crypten request"):
        inner.exchange({dealer: torch.tensor([len(data)])}, {}, rounds=0)
        if data:
            inner.exchange({dealer: torch.frombuffer(bytearray(data), dtype=torch.uint8)}, {}, rounds=0)


def _hear(inner: Session) -> bytes:
    with inner.phase("offline"), inner.protocol("crypten request"):
        size = int(inner.exchange({}, {0: ((1,), torch.int64)}, rounds=0)[0])
        if not size:
            return b""
        return inner.exchange({}, {0: ((size,), torch.uint8)}, rounds=0)[0].numpy().tobytes()
