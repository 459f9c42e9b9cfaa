"""The parties of one measurement as processes, on loopback or each in a network namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measuring.parties import free_port

_SCRIPTS = Path(__file__).resolve().parents[2]
_TICK = os.sysconf("SC_CLK_TCK")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass
class Places:
    """Where parties run: loopback. `inside[i]`: words before party i's command; `sent[i]`: bytes of its IP packets."""

    addresses: Sequence[str] = ("127.0.0.1",) * 8
    inside: Sequence[Sequence[str]] = ((),) * 8
    interface: str = "lo"
    sent: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`fits[rank]`: what each party said of each fit; rank 0's have `cpu_seconds` (of all processes) and `wire_bytes`
    (IP packets by party) too."""

    fits: list[list[dict[str, Any]]]
    versions: dict[str, str]


def run(program: str, size: int, spec: dict[str, Any], places: Places, *, python: str, limit: float) -> Outcome:
    """Run `measuring/peers/{program}.py` as `size` processes; RuntimeError with the end of a log if one fails, or after
    `limit` seconds. The program's last ranks may be servers that never end: who is not waited for is killed."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        logs = [Path(folder) / f"{rank}.log" for rank in range(size)]
        with _started(program, size, {**spec, "ports": _free_ports(size)}, places, python, logs) as processes:
            timer = threading.Timer(limit, _kill, [processes])
            timer.start()
            try:
                said = [_conversation(processes, places)]
                said += [_lines(process) for process in processes[1 : spec["waits_for"]]]
                codes = [process.wait() for process in processes[: spec["waits_for"]]]
            finally:
                timer.cancel()
        if any(codes):
            rank = next(rank for rank, code in enumerate(codes) if code)
            text = logs[rank].read_text(errors="replace") if logs[rank].exists() else ""
            raise RuntimeError(f"party {rank} of {program} stopped with {codes[rank]}: {text[-2000:]}")
    versions = {k: v for one in said for message in one for k, v in message.get("versions", {}).items()}
    return Outcome(fits=[[m["fit"] for m in one if "fit" in m] for one in said], versions=versions)


@contextmanager
def _started(
    program: str, size: int, spec: dict[str, Any], places: Places, python: str, logs: list[Path]
) -> Iterator[list[subprocess.Popen[str]]]:
    paths = [str(_SCRIPTS), str(_SCRIPTS.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), "PYTHONPATH": ":".join(filter(None, paths))}
    environment |= {"GLOO_SOCKET_IFNAME": places.interface}
    processes: list[subprocess.Popen[str]] = []
    try:
        for rank in range(size):
            own = {"rank": rank, "size": size, "log": str(logs[rank]), "master": places.addresses[0]}
            own["addresses"] = list(places.addresses[:size])
            command = [*places.inside[rank], python, "-m", f"measuring.peers.{program}", json.dumps({**spec, **own})]
            pipe = subprocess.PIPE
            with open(logs[rank], "w") as log:
                processes.append(
                    subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, env=environment)
                )
        yield processes
    finally:
        _kill(processes)
        for process in processes:
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def _free_ports(count: int) -> list[int]:
    """Different ones that nobody listens on, on loopback."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)


def _kill(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()


def _conversation(processes: list[subprocess.Popen[str]], places: Places) -> list[dict[str, Any]]:
    """Rank 0's messages; at each of its marks the counters are read."""
    first, said, marks = processes[0], [], {}
    for message in _read(first):
        if "mark" in message:
            marks[message["mark"]] = _cpu(processes), list(places.sent)
            assert first.stdin is not None
            first.stdin.write("\n")
            first.stdin.flush()
            continue
        if "fit" in message:
            (cpu, sent), (cpu_then, sent_then) = marks["stop"], marks["start"]
            wire = [now - before for now, before in zip(sent, sent_then, strict=True)]
            message["fit"] |= {"cpu_seconds": cpu - cpu_then, "wire_bytes": wire}
        said.append(message)
    return said


def _read(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for text in process.stdout:
        yield json.loads(text)


def _lines(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    return list(_read(process))


def _cpu(processes: list[subprocess.Popen[str]]) -> float:
    """CPU seconds of all processes and their threads so far, to a hundredth each."""
    total = 0
    for process in processes:
        try:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])  # utime, stime
    return total / _TICK
