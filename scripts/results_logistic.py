"""The figures of logistic regression, measured on this machine: results/logistic.jsonl.

    python scripts/results_logistic.py [--only FIGURE ...] [--out FOLDER]

Every party is a process; they are linked by mpcfl's own transport with TLS. One JSON line a row, with versions, machine
and seeds; with --only the other figures' rows stay as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import cancer, digits
from measuring.provenance import keep, measured

SEED = 20240607
FIGURES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "steps": cancer.steps_rows,
    "optimum": cancer.optimum_rows,
    "digits": lambda: digits.digits_rows(SEED),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    options = parser.parse_args()
    rows = measured(FIGURES, options.only, SEED)
    keep(options.out / "logistic.jsonl", rows, set(options.only), list(FIGURES))


if __name__ == "__main__":
    main()
