"""Where and how a row of results was made, and the file that keeps the rows."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring.table import line

Row = dict[str, Any]
_LIBRARIES = ("torch", "numpy", "numba", "cryptography", "scikit-learn", "crypten")
_HERE = Path(__file__).parents[2]


def measured(makers: Mapping[str, Callable[[], list[Row]]], names: Sequence[str], seed: int) -> Iterator[Row]:
    """Rows of the chosen figures, with where and how they were made."""
    versions = {"python": platform.python_version(), "mpcfl": version("mpcfl"), "commit": _commit()}
    versions |= {name: version(name) for name in _LIBRARIES}
    for name in names:
        # Other work on the machine shows in the load before a figure starts: seconds are then to be read with care.
        machine = {"cpu": _cpu(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
        for row in makers[name]():
            yield {**row, "seed": seed, "machine": machine, "versions": versions}


def keep(path: Path, rows: Iterator[Row], replaced: set[str], order: Sequence[str]) -> list[Row]:
    """Print rows as they come, then write them to `path`, one JSON line each, in the place of those of the `replaced`
    figures; figures in `order`. All rows that the file then has."""
    old = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    kept = [row for row in old if row["figure"] not in replaced]
    for row in rows:
        print(line(row), flush=True)
        kept.append(row)
    kept.sort(key=lambda row: order.index(row["figure"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    print(f"written: {path}")
    return kept


def _commit() -> str:
    """Of the working tree, with a "+" where mpcfl/ differs from it; empty outside a git checkout."""
    head, changes = (
        subprocess.run(["git", "-C", str(_HERE), *command], capture_output=True, text=True)
        for command in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "mpcfl"])
    )
    return head.stdout.strip() + "+" * bool(changes.stdout.strip())


def _cpu() -> str:
    """LLVM's name of the processor, e.g. sapphirerapids."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    return str(llvm.get_host_cpu_name())
