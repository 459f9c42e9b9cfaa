"""A wide area network on one machine: network namespaces whose packets pass through this process, late and in turn.

Each party has a namespace with a TUN device; what it sends is read here, waits in the queue of its uplink (`rate`) and
is written to the receiver's device after `one_way` seconds. A kernel with netem would do the same; many have none.
A proxy that delays TCP streams would need every port in advance, and the systems measured choose theirs while they
start; below IP all of them run as they are, and handshakes, acknowledgements and slow start cost what they cost.

Needs root, /dev/net/tun and iproute2's `ip`.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from measuring.peers.launch import Places

ROUND_TRIP, RATE = 0.040, 100e6  # seconds; bits a second of each party's uplink
_DEVICE, _SUBNET = "wan0", "10.78.0"
_MTU = 9000
_LONGEST_QUEUE = 0.2  # seconds of an uplink; what comes then is dropped, as by a router
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def missing() -> str:
    """What this machine lacks, or an empty text."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "iproute2's `ip` is not installed"
    return "" if os.path.exists("/dev/net/tun") else "there is no /dev/net/tun"


@contextmanager
def wide_area(parties: int, *, one_way: float = ROUND_TRIP / 2, rate: float = RATE) -> Iterator[Places]:
    """Namespaces for so many parties, joined; gone afterwards."""
    names = [f"mpcfl{os.getpid()}p{i + 1}" for i in range(parties)]
    addresses = [f"{_SUBNET}.{i + 1}" for i in range(parties)]
    devices: list[int] = []
    try:
        for i, (name, address) in enumerate(zip(names, addresses, strict=True)):
            _ip("netns", "add", name)
            devices.append(_tun(temporary := f"wan{os.getpid() % 10**6}p{i + 1}"))
            _ip("link", "set", temporary, "netns", name, "name", _DEVICE)  # the open file stays attached
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", _DEVICE)
            _ip("-n", name, "link", "set", _DEVICE, "mtu", str(_MTU), "txqueuelen", "2000", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        sent, stop = [0] * parties, threading.Event()
        carrier = threading.Thread(target=_carry, args=(devices, one_way, rate, sent, stop), daemon=True)
        carrier.start()
        try:
            inside = [("ip", "netns", "exec", name) for name in names]
            yield Places(addresses=addresses, inside=inside, interface=_DEVICE, sent=sent)
        finally:
            stop.set()
            carrier.join()
    finally:
        for device in devices:
            os.close(device)
        for name in names:
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", name)


def _carry(devices: list[int], one_way: float, rate: float, sent: list[int], stop: threading.Event) -> None:
    """Move packets until told to stop; `sent` counts the bytes of each party's packets."""
    number = {device: i for i, device in enumerate(devices)}
    under_way: list[deque[tuple[float, int, bytes]]] = [deque() for _ in devices]
    free_at = [0.0] * len(devices)
    while not stop.is_set():
        now = time.monotonic()
        for queue in under_way:
            while queue and queue[0][0] <= now:
                _, receiver, packet = queue.popleft()
                with suppress(OSError):
                    os.write(devices[receiver], packet)
        due = min((queue[0][0] for queue in under_way if queue), default=now + 0.1)
        for device in select.select(devices, [], [], max(0.0, due - time.monotonic()))[0]:
            i = number[device]
            for packet in _packets(device):
                receiver = packet[19] - 1  # last byte of an IPv4 destination
                start = max(free_at[i], time.monotonic())
                if packet[0] >> 4 != 4 or not 0 <= receiver < len(devices) or start - now > _LONGEST_QUEUE:
                    continue
                free_at[i] = start + 8 * len(packet) / rate
                sent[i] += len(packet)
                under_way[i].append((free_at[i] + one_way, receiver, packet))


def _packets(device: int, most: int = 64) -> Iterator[bytes]:
    for _ in range(most):
        try:
            yield os.read(device, _MTU + 256)
        except BlockingIOError:
            return


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
