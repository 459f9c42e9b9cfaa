"""Parties as real processes on this machine, linked by mpcfl's own transport (TLS), as in a run of `mpcfl simulate`.

A program is a function `program(session, gate, *arguments)` at the top of a module. It runs at every party after all
have joined; `gate()` lets all go on at the same time, so that start-up, imports and making data are not in a timing.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import mpcfl
from mpcfl.world.party import Roster

Roles = Mapping[str, Sequence[str]]
Gate = Callable[[], object]

THREE: Roles = {"north": ["data", "compute"], "south": ["data", "compute"], "east": ["data", "dealer"]}
"""The default deployment: three organisations, two of which compute while the third deals."""

_NAMES = ("north", "south", "east", "west", "centre", "coast", "hills", "lakes")
_WAIT = 600.0  # seconds that a gate or a result may take


def roles(compute: int, owners: int = 3) -> Roles:
    """`compute` parties (8 at most) and `owners` organisations with data: `THREE` for two and three, else with a helper
    who deals."""
    if compute == 2 and owners == 3:
        return THREE
    names = [*_NAMES, *(f"owner{i}" for i in range(len(_NAMES), owners))][: max(compute, owners)]
    parties = {name: ["compute"] * (i < compute) + ["data"] * (i < owners) for i, name in enumerate(names)}
    return {**parties, "helper": ["dealer"]}


def run_parties(parties: Roles, program: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What `program` returns at each party, by rank; each is a process with one thread for numpy, torch and numba.

    RuntimeError names the first party that stopped; nobody is left running.
    """
    context = multiprocessing.get_context("spawn")
    size, port = len(parties), free_port()
    barrier, answers = context.Barrier(size), context.Queue()
    processes: list[BaseProcess] = []
    before = dict(os.environ)
    try:
        for rank in range(size):
            os.environ.update(_environment(rank, size, port))  # a spawned process inherits it before it imports numpy
            process: BaseProcess = context.Process(
                target=_party, args=(rank, parties, barrier, answers, program, arguments)
            )
            process.start()
            processes.append(process)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        return _collect(processes, answers, list(mpcfl.roster(parties).names))
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()


def _party(rank: int, parties: Roles, barrier: Any, answers: Any, program: Callable[..., Any], arguments: Any) -> None:
    roster: Roster = mpcfl.roster(parties)
    with mpcfl.join(roster) as session:
        result = program(session, lambda: barrier.wait(_WAIT), *arguments)
        answers.put((rank, result))
        barrier.wait(_WAIT)  # nobody leaves while another still works


def _collect(processes: list[BaseProcess], answers: Any, names: list[str]) -> list[Any]:
    results: dict[int, Any] = {}
    end = time.monotonic() + _WAIT
    while len(results) < len(processes):
        try:
            rank, result = answers.get(timeout=0.2)
            results[rank] = result
        except queue.Empty:
            failed = [name for name, process in zip(names, processes, strict=True) if process.exitcode]
            if failed or time.monotonic() > end:
                raise RuntimeError(f"no result: {', '.join(failed) or 'the time is up'}") from None
    return [results[rank] for rank in range(len(processes))]


def _environment(rank: int, size: int, port: int) -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    world = {"RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return threads | {name: str(value) for name, value in world.items()}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
