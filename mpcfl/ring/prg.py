"""The pseudorandom stream that every mask comes from: ChaCha20 with a 256-bit key (RFC 8439).

    run key --derive(..., "run", "pair", 0, 1)--> key of a pair of parties --Stream--> operation(7) --Draw--> elements

A key belongs to one pair of parties in one run; the nonce is the number of the operation; the block counter starts at
0. Two parties that hold a key and agree on the numbering expand the same masks and send nothing. What hides a value
must hide no second one, so a `Stream` gives each operation number once, in rising order, and a `Draw` only moves on.

Words are little-endian, 8 bytes of key stream to an element, on every device: a stream says where its elements are
made (`_draw_elsewhere.py`), and which they are does not depend on it.

Never use `torch.Generator` or numpy for a mask: they are Mersenne Twisters and the like, and can be wound back.
"""

from __future__ import annotations

import builtins
import math
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpcfl.errors import MpcflError

KEY_BYTES = 32
_OPERATIONS = 1 << 96  # the nonce of RFC 8439 section 2.3
_BYTES_PER_OPERATION = 64 << 32  # its block counter has 32 bits: beyond 256 GiB it would start again
CPU = torch.device("cpu")
_ZEROS = memoryview(bytes(1 << 18))  # key stream = key stream xor zeros; this many stay in a second-level cache


class ReuseError(MpcflError):
    """A stretch of a stream was asked for that was given out, or passed, before: two values would share a mask."""

    exit_code = 1


def fresh_key() -> bytes:
    """A new 256-bit key from the operating system."""
    return os.urandom(KEY_BYTES)


def derive(key: bytes, *labels: bytes | str | int) -> bytes:
    """The 32-byte key that `key` (32 bytes) gives for `labels`: HKDF-SHA256 (RFC 5869), the labels as its info.

    Each label goes in with its type and its length, so that no two lists of labels are the same bytes: ("ab", "c"),
    ("a", "bc"), (b"ab", "c") and ("abc",) give four keys. Raises ValueError for a key of another length.
    """
    _require_key(key)
    info = b"".join(_labelled(label) for label in labels)
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=b"mpcfl.ring.prg 1", info=info).derive(key)


def _labelled(label: bytes | str | int) -> bytes:
    if isinstance(label, bytes):
        kind, content = b"b", label
    elif isinstance(label, str):
        kind, content = b"s", label.encode()
    elif isinstance(label, int) and not isinstance(label, bool):
        kind, content = b"i", str(label).encode()
    else:
        raise TypeError(f"a label is bytes, str or int, not {type(label).__name__}")
    return kind + len(content).to_bytes(8, "little") + content


def _require_key(key: bytes) -> None:
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise ValueError(f"a key is {KEY_BYTES} bytes")


class _Unpicklable:
    """A copy in another process, or beside this one, would give out the same stretches again."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} is neither pickled nor copied: the copy would repeat its masks")


class Draw(_Unpicklable):
    """Consecutive stretches of the key stream of one operation, from block 0 on. Made by `Stream.operation`."""

    device = CPU  # where elements are made; those of another device are a class of their own

    def __init__(self, key: builtins.bytes, number: int) -> None:
        nonce = bytes(4) + number.to_bytes(12, "little")  # `cryptography` wants the first counter, then the nonce
        self._cipher = Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor()
        self._left = _BYTES_PER_OPERATION
        self._process = os.getpid()

    def elements(self, shape: int | Sequence[int]) -> torch.Tensor:
        """The next elements, uniform in Z_2^64: an int64 tensor of `shape` on the stream's device.

        Raises ReuseError past 256 GiB.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._check(8 * math.prod(shape))  # before memory is taken for it
        # numpy asks for huge pages where an array is large; torch does not, and small ones cost as much again.
        return torch.from_numpy(self._fill(np.empty(shape, np.int64)))

    def fill(self, out: torch.Tensor) -> torch.Tensor:
        """`elements` into `out`, a contiguous int64 tensor there: memory used before takes it faster than new."""
        self._check_out(out)
        self._fill(out.numpy())
        return out

    def bytes(self, count: int) -> builtins.bytes:
        """The next `count` bytes. Raises ReuseError past 256 GiB."""
        self._check(count)
        out = bytearray(count)
        self._write(memoryview(out))
        return builtins.bytes(out)

    def _fill(self, out: np.ndarray) -> np.ndarray:
        if out.size:  # a memoryview of nothing cannot be cast
            self._write(out.data.cast("B"))
        return out

    def _write(self, out: memoryview) -> None:
        count = out.nbytes
        self._left -= count
        for start in range(0, count, _ZEROS.nbytes):
            stretch = out[start : start + _ZEROS.nbytes]
            self._cipher.update_into(_ZEROS[: stretch.nbytes], stretch)

    def _check_out(self, out: torch.Tensor) -> None:
        if out.dtype != torch.int64 or out.device.type != self.device.type or not out.is_contiguous():
            raise ValueError(f"fill wants a contiguous int64 tensor on {self.device}, not {out.dtype} on {out.device}")
        self._check(8 * out.numel())

    def _check(self, count: int) -> None:
        if count < 0:
            raise ValueError(f"cannot draw {count} bytes")
        if count > self._left:
            raise ReuseError(
                f"{count} bytes from an operation with {self._left} left: its stream would start again",
                hint="split the operation: one operation number gives at most 256 GiB",
            )
        _require_process(self._process)


class Stream(_Unpicklable):
    """The operations of one key, each number once and in rising order.

    `key` is 32 bytes (ValueError otherwise) and no other `Stream` of this party may have it: `derive` one for each use.
    `device`: where elements are made, the same ones on each.
    """

    def __init__(self, key: bytes, device: str | torch.device = CPU) -> None:
        _require_key(key)
        self._key = key
        self._draw = _draws(torch.device(device))
        self._next = 0
        self._lock = threading.Lock()
        self._process = os.getpid()

    def operation(self, number: int) -> Draw:
        """The stretches of operation `number`, 0 <= number < 2^96. Numbers may be left out, never be taken again.

        Raises ReuseError for a number used or passed before, and in a process forked from the one that made the stream.
        """
        if not 0 <= number < _OPERATIONS:
            raise ValueError(f"operation number {number} is not in 0..2^96-1")
        with self._lock:
            _require_process(self._process)
            if number < self._next:
                raise ReuseError(
                    f"operation {number} was used or passed before: the next one is {self._next} or later",
                    hint="number the operations of a stream in the order in which they run",
                )
            self._next = number + 1
        return self._draw(self._key, number)


def _draws(device: torch.device) -> Callable[[bytes, int], Draw]:
    """Imported late: what is compiled for a device takes a while to load."""
    if device.type == "cpu":
        return Draw
    from mpcfl.ring._draw_elsewhere import DrawElsewhere

    return partial(DrawElsewhere, device=device)


def _require_process(process: int) -> None:
    if os.getpid() != process:
        raise ReuseError(
            "a stream was carried into a forked process, where it would repeat its masks",
            hint="start processes by spawn, and make each its own stream from a derived key",
        )
