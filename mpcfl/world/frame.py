"""What the bytes between two parties mean: the header of a data message, the frames of a control connection.

A data message is 16 bytes of header and the raw bytes of one tensor. Header, little-endian:

    u64   magic (high 16 bits) and number of the message in this direction of this link, from 0 (low 48 bits)
    u64   length of the payload in bytes

Shape and type are not sent: both sides know them from the protocol, so a header that differs from what is expected
means that the parties are out of step. A control frame is u8 kind, u32 length, body:

    TICK   (rank i32, beat u64, progress u64, waits_for i32) of the sender, then of parties on the chain it waits for
    ABORT  origin i32, culprit i32, text in UTF-8: the sender stops, or passes on that `origin` stopped
    BYE    nothing: the sender has done its part and closes
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("<QQ")
_MAGIC = 0x4D50 << 48
_NUMBER = (1 << 48) - 1
_FRAME = struct.Struct("<BI")
_TICK = struct.Struct("<iQQi")
_ABORT = struct.Struct("<ii")
_LONGEST = 1 << 16
_LONGEST_TEXT = 400


def header(number: int, length: int) -> bytes:
    """Header of message `number` (counted per direction) with `length` bytes of payload."""
    return HEADER.pack(_MAGIC | number, length)


def mismatch(raw: bytes | bytearray, number: int, length: int) -> str | None:
    """What is wrong with a received header, in words; None if it announces what is expected."""
    first, size = HEADER.unpack(raw)
    if first & ~_NUMBER != _MAGIC:
        return "what came is no message of mpcfl"
    if first & _NUMBER != number:
        return f"message {first & _NUMBER} came where message {number} is due"
    if size != length:
        return f"{size} bytes came where {length} are due"
    return None


class Kind(IntEnum):
    """Kinds of control frames."""

    TICK = 1
    ABORT = 2
    BYE = 3


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life of `rank`: its pulse count, its progress count, and the rank it waits for (-1: nobody)."""

    rank: int
    beat: int
    progress: int
    waits_for: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who is to blame (`culprit`), who found it (`origin`), and the fault, as a phrase after the culprit's name."""

    origin: int
    culprit: int
    fault: str


def tick(beats: list[Beat]) -> bytes:
    """A TICK frame, 5 + 24 bytes a beat."""
    body = b"".join(_TICK.pack(b.rank, b.beat, b.progress, b.waits_for) for b in beats)
    return _FRAME.pack(Kind.TICK, len(body)) + body


def read_tick(body: bytes) -> list[Beat]:
    """The beats of a TICK body; struct.error if it is malformed."""
    return [Beat(*fields) for fields in _TICK.iter_unpack(body)]


def abort(verdict: Verdict) -> bytes:
    """An ABORT frame; the text is cut to one line of at most 400 characters."""
    body = _ABORT.pack(verdict.origin, verdict.culprit) + one_line(verdict.fault).encode()
    return _FRAME.pack(Kind.ABORT, len(body)) + body


def read_abort(body: bytes) -> Verdict:
    """The verdict in an ABORT body; struct.error if it is malformed."""
    origin, culprit = _ABORT.unpack_from(body)
    return Verdict(origin, culprit, one_line(body[_ABORT.size :].decode(errors="replace")))


def bye() -> bytes:
    """A BYE frame."""
    return _FRAME.pack(Kind.BYE, 0)


def one_line(text: str) -> str:
    """`text` fit for one line of somebody else's terminal: printable, without line breaks, not endless."""
    return "".join(c if c.isprintable() else " " for c in text)[:_LONGEST_TEXT].strip()


class Frames:
    """Cuts a stream of bytes into control frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """All frames that `data` completes; ValueError if the stream is no stream of control frames."""
        self._rest += data
        while len(self._rest) >= _FRAME.size:
            kind, length = _FRAME.unpack_from(self._rest)
            if length > _LONGEST:
                raise ValueError("control frame too long")
            if len(self._rest) < _FRAME.size + length:
                return
            body = bytes(self._rest[_FRAME.size : _FRAME.size + length])
            del self._rest[: _FRAME.size + length]
            yield Kind(kind), body
