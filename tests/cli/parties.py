"""Parties of a job as real processes that run `mpcfl train`, and what each said and exited with.

They are forked (`tests/forked.py`), so a run takes a second and not eight. A fault can be put into one of them: a
signal to itself, or sleep, at a place in the program (`PLACES`).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes

from tests.forked import processes
from tests.simulated_cuda import simulated_cuda
from tests.world.gloo import gloo_for_nccl

OWNERS = ("north", "south", "east")  # by rank: two compute parties and the dealer, each with data
FEATURES = tuple(load_diabetes().feature_names)
TABLE = np.c_[load_diabetes(scaled=False).data, load_diabetes().target]
LIMIT = 60.0

PLACES = {
    "start": ("mpcfl.world.runs", "open_store", None),
    "reading": ("mpcfl.cli.train", "table_of", None),
    "online": ("mpcfl.world.session", "Session.step", "doubling"),
    "reveal": ("mpcfl.models.training", "reveal", None),
}
"""Phase -> module, function, and the word that its arguments must have for the fault to happen there."""

MOMENTS: dict[str, tuple[str, str, object]] = {
    "iteration 7": ("mpcfl.world.session", "Session.step", 7),
    "iteration 15": ("mpcfl.world.session", "Session.step", 15),  # after the twelve doublings that lasso begins with
    "a checkpoint is written": ("mpcfl.sharing.sealed", "_sync", None),
}
"""Moments of a run that keeps checkpoints, in the same form."""


@dataclass(frozen=True)
class Fault:
    """At `place`, the party called `party` notes the time in `noted` and gets the signal."""

    party: str
    place: str
    number: signal.Signals
    noted: Path


@dataclass(frozen=True)
class Ended:
    """code: the exit code, negative for a signal, None if it had to be killed at the end; at: of `time.time`."""

    code: int | None
    out: str
    err: str
    at: float


def write_tables(folder: Path, *, header: bool = True) -> None:
    """The diabetes table, split by rows over north, south and east."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(OWNERS, np.array_split(TABLE, 3), strict=True):
        write_csv(folder / f"{name}.csv", rows)


def write_csv(path: Path, rows: Any, names: Sequence[str] = (*FEATURES, "y")) -> None:
    lines = [",".join(names), *(",".join(f"{value:.10g}" for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_job(folder: Path, tables: Mapping[str, Any], name: str = "job.toml") -> Path:
    """A job file from tables as `tests.cli.jobs.tables` makes them."""
    lines = []
    for section, content in tables.items():
        parts = content.items() if section == "parties" else [("", content)]
        for party, keys in parts:
            lines.append(f"[{section}.{party}]" if party else f"[{section}]")
            lines += [f"{key} = {_toml(value)}" for key, value in keys.items()]
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def train(
    jobs: Path | Mapping[str, Path],
    *,
    names: Sequence[str] = OWNERS,
    out: Path | None = None,
    by_name: bool = False,
    fault: Fault | None = None,
    world_size: int | None = None,
    limit: float = LIMIT,
    simulated: Sequence[str] = (),
    gloo: bool = False,
) -> dict[str, Ended]:
    """Run every party; `jobs` may differ by party, `by_name` starts with --party instead of torchrun's variables.
    simulated: the parties whose machines have GPUs, simulated ones; gloo: between those it takes the place of NCCL."""
    folder = next(iter(jobs.values())).parent if isinstance(jobs, Mapping) else jobs.parent
    port = free_port()
    started: dict[str, BaseProcess] = {}
    for rank, name in enumerate(names):
        job = jobs[name] if isinstance(jobs, Mapping) else jobs
        argv = ["train", str(job), *(["--out", str(out)] if out else []), *(["--party", name] if by_name else [])]
        environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
        if not by_name:
            size = str(len(names) if world_size is None else world_size)
            environment |= {"RANK": str(rank), "WORLD_SIZE": size, "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": size}
        own_fault = fault if fault is not None and fault.party == name else None
        process = processes().Process(
            target=_party, args=(argv, environment, str(folder / f"{name}.log"), own_fault, name in simulated, gloo)
        )
        process.start()
        started[name] = process
    try:
        ended = _wait(started, limit, fault.party if fault else None)
    finally:
        for process in started.values():
            process.kill()
            process.join()
    return {name: _ended(folder / f"{name}.log", *ended[name]) for name in names}


def _wait(started: Mapping[str, BaseProcess], limit: float, victim: str | None) -> dict[str, tuple[int | None, float]]:
    """Exit code and time by name; does not wait for the victim of a fault."""
    deadline = time.time() + limit
    ended: dict[str, tuple[int | None, float]] = {}
    while time.time() < deadline and not set(started) <= {*ended, victim}:
        for name, process in started.items():
            if name not in ended and process.exitcode is not None:
                ended[name] = (process.exitcode, time.time())
        time.sleep(0.01)
    return {name: ended.get(name, (process.exitcode, time.time())) for name, process in started.items()}


def _ended(log: Path, code: int | None, at: float) -> Ended:
    out, err = (Path(f"{log}.{kind}").read_text() for kind in ("out", "err"))
    return Ended(code, out, err, at)


def _party(
    argv: list[str], environment: dict[str, str], log: str, fault: Fault | None, simulated: bool, gloo: bool
) -> None:
    os.environ.update(environment)
    for number, kind in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{log}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    from mpcfl.cli.main import main

    if fault is not None:
        _plant(fault)
    with simulated_cuda() if simulated else nullcontext(), gloo_for_nccl() if gloo else nullcontext():
        code = main(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _plant(fault: Fault) -> None:
    import importlib

    module, path, word = (PLACES | MOMENTS)[fault.place]
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    real = getattr(owner, name)

    def faulty(*args: Any, **settings: Any) -> Any:
        if word is None or word in args:
            fault.noted.write_text(repr(time.time()))
            os.kill(os.getpid(), fault.number)
        return real(*args, **settings)

    setattr(owner, name, faulty)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
