"""The rows of results/: one format for all scripts, and the files that keep them. One JSON object a line.

Every row has

    figure      the table or picture that it belongs to
    case        its name: a file has one row of a (figure, case)
    how         "measured"; "planned": rounds and bytes counted exactly by a dry run of the same program; "computed":
                from other figures, and then `from` says how
    seed        of all that is random and public
    run         when its script began: seconds are compared within one run only
    machine     cpu, cores, and the load average as its measurement began: above the cores, seconds are noisy
    versions    python, mpcfl, commit ("+": with changes), libraries

and, where it applies, by the same names and in the same units in all files

    system      a name of `measuring.style.MARKS`, which is its mark in every picture
    data, rows, columns, model, solver, partition, compute_parties, owners, iterations, batch, link
    rounds      messages that wait for each other: of a compute party, or of whoever has most
    bytes       sent online by the party that sends most
    bytes_online, bytes_offline, cpu_seconds       of each party: {"north": 7324, ...}
    seconds     of the slowest party, from the data in memory to the weights; no start-up, no first use of a library
    phases      seconds of the phases, of each party: {"north": {"online": 0.2, "offline": 0.1, ...}, ...}
    reference   what the weights are compared with, in words
    relative    |w - w'| / |w'|, w' those of the reference; `worst`: the largest |w_j - w'_j| / |w'_j|
    accuracy    of the weights on the table trained on, or on `accuracy_on`
    seen        who sees what besides the final weights, in words
    name, value, unit      of a figure that is one number: what a device does in a second, say
    peer        what one would use instead: its name and value, in the same unit, or why that was not measured; `ratio`:
                how many times better than it
    roofline    what bounds the figure on this device, the best value that it allows, and the share of it; `target`:
                what was to be reached; `device`: its name; `spread`: half the middle half of repeats, over the median
    of attacks     see `measuring.attacks`
    not_measured   the reason why there are no figures; `refused`: the error with which the system refused, by design

    stamp = Stamp(seed=1)
    book = Book(Path("results/sweep.jsonl"))
    for row in stamp.each(lambda: [{"figure": "parties", "case": "N = 2", "rounds": 4}]):
        book.keep(row)  # written at once, in the place of the row of that name
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mpcfl
from mpcfl.version import VERSION

Row = dict[str, Any]
HOW = ("measured", "planned", "computed")
RESULTS = Path(__file__).parents[2] / "results"
_LIBRARIES = ("torch", "numpy", "numba", "cryptography", "scikit-learn", "crypten")


@dataclass(frozen=True)
class Stamp:
    """Where, when and with what a script makes its rows. `libraries`: further ones whose versions matter."""

    seed: int
    libraries: Sequence[str] = ()
    run: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S"))

    def each(self, maker: Callable[[], Iterable[Row]], load: float | None = None) -> Iterator[Row]:
        """The maker's rows, complete. The load is that before the maker began, and of each further row before it."""
        versions = self._versions()
        machine = {"cpu": _cpu(), "cores": os.cpu_count()}
        before = round(os.getloadavg()[0] if load is None else load, 2)
        for row in maker():
            stamp = {"seed": self.seed, "run": self.run, "machine": {**machine, "load": before}, "versions": versions}
            yield checked({"how": "measured", **row, **stamp})
            before = round(os.getloadavg()[0], 2)

    def _versions(self) -> dict[str, str]:
        found = {"python": platform.python_version(), "mpcfl": VERSION, "commit": commit()}
        for name in (*_LIBRARIES, *self.libraries):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue
        return found


class Book:
    """A file of rows. `figures`: their order in it; others come after, as they were kept."""

    def __init__(self, path: Path, figures: Sequence[str] = ()) -> None:
        self.path, self._figures = path, list(figures)
        self._rows = {key(row): row for row in read(path)}

    @property
    def rows(self) -> list[Row]:
        return list(self._rows.values())

    def keep(self, row: Row) -> None:
        """Keep a row in the place of the one of its name, and write the file."""
        self._rows[key(row)] = checked(row)
        self._write()

    def forget(self, figure: str, but: Iterable[str] = ()) -> None:
        """Take the rows of a figure out, except for the cases `but`."""
        kept = set(but)
        self._rows = {name: row for name, row in self._rows.items() if name[0] != figure or name[1] in kept}
        self._write()

    def _write(self) -> None:
        order = {figure: i for i, figure in enumerate(self._figures)}
        rows = sorted(self._rows.values(), key=lambda row: order.get(row["figure"], len(order)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        new.replace(self.path)


def read(path: Path) -> list[Row]:
    """Rows of a file; none if there is no file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def pick(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """Rows with these values that have figures (no `not_measured`)."""
    return [row for row in rows if "not_measured" not in row and all(row.get(name) == wanted[name] for name in wanted)]


def key(row: Row) -> tuple[str, str]:
    return row["figure"], row["case"]


def checked(row: Row) -> Row:
    """The row itself. ValueError: it lacks its name, or says nothing of how its figures were come by."""
    missing = [name for name in ("figure", "case", "seed", "run", "machine", "versions") if name not in row]
    if missing:
        raise ValueError(f"a row without {', '.join(missing)}: {row}")
    if row.get("how") not in HOW or (row["how"] == "computed") != ("from" in row):
        raise ValueError(f"{row['figure']}, {row['case']}: how is one of {HOW}, and a computed one says `from` what")
    return row


def commit() -> str:
    """Of the checkout that mpcfl is imported from, with a "+" where mpcfl/ differs from it; empty outside one."""
    if shutil.which("git") is None:
        return ""
    head, changes = (
        subprocess.run(["git", "-C", str(Path(mpcfl.__file__).parents[1]), *command], capture_output=True, text=True)
        for command in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "mpcfl"])
    )
    return head.stdout.strip() + "+" * bool(changes.stdout.strip())


def _cpu() -> str:
    """LLVM's name of the processor, e.g. sapphirerapids."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    return str(llvm.get_host_cpu_name())
