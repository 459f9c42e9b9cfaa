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


def recovered(row: Row) -> str:
    """221 of 221 rows; nothing where nothing was tried."""
    return f"{row['recovered']:,} of {row['of']:,} {row['unit']}" if "recovered" in row else ""


def long(value: float) -> str:
    """Seconds that may be more than the universe has had."""
    return seconds(value) if value < _YEAR else f"{error(value / _YEAR)} years"
