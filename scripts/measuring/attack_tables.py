"""Tables of the attacks in results/README.md, Markdown, from kept rows."""

from __future__ import annotations

from collections.abc import Sequence

from measuring.page_tables import table
from measuring.rows import Row
from measuring.text import error, seconds

_YEAR = 365.25 * 86400


def seed_table(rows: Sequence[Row]) -> str:
    """A line a generator, or a run of CrypTen."""
    lines = []
    for row in (row for row in rows if row["figure"] == "seed"):
        case = row["case"] + (" (computed)" if row["how"] == "computed" else "")
        lines.append([case, row.get("knows", ""), recovered(row), long(row["seconds"]) if "seconds" in row else ""])
    return table(["masks of", "what is known", "recovered", "time, one core"], lines)


def views_table(rows: Sequence[Row]) -> str:
    """A line a party and model, then the controls."""
    head = ["model", "party", "bytes seen, a run", "uniform bytes: p", "alike in every byte: p", "linear classifier"]
    lines = []
    found = [row for row in rows if row["figure"] == "views" and "bytes_seen" in row]
    for row in sorted(found, key=lambda row: bool(row["control"])):
        party = row["case"].split(", ")[1] + (f", control: {row['control']}" if row["control"] else "")
        cells = [row["model"], party, f"{row['bytes_seen']:,}"]
        if not row["bytes_seen"]:
            lines.append([*cells, "", "", "", ""])
            continue
        cells += [f"{row[name]:.2g}" for name in ("bytes_p", "positions_p")]
        for name in ("told_linear", "told_forest"):
            low, high = row[f"{name}_interval"]
            cells.append(f"{row[name]:.2f} ({low:.2f} to {high:.2f})")
        lines.append(cells)
    return table([*head, "forest"], lines)


def recovered(row: Row) -> str:
    """221 of 221 rows; nothing where nothing was tried."""
    return f"{row['recovered']:,} of {row['of']:,} {row['unit']}" if "recovered" in row else ""


def long(value: float) -> str:
    """Seconds that may be more than the universe has had."""
    return seconds(value) if value < _YEAR else f"{error(value / _YEAR)} years"
