"""What leaves the shares, on a party's disk before it leaves: a line of JSON an entry of the ledger, never a value.

A run that is killed leaves the file behind, so that the next one can say what had been revealed, also after the last
checkpoint. An entry may be there whose value nobody got any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Entry = dict[str, Any]


class OfRun(NamedTuple):
    """The entries of one run, in order, as far as a party has them."""

    generation: int
    run: str
    entries: list[Entry]


class LedgerFile:
    """The file at `path`, of all runs of a job. OSError where it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, generation: int, run: str, entry: Entry) -> None:
        """One more entry: on the disk when this returns."""
        new = not self.path.exists()
        line = json.dumps({"generation": generation, "run": run, "entry": entry}) + "\n"
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        if new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def read(self) -> list[OfRun]:
        """By run, the oldest first; a line that was cut off is taken out of the file. ValueError: it is damaged."""
        if not self.path.exists():
            return []
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(self.path, len(whole))
        found: dict[tuple[int, str], list[Entry]] = {}
        for line in whole.splitlines():
            try:
                fields = json.loads(line)
                found.setdefault((int(fields["generation"]), str(fields["run"])), []).append(dict(fields["entry"]))
            except (TypeError, KeyError, ValueError):
                raise ValueError(f"line {line[:40]!r} is none of a ledger") from None
        return [OfRun(*key, entries) for key, entries in sorted(found.items())]

    def remove(self) -> None:
        if self.path.exists():
            self.path.unlink()


def longest(held: Iterable[Sequence[OfRun]]) -> list[Entry]:
    """All entries of all runs, the oldest first: of each run those of the party that has most. All revealed the same in
    the same order, so what one has is where another's begins."""
    found: dict[tuple[int, str], list[Entry]] = {}
    for of_party in held:
        for generation, run, entries in of_party:
            if len(entries) > len(found.get((generation, run), [])):
                found[generation, run] = entries
    return [entry for _, entries in sorted(found.items()) for entry in entries]
