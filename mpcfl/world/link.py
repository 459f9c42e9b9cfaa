"""The data connection of one pair: one message out and one message in at a time, without ever blocking.

Plain and TLS sockets share the code: `push` and `pull` move what the kernel takes or has and say what to wait for.
What OpenSSL has decrypted already is never waited for, because `pull` always tries before anybody polls.
"""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress

import torch

from mpcfl.world import frame

# With a first piece of one full TLS record a small message is one system call and one record.
_FIRST = (1 << 14) - frame.HEADER.size
_TURN = 1 << 22  # bytes after which the other direction gets its turn
_EMPTY = memoryview(b"")


class Closed(Exception):
    """The other side closed the connection, or it broke."""


class OutOfStep(Exception):
    """A header came that announces another message than the one that is due; the text says which."""


class Link:
    """`out_wants` and `in_wants` are poll masks, 0 when that direction is done."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._secure = sock, isinstance(sock, ssl.SSLSocket)
        self.fileno = sock.fileno()
        self.out_wants = self.in_wants = 0
        self._sent = self._received = 0  # messages
        self._out = self._rest = self._body = _EMPTY
        self._head = memoryview(bytearray(frame.HEADER.size))
        self._head_due = 0
        self._length = 0

    @property
    def wants(self) -> int:
        """Poll mask of both directions; 0 when nothing is under way."""
        return self.out_wants | self.in_wants

    def send(self, payload: memoryview) -> None:
        """Begin to send `payload`."""
        head = frame.header(self._sent, len(payload))
        self._sent += 1
        self._out = memoryview(head + payload[:_FIRST])
        self._rest = payload[_FIRST:]
        self.out_wants = select.POLLOUT

    def receive(self, into: memoryview) -> None:
        """Begin to receive a message of exactly this many bytes into this memory."""
        self._body, self._length, self._head_due = into, len(into), frame.HEADER.size
        self.in_wants = select.POLLIN

    def push(self) -> None:
        """Send as much as goes without waiting; Closed if the other side has closed."""
        moved = 0
        try:
            while self._out:
                count = self._sock.send(self._out[:_TURN])
                self._out = self._out[count:]
                moved += count
                if not self._out:
                    self._out, self._rest = self._rest, _EMPTY
                if moved >= _TURN:
                    break
            self.out_wants = select.POLLOUT if self._out else 0
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.out_wants = select.POLLOUT
        except ssl.SSLWantReadError:
            self.out_wants = select.POLLIN
        except OSError as error:  # ssl.SSLError is one too
            raise Closed from error

    def pull(self) -> None:
        """Receive as much as is there without waiting; Closed at the end of the stream, OutOfStep at a wrong header."""
        moved = 0
        try:
            while self._head_due or self._body:
                count = self._read()
                if not count:
                    raise Closed
                moved += count
                self._take(count)
                if moved >= _TURN:
                    break
            if not self._head_due and not self._body:
                self.in_wants = 0
                self._received += 1
        except (BlockingIOError, ssl.SSLWantReadError):
            self.in_wants = select.POLLIN
        except ssl.SSLWantWriteError:
            self.in_wants = select.POLLOUT
        except OSError as error:
            raise Closed from error

    def _read(self) -> int:
        if not self._head_due:
            return self._sock.recv_into(self._body)
        head = self._head[-self._head_due :]
        if self._secure:
            return self._sock.recv_into(head)
        return self._sock.recvmsg_into([head, self._body])[0]

    def _take(self, count: int) -> None:
        """Account for `count` bytes that were read into the header's and then the body's memory."""
        if self._head_due:
            part = min(count, self._head_due)
            self._head_due -= part
            count -= part
            if not self._head_due and (wrong := frame.mismatch(bytes(self._head), self._received, self._length)):
                raise OutOfStep(wrong)
        if count:
            self._body = self._body[count:]

    def close(self) -> None:
        """Close; what was sent is still delivered by the kernel."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._sock.close()


def raw(tensor: torch.Tensor) -> memoryview:
    """The memory of a contiguous CPU tensor of any dtype, as bytes, without a copy."""
    return tensor.detach().reshape(-1).view(torch.uint8).numpy().data
