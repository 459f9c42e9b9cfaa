"""Logistic regression side by side: mpcfl, CrypTen and SecretFlow SPU, on loopback and on a slow link.

    python scripts/bench_peers.py [--only PATTERN ...] [--spu PYTHON] [--out FOLDER] [--list]

Writes results/peers.jsonl, a row as soon as it is measured, and results/peers.md from all rows there. Under ten minutes
on two idle cores. PATTERN chooses rows by name, as in "synthetic-128/*/mpcfl"; the others stay as they are.

SPU needs another numpy than mpcfl, so an environment of its own: `python3.11 -m venv ENV && ENV/bin/pip install spu`,
then `--spu ENV/bin/python`. The slow link (40 ms round trip, 100 Mbit/s) needs root and iproute2. What is not there is
"not measured", with the reason.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import time
from functools import partial
from pathlib import Path

from measuring.peers import measure, picture, report
from measuring.peers.systems import NETWORKS
from measuring.peers.tasks import Task, tasks
from measuring.provenance import measured

SEED = 20240607


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="PATTERN", help="names of rows, with * for anything")
    parser.add_argument("--spu", default="", metavar="PYTHON", help="the Python of an environment in which spu is")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results", metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="print the names of all rows, and measure nothing")
    options = parser.parse_args()
    chosen = _chosen(options.only)
    if options.list:
        print("\n".join(task.name for task in chosen))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "peers.jsonl"
    rows = measure.load(path)
    order = [task.name for task in tasks()]
    run = time.strftime("%Y-%m-%dT%H:%M:%S")
    makers = {task.name: partial(measure.rows, task, SEED, options.spu) for task in chosen}
    for row in measured(makers, list(makers), SEED):
        rows[row["name"]] = {**row, "run": run}
        print(measure.line(row), flush=True)
        kept = sorted(rows.values(), key=lambda row: order.index(row["name"]))
        path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    kept = [rows[name] for name in order if name in rows]
    (options.out / "peers.md").write_text(report.page(kept))
    picture.draw(kept, options.out / "peers")
    print(f"written: {path}, {options.out / 'peers.md'}")


def _chosen(patterns: list[str] | None) -> list[Task]:
    if patterns is None:
        return [task for task in tasks() if task.system.wide or task.network == NETWORKS[0]]
    found = [task for task in tasks() if any(fnmatch.fnmatch(task.name, pattern) for pattern in patterns)]
    if not found:
        raise SystemExit(f"no row is called {' or '.join(patterns)}: --list prints all names")
    return found


if __name__ == "__main__":
    main()
