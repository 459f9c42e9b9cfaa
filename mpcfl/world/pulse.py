"""One thread a process that keeps in touch with every peer, whatever the main thread does.

On the control connection of each pair it sends a tick every min(1 s, timeout / 10), hears the ticks of the other side,
and passes on who stopped and why. It alone finds two faults, and tells all peers at once: a connection that closes
without a goodbye ("gone"), and a party whose ticks stop for the time limit ("stalled"). The third, a party that lives
but does not get on ("late"), is found by whoever waits for it. The first fault known is final; the main thread learns
of it through `alarm`, a socket to poll, and at its next look at `failure`.

A party whose main thread sits in native code that keeps Python's global lock cannot tick: long native work must
release it (torch and mpcfl's own kernels do).
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from mpcfl.world import frame
from mpcfl.world.blame import CLOSED, Board, stalled
from mpcfl.world.frame import Beat, Kind, Verdict

_FULL = 1 << 16  # bytes waiting for a peer above which it gets no more ticks
_OWN_GAP = 3  # this many intervals without a look at the others: this process was suspended itself
_LAST_WORDS = 1.0  # seconds that a party waits for its last frames to leave


class _Wire:
    """The control connection to one peer; touched by the pulse thread only."""

    def __init__(self, rank: int, sock: socket.socket) -> None:
        self.rank, self.sock, self.frames = rank, sock, frame.Frames()
        self.out = bytearray()
        self.open = True
        self.read_wants, self.write_wants = select.POLLIN, 0

    def read(self) -> list[tuple[Kind, bytes]]:
        """All frames that are there; clears `open` when the connection has ended."""
        found: list[tuple[Kind, bytes]] = []
        try:
            while data := self.sock.recv(1 << 16):
                found += self.frames.feed(data)
            self.open = False
        except (BlockingIOError, ssl.SSLWantReadError):
            self.read_wants = select.POLLIN
        except ssl.SSLWantWriteError:
            self.read_wants = select.POLLOUT
        except (OSError, ValueError):
            self.open = False
        return found

    def write(self) -> None:
        """Send what the kernel takes."""
        try:
            while self.open and self.out:
                del self.out[: self.sock.send(self.out)]
            self.write_wants = 0
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.write_wants = select.POLLOUT
        except ssl.SSLWantReadError:
            self.write_wants = select.POLLIN
        except OSError:
            self.out.clear()  # reading finds out why


class Pulse:
    """The pulse of party `rank` of `size` over `wires` (non-blocking sockets by peer); `timeout` in seconds.

    `progress` and `waits_for` are set by the main thread and travel with the ticks; `board`, `failure` (known since
    `failed_at`), `left` (peers that said goodbye) and `scanned_at` (the time up to which the others were heard) are for
    it to read.
    """

    def __init__(self, rank: int, size: int, wires: Mapping[int, socket.socket], *, timeout: float) -> None:
        self.rank, self._ranks = rank, range(size)
        self.timeout, self.interval = timeout, min(1.0, timeout / 10)
        self.progress, self.waits_for = 0, -1
        self.failure: Verdict | None = None
        self.failed_at = 0.0
        self.left: set[int] = set()
        self.scanned_at = time.monotonic()
        self.board = Board(rank, list(wires), self.scanned_at)
        self._wires = {sock.fileno(): _Wire(peer, sock) for peer, sock in wires.items()}
        self._lock = threading.Lock()
        self._orders: list[bytes] = []  # frames for all peers
        self._idle = threading.Event()
        self._stop_by: float | None = None
        self._beat = 0
        self.alarm, self._ring = socket.socketpair()
        self._ear, self._wake = socket.socketpair()
        for sock in (self._ring, self._ear, self._wake):
            sock.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="mpcfl-pulse", daemon=True)
        self._thread.start()

    # for any thread

    def fail(self, verdict: Verdict) -> Verdict:
        """The run is lost: tell every peer. Returns the verdict that counts, which is the first one known."""
        with self._lock:
            if self.failure is None:
                self.failure, self.failed_at = verdict, time.monotonic()
                self._orders.append(frame.abort(verdict))
                self._idle.clear()
                self._ring.send(b"!")
        self._rouse()
        return self.failure

    def flush(self) -> None:
        """Wait until the frames for all peers have left, at most one second."""
        self._idle.wait(_LAST_WORDS)

    def close(self) -> None:
        """Say goodbye (unless the run failed), stop the thread and close the connections."""
        with self._lock:
            self._stop_by = time.monotonic() + _LAST_WORDS
            if self.failure is None:
                self._orders.append(frame.bye())
            self._idle.clear()
        self._rouse()
        self._thread.join()
        for sock in (self.alarm, self._ring, self._ear, self._wake):
            sock.close()

    def _rouse(self) -> None:
        with suppress(BlockingIOError):  # then it is awake
            self._wake.send(b"!")

    # for the thread itself

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:  # never in silence: the main thread and the peers hear of it
            self.fail(Verdict(self.rank, self.rank, f"its pulse failed ({type(error).__name__})"))
            self._carry_out()
        for wire in self._wires.values():
            wire.read()  # closing with something unread would be a reset, which may overtake the last words
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_WR)
            wire.sock.close()

    def _loop(self) -> None:
        due = time.monotonic()
        while not self._may_stop():
            ready = self._wait(max(due - time.monotonic(), 0))
            now = time.monotonic()
            for wire in ready:
                self._hear(wire, now)
            if now >= due:
                self._tick(now)
                due = now + self.interval
            self._carry_out()
            if now - self.scanned_at > _OWN_GAP * self.interval:
                self.board.excuse(now)
            else:
                self._find_stalled(now)
            self.scanned_at = now

    def _may_stop(self) -> bool:
        return self._stop_by is not None and (self._idle.is_set() or time.monotonic() > self._stop_by)

    def _wait(self, seconds: float) -> list[_Wire]:
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        for number, wire in self._wires.items():
            if wire.open:
                poll.register(number, wire.read_wants | wire.write_wants)
        events = dict(poll.poll(seconds * 1000 + 1))
        if events.pop(self._ear.fileno(), 0):
            self._ear.recv(1 << 12)
        return [self._wires[number] for number in events]

    def _hear(self, wire: _Wire, now: float) -> None:
        for kind, body in wire.read():
            try:
                self._heed(wire.rank, kind, body, now)
            except struct.error:
                wire.open = False
        if not wire.open and wire.rank not in self.left and self._stop_by is None:
            self.fail(Verdict(self.rank, wire.rank, CLOSED))

    def _heed(self, peer: int, kind: Kind, body: bytes, now: float) -> None:
        if kind is Kind.TICK:
            for beat in frame.read_tick(body):
                if beat.rank in self._ranks:
                    self.board.note(beat, now)
        elif kind is Kind.ABORT:
            verdict = frame.read_abort(body)
            self.fail(verdict if verdict.origin in self._ranks else Verdict(peer, peer, verdict.fault))
        else:
            self.left.add(peer)

    def _tick(self, now: float) -> None:
        self._beat += 1
        waits_for = self.waits_for
        own = Beat(self.rank, self._beat, self.progress, waits_for)
        message = frame.tick([own, *self.board.passed_on(waits_for)])
        for wire in self._wires.values():
            if wire.open and len(wire.out) < _FULL:
                wire.out += message

    def _carry_out(self) -> None:
        with self._lock:
            orders, self._orders = b"".join(self._orders), []
        for wire in self._wires.values():
            if wire.open:
                wire.out += orders
                wire.write()
        with self._lock:
            if not self._orders and not any(wire.open and wire.out for wire in self._wires.values()):
                self._idle.set()

    def _find_stalled(self, now: float) -> None:
        for wire in self._wires.values():
            if wire.open and wire.rank not in self.left:
                silence = self.board.silence(wire.rank, now)
                if silence > self.timeout:
                    self.fail(Verdict(self.rank, wire.rank, stalled(silence)))
