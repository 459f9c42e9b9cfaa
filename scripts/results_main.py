"""The figures of the main job, measured on this machine: results/main.jsonl and results/horizontal_n.svg, .png.

    python scripts/results_main.py [--only FIGURE ...] [--out FOLDER]

Every party is a process; they are linked by mpcfl's own transport with TLS. One JSON line a row, with versions, machine
and seeds; with --only the other figures' rows stay as they are. About two minutes on two idle cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import crypten_peer, large, picture, small
from measuring.provenance import keep, measured

SEED = 20240607
ROWS = (10**3, 10**4, 10**5, 10**6)
VERTICAL_ROWS = 10**5


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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    options = parser.parse_args()
    replaced = {figure for name in options.only for figure in _WRITES.get(name, (name,))}
    order = [figure for name in FIGURES for figure in _WRITES.get(name, (name,))]
    rows = keep(options.out / "main.jsonl", measured(FIGURES, options.only, SEED), replaced, order)
    if "horizontal" in options.only:
        picture.horizontal_picture([row for row in rows if row["figure"] == "horizontal"], options.out / "horizontal_n")


if __name__ == "__main__":
    main()
