"""The table that a script prints: one line a row, the columns that the row has."""

from __future__ import annotations

from typing import Any


def line(row: dict[str, Any]) -> str:
    """One row of results for the eye."""
    parts = [f"{row['figure']:<16} {row['case']:<58}"]
    if row.get("refused"):
        parts.append(f"refused: {row['refused'][:40]}...")
    else:
        parts.append(f"error {row['relative']:.1e} (worst {row['worst']:.1e})")
    if "rounds_per_iteration" in row:
        parts.append(f"an iteration: {row['rounds_per_iteration']:g} rounds {row['bytes_per_iteration']:,.0f} bytes")
        parts.append(f"{1e3 * row['seconds_per_iteration']:.2f} ms")
        return "  ".join(parts)
    sent = row["bytes_online"]
    offline = max(row["bytes_offline"].values())
    parts.append(f"{row['rounds']} rounds  {max(sent.values()):,} bytes online, {offline:,} from the dealer")
    parts.append(f"{row['seconds']:.2f} s")
    if "accuracy_sklearn" in row:
        parts.append(f"accuracy {row['accuracy']:.4f}, scikit-learn {row['accuracy_sklearn']:.4f}")
    if "seconds_plaintext" in row:
        cpu = sum(row["cpu_seconds"].values())
        parts.append(f"plaintext {row['seconds_plaintext']:.2f} s")
        parts.append(f"(CPU {cpu:.2f} s, plaintext {row['cpu_seconds_plaintext']:.2f} s)")
    if not row["as_planned"]:
        parts.append("NOT AS PLANNED")
    return "  ".join(parts)
