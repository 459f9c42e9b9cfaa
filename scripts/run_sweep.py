"""The sweeps: what mpcfl costs and gives up, against everything that could matter: results/sweep.jsonl.

    python scripts/run_sweep.py [--full] [--only FIGURE ...] [--spu PYTHON] [--out FOLDER] [--list]

A row is kept as soon as it is measured, in the place of the one of its name; `scripts/plot_results.py` makes pictures
and page of all rows that are there. Without --full under ten minutes on two idle cores, with it about half an hour.

What is not at hand is "not measured", with the reason: SPU needs an environment of its own (`python3.11 -m venv ENV &&
ENV/bin/pip install spu`, then `--spu ENV/bin/python`); slow links need root and iproute2; one table comes with
statsmodels and the classic design with tenseal and phe (`pip install 'mpcfl[results,baselines]'`).
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from measuring.rows import RESULTS, Book, Row, Stamp
from measuring.sweeps import Sweep
from measuring.table import line

SEED = 20240607
FIGURES = {
    "headline": "headline.headline_rows",
    "real": "real_data.real_rows",
    "plan": "axes.planned",
    "rows": "axes.against_rows",
    "columns": "axes.against_columns",
    "parties": "axes.against_parties",
    "owners": "owners.owners_rows",
    "bits": "bits.bits_rows",
    "sigmoid": "sigmoid.sigmoid_rows",
    "classic": "classic.classic_rows",
    "link": "links.links_rows",
}
"""What makes the rows of a figure, in measuring/sweeps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="all sizes, not only those that are quickly measured")
    parser.add_argument("--only", nargs="+", metavar="FIGURE", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--spu", default="", metavar="PYTHON", help="the Python of an environment in which spu is")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--list", action="store_true", help="print the names of the figures, and measure nothing")
    options = parser.parse_args()
    if options.list:
        print("\n".join(FIGURES))
        return
    book = Book(options.out / "sweep.jsonl", list(FIGURES))
    stamp = Stamp(seed=SEED, libraries=("tenseal", "phe", "statsmodels"))
    for figure in options.only:
        start = time.perf_counter()
        try:
            maker = _maker(figure, options)
        except ImportError as error:
            print(f"{figure}: not measured, {error}")
            continue
        made = [_kept(book, row) for row in stamp.each(maker)]
        if options.full:
            book.forget(figure, but=made)
        print(f"{figure}: {len(made)} rows in {time.perf_counter() - start:.0f} s", flush=True)


def _maker(figure: str, options: argparse.Namespace) -> Callable[[], Iterable[Row]]:
    module, _, function = FIGURES[figure].partition(".")
    return partial(
        getattr(importlib.import_module(f"measuring.sweeps.{module}"), function), Sweep(SEED, options.full, options.spu)
    )


def _kept(book: Book, row: Row) -> str:
    """Keep a measured row; one that could not be measured takes no other's place."""
    print(line(row), flush=True)
    measured = {(kept["figure"], kept["case"]) for kept in book.rows if "not_measured" not in kept}
    if "not_measured" not in row or (row["figure"], row["case"]) not in measured:
        book.keep(row)
    return str(row["case"])


if __name__ == "__main__":
    main()
