"""Connections are encrypted, and each party is exactly the one whose certificate was exchanged or pinned."""

from __future__ import annotations

import os
import pickle
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mpcfl.errors import JobError, SetupError
from mpcfl.world.link import Link, raw
from mpcfl.world.tls import Credentials, fingerprint, peer_fingerprint, read_pin
from mpcfl.world.transport import Mesh
from tests.world.crew import crew


@contextmanager
def handshake(
    server: Credentials, client: Credentials
) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket, list[bytearray]]]:
    """Both ends of a connection through a relay that records what it passes on, by direction."""
    inner, outer = socket.socketpair(), socket.socketpair()
    seen = [bytearray(), bytearray()]

    def relay(source: socket.socket, target: socket.socket, record: bytearray) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                record.extend(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> ssl.SSLSocket:
        return server.context(server=True).wrap_socket(inner[0], server_side=True)

    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        for sock in (*inner, *outer):
            stack.enter_context(sock)
        pool.submit(relay, inner[1], outer[1], seen[0])
        pool.submit(relay, outer[1], inner[1], seen[1])
        accepting = pool.submit(accept)
        with client.context(server=False).wrap_socket(outer[0]) as dialled, accepting.result() as accepted:
            yield accepted, dialled, seen


def finish(*links: Link) -> None:
    while any(link.wants for link in links):
        for link in links:
            if link.in_wants:
                link.pull()
            if link.out_wants:
                link.push()
        time.sleep(0.001)


def test_a_reader_of_the_wire_sees_tls_1_3_and_nothing_of_the_message() -> None:
    north, south = Credentials.ephemeral("north"), Credentials.ephemeral("south")
    for party in (north, south):
        party.trust([north.certificate, south.certificate])
    text = b"opened values hide the data from everyone except the dealer"
    with handshake(north, south) as (accepted, dialled, seen):
        assert accepted.version() == dialled.version() == "TLSv1.3"
        assert peer_fingerprint(accepted) == south.fingerprint
        assert peer_fingerprint(dialled) == north.fingerprint
        for sock in (accepted, dialled):
            sock.setblocking(False)
        sender, receiver = Link(accepted), Link(dialled)
        sender.send(memoryview(text))
        receiver.receive(into := memoryview(bytearray(len(text))))
        finish(sender, receiver)
    assert bytes(into) == text
    assert len(seen[0]) > len(text) and text not in seen[0]


def test_without_tls_the_same_reader_would_see_it() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        link = Link(one)
        link.send(raw(torch.arange(3)))
        finish(link)
        assert raw(torch.arange(3)).tobytes() in other.recv(100)


@pytest.mark.parametrize("liar", ["server", "client"])
def test_a_certificate_that_was_not_exchanged_is_refused(liar: str) -> None:
    north, south, stranger = (Credentials.ephemeral(name) for name in ("north", "south", "south"))
    for party in (north, south, stranger):
        party.trust([north.certificate, south.certificate])
    server, client = (stranger, south) if liar == "server" else (north, stranger)
    with pytest.raises(ssl.SSLError), handshake(server, client) as (_, dialled, _):
        dialled.recv(1)  # in TLS 1.3 the dialling side learns at its first read that it was refused


def test_credentials_leave_no_file_and_show_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    party = Credentials.ephemeral("north")
    assert list(tmp_path.iterdir()) == []
    assert repr(party) == f"Credentials(sha256:{party.fingerprint})"
    with pytest.raises(TypeError):
        pickle.dumps(party)


def make_pem(folder: Path, name: str, password: bytes | None = None) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    party = Credentials.ephemeral(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    old = x509.load_der_x509_certificate(party.certificate)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, hidden))
    return paths


def test_an_organisation_brings_its_own_certificate(tmp_path: Path) -> None:
    north, south = Credentials.load(*make_pem(tmp_path, "north")), Credentials.ephemeral("south")
    north.trust([south.certificate])
    south.trust([north.certificate])
    with handshake(north, south) as (_, dialled, _):
        assert peer_fingerprint(dialled) == north.fingerprint == fingerprint(north.certificate)


def test_credentials_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    north, south, locked = (make_pem(tmp_path, n, p) for n, p in (("n", None), ("s", None), ("l", b"secret")))
    for paths in ((north[0], south[1]), (north[1], north[0]), locked):
        with pytest.raises(SetupError, match="no certificate and its key") as raised:
            Credentials.load(*paths)
        assert str(paths[0]) in str(raised.value)
    with pytest.raises(SetupError, match="missing.key cannot be read"):
        Credentials.load(north[0], tmp_path / "missing.key")


def test_pins_are_read_as_people_write_them() -> None:
    plain = os.urandom(32).hex()
    colons = ":".join(plain[i : i + 2] for i in range(0, 64, 2)).upper()
    assert read_pin(f"SHA256:{colons}\n", "south") == read_pin(plain, "south") == plain
    for wrong in ("", plain[:-1], plain[:-1] + "g", plain + "00"):
        with pytest.raises(JobError, match="party 'south'"):
            read_pin(wrong, "south")


def no_program(mesh: Mesh, say: Any) -> str:
    return "linked"


def test_a_wrong_pin_is_refused_and_everybody_hears_of_it() -> None:
    wrong = "00" * 32
    with crew(no_program, 3, settings=lambda rank: {"pins": {1: wrong}} if rank == 0 else {}) as run:
        outcomes = [run.outcome(rank) for rank in range(3)]
    assert [outcome.party for outcome in outcomes] == ["south"] * 3
    assert "south (rank 1, 127.0.0.1:" in outcomes[0].message
    assert "is not who it should be: its certificate is not the pinned one" in outcomes[0].message
    assert "south (rank 1, this party) is not who it should be" in outcomes[1].message
    assert outcomes[2].message.splitlines()[0].endswith("says north")


def with_own(mesh: Mesh, say: Any) -> int:
    peer = 1 - mesh.rank
    return int(mesh.exchange({peer: torch.tensor([mesh.rank])}, {peer: ((1,), torch.int64)})[peer])


def test_right_pins_are_accepted(tmp_path: Path) -> None:
    paths = [make_pem(tmp_path, name) for name in ("north", "south")]
    pins = {rank: Credentials.load(*paths[rank]).fingerprint for rank in range(2)}
    with crew(with_own, 2, certificates=paths, pins=pins) as run:
        assert run.values() == [1, 0]
