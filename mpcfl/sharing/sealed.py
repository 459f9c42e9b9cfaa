"""A sealed file: a header that can be read and not changed, and a content that can be neither without the key.

    8 bytes "mpcfl/s1", u32 length of the header, header (JSON), 12 bytes nonce | content, 16 bytes tag

ChaCha20-Poly1305 (RFC 8439, section 2.8) under a 256-bit key; all that stands before the content is its associated
data, so no byte of the file can be changed without notice. Nonces are random: one key is good for 2^32 files.

A file is written as a whole or not at all: under another name first, then on the disk, then renamed.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from mpcfl.errors import CheckpointError

PARTIAL = ".partial"
"""Ending of a file that is being written; one that is left over was cut off, and is worth nothing."""
_MAGIC = b"mpcfl/s1"
_START = struct.Struct("<8sI")
_NONCE = 12


def write_sealed(path: Path, key: bytes, header: Mapping[str, Any], content: bytes) -> None:
    """Write or replace the file at `path` (mode 0600); it is on the disk when this returns. Raises OSError."""
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    public = _START.pack(_MAGIC, len(text)) + text + os.urandom(_NONCE)
    sealed = public + ChaCha20Poly1305(key).encrypt(public[-_NONCE:], content, public)
    partial = path.with_name(path.name + PARTIAL)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    _sync(path.parent)


def read_header(path: Path) -> dict[str, Any]:
    """The header as it stands there, which anybody may have changed: only `open_sealed` vouches for it.

    CheckpointError if the file cannot be read, is none of ours, or cut off.
    """
    return _parts(path, _read(path))[0]


def open_sealed(path: Path, key: bytes) -> tuple[dict[str, Any], bytes]:
    """(header, content); CheckpointError unless all of it can be read and is what was written under `key`."""
    data = _read(path)
    header, start = _parts(path, data)
    public = data[:start]
    try:
        return header, ChaCha20Poly1305(key).decrypt(public[-_NONCE:], data[start:], public)
    except InvalidTag:
        raise _damaged(path, "is damaged, or was sealed with another key") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read: {error.strerror}") from None


def _parts(path: Path, data: bytes) -> tuple[dict[str, Any], int]:
    """The header, and where the content starts."""
    if len(data) < _START.size or data[: len(_MAGIC)] != _MAGIC:
        raise _damaged(path, "is no checkpoint of this version of mpcfl, or damaged")
    start = _START.size + _START.unpack_from(data)[1]
    try:
        header = json.loads(data[_START.size : start])
    except ValueError:
        header = None
    if not isinstance(header, dict) or len(data) < start + _NONCE:
        raise _damaged(path, "is damaged")
    return header, start + _NONCE


def _damaged(path: Path, fault: str) -> CheckpointError:
    return CheckpointError(
        f"checkpoint {path} {fault}",
        hint="bring it or its key back, or remove it: the run then goes on from an older one that all parties hold",
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
