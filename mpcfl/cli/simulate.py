"""`mpcfl simulate`: every party a process on this machine, linked as in a real run; then the plaintext twin."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mpcfl.cli.assembly import local_facts, local_tables, settings_of
from mpcfl.cli.job import Job
from mpcfl.data.facts import Facts
from mpcfl.data.moments import split_rows
from mpcfl.errors import MpcflError, PartyError
from mpcfl.models.plaintext import Array, Twin, plaintext_twin
from mpcfl.report.record import RunRecord

TWIN_VALUES = 1 << 27  # elements of the pooled table up to which the twin is computed (1 GiB)
_GRACE = 5.0  # seconds that the others get to say what they know of a failure


class Failed(MpcflError):
    """A party of a simulation stopped; its own message is on standard error. Carries its exit code."""

    def __init__(self, party: str, code: int) -> None:
        super().__init__(f"the simulation stopped: {party} failed (exit code {code})", hint="its message stands above")
        self.exit_code = code


def simulate(job_path: str | Path, device: str | None = None) -> RunRecord:
    """Run all parties of a job here and return the record, with the error against plaintext training. `device`: where
    all of them work, whatever the job says.

    Raises what the first party to fail exits with, as `Failed`; the others' messages are left out.
    """
    job = Job.load(job_path)
    settings_of(job)  # what they refuse, and bad tables and schemas, is reported once, before any process starts
    facts = local_facts(job)
    with tempfile.TemporaryDirectory(prefix="mpcfl-") as folder:
        record_path = Path(folder) / "record.json"
        _run_all(job, [str(job_path), str(record_path), *([device] if device else [])], folder)
        fields = json.loads(record_path.read_text())
    fields["coef"], fields["features"] = np.array(fields["coef"]), tuple(fields["features"])
    _add_twin(fields, job, facts)
    return RunRecord(**fields)


def _run_all(job: Job, arguments: list[str], folder: str) -> None:
    """`arguments`: those of `party_main`."""
    names = job.ranks
    port = _free_port()
    threads = max(1, (os.cpu_count() or 1) // len(names))
    parties: list[subprocess.Popen[str]] = []
    logs = [open(Path(folder) / f"{rank}.log", "w+") for rank in range(len(names))]
    for rank, log in enumerate(logs):
        environment = {
            **os.environ,
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "RANK": str(rank),
            "WORLD_SIZE": str(len(names)),
            "LOCAL_RANK": str(rank),
            "LOCAL_WORLD_SIZE": str(len(names)),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
        }
        program = "import sys; from mpcfl.cli.main import party_main; sys.exit(party_main(*sys.argv[1:]))"
        command = [sys.executable, "-c", program, *arguments]
        show_progress = rank == 0 and sys.stderr.isatty()
        parties.append(subprocess.Popen(command, env=environment, stderr=None if show_progress else log, text=True))
    try:
        codes = _wait(parties)
    except BaseException:
        for party in parties:
            party.kill()
        raise
    finally:
        texts = [_text(log) for log in logs]
    if any(codes):
        raise _first_failure(names, codes, texts)


def _wait(parties: list[subprocess.Popen[str]]) -> list[int]:
    """Exit codes; once a party has failed the others get a few seconds to notice."""
    deadline: float | None = None
    while True:
        codes = [party.poll() for party in parties]
        if all(code is not None for code in codes):
            return [int(code or 0) for code in codes]
        if deadline is None and any(codes):
            deadline = time.monotonic() + _GRACE
        if deadline is not None and time.monotonic() > deadline:
            for party in parties:
                party.kill()
        time.sleep(0.02)


def _first_failure(names: tuple[str, ...], codes: list[int], texts: list[str]) -> Failed:
    """The party that failed for a reason of its own rather than for another party's loss."""
    failed = [rank for rank, code in enumerate(codes) if code]
    own = [rank for rank in failed if codes[rank] != PartyError.exit_code]
    rank = (own or failed)[0]
    if texts[rank]:
        print(texts[rank].rstrip(), file=sys.stderr)
    return Failed(names[rank], codes[rank] if codes[rank] > 0 else PartyError.exit_code)


def _text(log: Any) -> str:
    log.seek(0)
    text = log.read()
    log.close()
    return str(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _add_twin(fields: dict[str, Any], job: Job, facts: Facts) -> None:
    """Train on the pooled tables in plaintext and put error, seconds and convergence into the report."""
    if facts.total_rows * facts.columns > TWIN_VALUES:
        return
    x, y, aside = pooled(job, facts)
    report, settings = fields["report"], settings_of(job)
    if settings.selection is not None:
        settings = settings.with_choice(settings.selection.values.index(report["selection"]["winner"]))
    twin = plaintext_twin(x, y, facts, settings, aside)
    report["error"] = compare(fields["coef"], fields["intercept"], twin)
    report["seconds"]["plaintext"] = twin.seconds
    report["plaintext"] = {
        "coef": twin.coefficients.tolist(),
        "intercept": np.asarray(twin.intercept).tolist(),
        "convergence": [[steps, distance] for steps, distance in twin.convergence],
    }


def pooled(job: Job, facts: Facts) -> tuple[Array, Array, dict[str, Array]]:
    """(x, y, columns that are no features) of all training rows, columns in the order of the facts. Only where all
    tables are one's own."""
    tables = {name: np.concatenate(list(table.chunks())) for name, table in local_tables(job).items()}
    columns = {name: table.columns for name, table in local_tables(job).items()}
    wanted = [*facts.features, *facts.aside.names, facts.target]
    names = job.ranks
    if facts.holders:
        holders = [*facts.holders[:-1], *[facts.holders[-1]] * (1 + len(facts.aside.names))]
        pairs = [(names[holder], column) for holder, column in zip(holders, wanted, strict=True)]
        whole = np.stack([tables[name][:, columns[name].index(column)] for name, column in pairs], axis=1)
        whole = whole[~split_rows(len(whole), facts.test_fraction, facts.seed)]
    else:
        parts = []
        for rank in facts.owners:
            table = tables[names[rank]][:, [columns[names[rank]].index(column) for column in wanted]]
            parts.append(table[~split_rows(len(table), facts.test_fraction, facts.seed)])
        whole = np.concatenate(parts)
    d = len(facts.features)
    return whole[:, :d], whole[:, -1], {name: whole[:, d + i] for i, name in enumerate(facts.aside.names)}


def compare(coef: np.ndarray[Any, Any], intercept: Any, twin: Twin) -> dict[str, float]:
    """Largest difference of a coefficient and of an intercept, and norm of the difference over norm of the twin's
    coefficients."""
    difference = coef - twin.coefficients
    size = float(np.linalg.norm(twin.coefficients)) or 1.0
    return {
        "max_abs": float(np.abs(difference).max()),
        "relative": float(np.linalg.norm(difference)) / size,
        "intercept": float(np.abs(np.subtract(intercept, twin.intercept)).max()),
    }
