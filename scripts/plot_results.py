"""Pictures of the rows that are kept in results/, and all numbers of the first part of its README.md. Measures nothing.

    python scripts/plot_results.py [--out FOLDER]

A picture whose rows are not there is left as it is, and named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring import page
from measuring.peers import picture as peers
from measuring.picture import horizontal_picture
from measuring.pictures import attacks, bits, classic, cost, gpu, headline, links, phases
from measuring.rows import RESULTS, Row, pick, read

PICTURES: dict[str, tuple[str, Callable[[Sequence[Row], Path], None]]] = {
    "headline": ("sweep.jsonl", headline.draw),
    "bits": ("sweep.jsonl", bits.draw),
    "sigmoid": ("sweep.jsonl", bits.draw_series),
    "cost": ("sweep.jsonl", cost.draw),
    "phases": ("sweep.jsonl", phases.draw),
    "links": ("sweep.jsonl", links.draw),
    "classic": ("sweep.jsonl", classic.draw),
    "horizontal_n": ("main.jsonl", lambda rows, path: horizontal_picture(pick(rows, figure="horizontal"), path)),
    "peers": ("peers.jsonl", peers.draw),
    "gpu": ("gpu.jsonl", gpu.draw),
    **{name: ("attacks.jsonl", draw) for of_figure in attacks.PICTURES.values() for name, draw in of_figure.items()},
}
"""File of the rows, and what draws them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    for name, (file, draw) in PICTURES.items():
        try:
            draw(read(options.out / file), options.out / name)
        except (StopIteration, ValueError) as error:
            print(f"{name}: not drawn, rows are missing ({error})")
    path = options.out / "README.md"
    if path.exists():
        rows = [row for name in page.FILES for row in read(options.out / name)]
        text = page.filled(path.read_text(encoding="utf-8"), rows)
        path.write_text(text, encoding="utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
