"""What all scripts in scripts/attacks/ do: measure, keep the rows in results/attacks.jsonl, draw, say it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from measuring.pictures.attacks import PICTURES
from measuring.rows import RESULTS, Book, Row, Stamp, pick
from measuring.table import line

SEED = 20240607
FILE = "attacks.jsonl"
FIGURES = ("seed", "key holder", "gradients", "views", "membership", "model inversion", "differencing")
"""In the order of the file."""


def attack(description: str | None, figure: str, rows: Callable[[int], Iterable[Row]]) -> None:
    """Make the rows of a figure from a seed, in the place of those that are kept, and its pictures."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    options = parser.parse_args()
    start, book, cases = time.perf_counter(), Book(options.out / FILE, FIGURES), []
    stamp = Stamp(seed=SEED, libraries=("scipy", "tenseal"))
    for row in stamp.each(lambda: ({"figure": figure, **made} for made in rows(SEED))):
        print(line(row), flush=True)
        kept = {old["case"] for old in pick(book.rows, figure=figure)}
        if "not_measured" not in row or row["case"] not in kept:  # what cannot be measured here takes no row's place
            book.keep(row)
        cases.append(row["case"])
    book.forget(figure, but=cases)
    for name, draw in PICTURES.get(figure, {}).items():
        draw(book.rows, options.out / name)
    print(f"{len(cases)} rows in {time.perf_counter() - start:.0f} s, kept in {options.out / FILE}")
