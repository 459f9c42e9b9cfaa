"""Do the kept results still hold? Runs a small part of them again, and compares with the rows in results/.

    python scripts/check_results.py [FOLDER]

Rounds, bytes by party, the ledger, who sees what of a baseline, and what attacks recover must be equal to the last one;
errors must lie within the bands of `measuring/bands.py`. All planned rows are counted again. Seconds are not compared.
Prints what differs; exit code 1 if anything does. About a minute on two idle cores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from measuring.attacks.again import attacks_again
from measuring.bands import within_band
from measuring.rows import RESULTS, Row, key, read
from measuring.small import seed_rows, small_rows
from measuring.sweeps import Sweep, axes, baselines, owners, real_data, sigmoid

EXACT = ("rounds", "bytes", "bytes_online", "bytes_offline", "bytes_owner", "ledger", "seen")
EXACT += ("recovered", "of", "messages", "bytes_seen", "same_start", "same_lengths")  # of attacks
AUC_CLOSE = 1e-3  # of membership inference: ties may fall otherwise on another processor


def differences(new: Row, old: Row | None) -> list[str]:
    """What is wrong with row `new`, beside the row that was kept."""
    name = f"{new['figure']}, {new['case']}"
    if "not_measured" in new:
        print(f"{name}: not compared, {new['not_measured'].splitlines()[0]}")
        return []
    if old is None:
        return [f"{name}: not in the kept results"]
    found = [
        f"{name}: {field} {old.get(field)} -> {new.get(field)}" for field in EXACT if old.get(field) != new.get(field)
    ]
    if new.get("as_planned") is False:
        found.append(f"{name}: the run did not cost what the plan says")
    if new["how"] == "measured" and not within_band(new):
        found.append(f"{name}: error {new.get('relative')} is outside its band (kept: {old.get('relative')})")
    if abs(new.get("auc", 0.0) - old.get("auc", 0.0)) > AUC_CLOSE:
        found.append(f"{name}: auc {old.get('auc')} -> {new.get('auc')}")
    if bool(new.get("refused")) != bool(old.get("refused")):
        found.append(f"{name}: refused {old.get('refused')} -> {new.get('refused')}")
    return found


def fresh(seed: int, sweep_seed: int) -> Iterator[Row]:
    """The rows that are made again; each is of a figure that has a band, or is planned."""
    yield from small_rows(seed, compute=(2, 3))
    yield from seed_rows(seed)
    yield from baselines.baseline_rows(baselines.EXACT)
    sweep = Sweep(seed=sweep_seed)
    yield from axes.planned(sweep)
    for maker in (real_data.real_rows, sigmoid.sigmoid_rows, owners.owners_rows):
        yield from maker(sweep)
    yield from attacks_again()


def compared(rows: Iterable[Row], kept: Iterable[Row]) -> tuple[int, list[str]]:
    """How many rows, and all that differs."""
    by_name, count, wrong = {key(row): row for row in kept}, 0, list[str]()
    for row in rows:
        count += 1
        wrong += differences({"how": "measured", **row}, by_name.get(key(row)))
    return count, wrong


def main(folder: Path) -> int:
    files = [read(folder / name) for name in ("main.jsonl", "sweep.jsonl")]
    seeds = [{row["seed"] for row in rows} for rows in files]
    if any(len(of_file) != 1 for of_file in seeds):
        print("rows of several seeds, or none: make them again with scripts/results_main.py and scripts/run_sweep.py")
        return 1
    kept = [row for rows in (*files, read(folder / "attacks.jsonl")) for row in rows]
    count, wrong = compared(fresh(*(of_file.pop() for of_file in seeds)), kept)
    print("\n".join(wrong) if wrong else f"{count} rows agree with those in {folder}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS))
