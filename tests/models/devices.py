"""Runs that can be repeated on other devices: the keys of every pair are those of the run before."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from tests.parties import run_with_sessions
from tests.simulated_cuda import on_thread, simulated_cuda


def _key_of(_: bytes, *labels: Any) -> bytes:
    """Known to everybody: of the pair's ranks and what they agreed on, without their public keys."""
    what, own, low, _key, high, _other = labels
    return hashlib.sha256(f"{what}|{own.hex()}|{low}|{high}".encode()).digest()


@contextmanager
def same_keys() -> Iterator[None]:
    """Every pair of parties has the same key in each run, and each party its own ones in the same order."""
    drawn: dict[str, int] = {}

    def fresh() -> bytes:
        name = threading.current_thread().name
        drawn[name] = drawn.get(name, 0) + 1
        return hashlib.sha256(f"{name}|{drawn[name]}".encode()).digest()

    with patch("mpcfl.world.session.derive", _key_of), patch("mpcfl.offline.crypten_streams.fresh_key", fresh):
        yield


def run_on(
    devices: Mapping[int, str], who: Roster, program: Callable[[Session], Any], *, real: bool = False
) -> tuple[list[Any], list[Session]]:
    """Results and sessions by rank, with the parties in `devices` on simulated devices, or `real` ones, and the others
    on the CPU."""
    simulated = bool(devices) and not real

    def party(session: Session) -> Any:
        threading.current_thread().name = session.name
        with on_thread() if simulated else nullcontext():
            return program(session)

    with same_keys(), simulated_cuda() if simulated else nullcontext():
        return run_with_sessions(who, party, devices)
