"""Pictures of the rows that are kept in results/, and all numbers of the first part of its README.md. Measures nothing.

    python scripts/plot_results.py [--out FOLDER]

A picture whose rows are not there is left as it is, and named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring import page
from measuring.pictures import bits, classic, cost, headline, links, phases
from measuring.rows import RESULTS, Row, read

PICTURES: dict[str, Callable[[Sequence[Row], Path], None]] = {
    "headline": headline.draw,
    "bits": bits.draw,
    "sigmoid": bits.draw_series,
    "cost": cost.draw,
    "phases": phases.draw,
    "links": links.draw,
    "classic": classic.draw,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    rows = read(options.out / "sweep.jsonl")
    for name, draw in PICTURES.items():
        try:
            draw(rows, options.out / name)
        except (StopIteration, ValueError) as error:
            print(f"{name}: not drawn, rows are missing ({error})")
    path = options.out / "README.md"
    if path.exists():
        path.write_text(page.filled(path.read_text(encoding="utf-8"), rows), encoding="utf-8")
        print(f"written: {path}")


if __name__ == "__main__":
    main()
