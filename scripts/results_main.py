"""The figures of the main job, measured on this machine: results/main.jsonl and results/horizontal_n.svg, .png.

    python scripts/results_main.py [--only FIGURE ...] [--out FOLDER]

Every party is a process; they are linked by mpcfl's own transport with TLS. One JSON line a row, with versions, machine
and seeds; with --only the other figures' rows stay as they are. About two minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring import crypten_peer, large, picture, small
from measuring.table import line

SEED = 20240607
ROWS = (10**3, 10**4, 10**5, 10**6)
VERTICAL_ROWS = 10**5
_LIBRARIES = ("torch", "numpy", "numba", "cryptography", "scikit-learn", "crypten")


def horizontal() -> list[dict[str, Any]]:
    return [{"figure": "horizontal", "case": f"n = {n}", **large.horizontal(n, SEED)} for n in ROWS]


def vertical() -> list[dict[str, Any]]:
    return [{"figure": "vertical", "case": f"n = {VERTICAL_ROWS}", **large.vertical(VERTICAL_ROWS, SEED)}]


def peers() -> list[dict[str, Any]]:
    return [{"figure": "peer", **row} for row in crypten_peer.peer_rows(SEED)]


FIGURES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "small": lambda: small.small_rows(SEED),
    "seed": lambda: small.seed_rows(SEED),
    "horizontal": horizontal,
    "vertical": vertical,
    "peer": peers,
}
_WRITES = {"small": ("diabetes", "ill-conditioned"), "seed": ("seed example",)}


def measured(names: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of the chosen figures, with where and how they were made."""
    versions = {"python": platform.python_version(), "mpcfl": version("mpcfl"), "commit": _commit()}
    versions |= {name: version(name) for name in _LIBRARIES}
    for name in names:
        # Other work on the machine shows in the load before a figure starts: seconds are then to be read with care.
        machine = {"cpu": _cpu(), "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
        for row in FIGURES[name]():
            yield {**row, "seed": SEED, "machine": machine, "versions": versions}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    options = parser.parse_args()
    path = options.out / "main.jsonl"
    replaced = {figure for name in options.only for figure in _WRITES.get(name, (name,))}
    old = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    rows = [row for row in old if row["figure"] not in replaced]
    for row in measured(options.only):
        print(line(row), flush=True)
        rows.append(row)
    order = [figure for name in FIGURES for figure in _WRITES.get(name, (name,))]
    rows.sort(key=lambda row: order.index(row["figure"]))
    options.out.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if "horizontal" in options.only:
        picture.horizontal_picture([row for row in rows if row["figure"] == "horizontal"], options.out / "horizontal_n")
    print(f"written: {path}")


def _commit() -> str:
    """Of the working tree, with a "+" where mpcfl/ differs from it; empty outside a git checkout."""
    here = Path(__file__).parent.parent
    head, changes = (
        subprocess.run(["git", "-C", str(here), *command], capture_output=True, text=True)
        for command in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "mpcfl"])
    )
    return head.stdout.strip() + "+" * bool(changes.stdout.strip())


def _cpu() -> str:
    """LLVM's name of the processor, e.g. sapphirerapids."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    return str(llvm.get_host_cpu_name())


if __name__ == "__main__":
    main()
