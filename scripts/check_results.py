"""Do the figures still hold? Runs a small part of `results_main.py` again and compares it with results/main.jsonl.

    python scripts/check_results.py [FOLDER]

Rounds, bytes by party and the ledger must be equal to the last one; errors must lie within the bands of
`measuring/small.py`. Seconds are not compared. Prints what differs; exit code 1 if anything does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from measuring.small import seed_rows, small_rows, within_band

EXACT = ("rounds", "bytes_online", "bytes_offline", "ledger")


def differences(new: dict[str, Any], old: dict[str, Any] | None) -> list[str]:
    """What is wrong with row `new`, beside the row that was kept."""
    name = f"{new['figure']}, {new['case']}"
    if old is None:
        return [f"{name}: not in the kept results"]
    found = [f"{name}: {key} {old.get(key)} -> {new.get(key)}" for key in EXACT if old.get(key) != new.get(key)]
    if not new["as_planned"]:
        found.append(f"{name}: the run did not cost what the plan says")
    if not within_band(new):
        found.append(f"{name}: error {new.get('relative')} is outside its band (kept: {old.get('relative')})")
    return found


def main(folder: Path) -> int:
    kept = [json.loads(text) for text in (folder / "main.jsonl").read_text().splitlines()]
    by_name = {(row["figure"], row["case"]): row for row in kept}
    seeds = {row["seed"] for row in kept}
    if len(seeds) != 1:
        print(f"results of {len(seeds)} seeds: make them again with scripts/results_main.py")
        return 1
    (seed,) = seeds
    rows = [*small_rows(seed, compute=(2, 3)), *seed_rows(seed)]
    wrong = [text for row in rows for text in differences(row, by_name.get((row["figure"], row["case"])))]
    print("\n".join(wrong) if wrong else f"{len(rows)} rows agree with {folder / 'main.jsonl'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "results"))
