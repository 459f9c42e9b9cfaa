"""TLS 1.3 between parties, with a certificate on both sides, by the standard library.

What it protects from, plainly:

- *Ephemeral* certificates (made for one run, fingerprints exchanged through the unprotected rendezvous store) keep a
  reader of the wire out: in particular a dealer on the same network, who knows the masks and must not see the openings.
  They do not stop somebody who can *change* traffic: he can put his own certificate into the store, on either side.
- *Pinned* certificates (each party gave the others its SHA-256 fingerprint beforehand, over a channel they trust) stop
  that too. A pin always wins over what the store says. Only pins stop an active man in the middle.

A private key never leaves its party. `ssl` reads keys from files only, so an ephemeral one is written, encrypted under
a random password, to a file that nobody else may read (0600), and deleted as soon as it is loaded.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mpcfl.errors import JobError, SetupError

_VALID = timedelta(days=30)
_CLOCK_SKEW = timedelta(days=1)  # parties' clocks may differ by this much
_LONGEST_NAME = 64  # RFC 5280, ub-common-name


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER form, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(certificate).hexdigest()


def read_pin(text: str, party: str) -> str:
    """A fingerprint as people write it (upper case, colons, "sha256:") in plain form; JobError names the party."""
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if len(plain) != 64 or not set(plain) <= set("0123456789abcdef"):
        raise JobError(
            f"party '{party}': the pinned fingerprint is no SHA-256 fingerprint",
            hint="give 64 hexadecimal digits: openssl x509 -in cert.pem -noout -fingerprint -sha256",
        )
    return plain


class Credentials:
    """A party's certificate and, inside OpenSSL only, its private key.

    `certificate` is DER, `fingerprint` what the others pin.
    """

    def __init__(self, certificate_path: Path, key_path: Path, password: bytes) -> None:
        self._server = _context(ssl.PROTOCOL_TLS_SERVER)
        self._client = _context(ssl.PROTOCOL_TLS_CLIENT)
        for context in (self._server, self._client):
            context.load_cert_chain(certificate_path, key_path, password)
        self.certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes()).public_bytes(
            serialization.Encoding.DER
        )
        self.fingerprint = fingerprint(self.certificate)

    @staticmethod
    def fingerprint_of(path: str | Path) -> str:
        """What to pin for the PEM certificate at `path`; SetupError names the file."""
        try:
            certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
        except (OSError, ValueError):
            raise SetupError(f"{path} is no readable PEM certificate", hint="ask its party for a copy") from None
        return fingerprint(certificate.public_bytes(serialization.Encoding.DER))

    def __repr__(self) -> str:
        return f"Credentials(sha256:{self.fingerprint})"

    @classmethod
    def ephemeral(cls, name: str) -> Credentials:
        """A fresh ECDSA P-256 key with a self-signed certificate for one run of the party called `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_LONGEST_NAME] or "party")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _VALID)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        password = secrets.token_hex(32).encode()
        pem = serialization.Encoding.PEM
        hidden = serialization.BestAvailableEncryption(password)
        contents = certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, hidden)
        with tempfile.TemporaryDirectory(prefix="mpcfl-") as folder:  # made with mode 0700
            paths = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            for path, content in zip(paths, contents, strict=True):
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(content)
            return cls(*paths, password)

    @classmethod
    def load(cls, certificate_path: str | Path, key_path: str | Path) -> Credentials:
        """An organisation's own certificate and key (PEM, key without password); SetupError names the file."""
        paths = Path(certificate_path), Path(key_path)
        for path in paths:
            if not os.access(path, os.R_OK):
                raise SetupError(f"{path} cannot be read", hint="give the paths of a PEM certificate and its key")
        try:
            return cls(*paths, b"")
        except (ssl.SSLError, ValueError) as error:
            raise SetupError(
                f"{paths[0]} and {paths[1]} are no certificate and its key ({getattr(error, 'reason', None) or error})",
                hint="both must be PEM, belong together, and the key must not need a password",
            ) from None

    def trust(self, certificates: Iterable[bytes]) -> None:
        """Accept these certificates (DER) as peers; `check` then holds each connection to the right one."""
        for certificate in certificates:
            for context in (self._server, self._client):
                context.load_verify_locations(cadata=certificate)

    def context(self, *, server: bool) -> ssl.SSLContext:
        """The context for the accepting (`server`) or the dialling side."""
        return self._server if server else self._client


def _context(side: int) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # parties are known by fingerprint, not by host name
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the exchanged certificate itself is the anchor
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0  # tickets would lie unread at the dialling side, and its close then be a reset
    return context


def peer_fingerprint(sock: ssl.SSLSocket) -> str:
    """Fingerprint of the certificate whose key the other side of a finished handshake has proved to hold."""
    return fingerprint(sock.getpeercert(binary_form=True) or b"")
