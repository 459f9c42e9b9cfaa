"""The table that a script prints: one line a row, the columns that the row has."""

from __future__ import annotations

from typing import Any


def line(row: dict[str, Any]) -> str:
    """One row of results for the eye."""
    parts = [f"{row['figure']:<16} {row['case']:<58}"]
    if row.get("not_measured"):
        return f"{parts[0]}  not measured: {row['not_measured'][:80]}"
    if "recovered" in row:
        parts.append(f"{row['recovered']} of {row['of']} {row['unit']}")
    if "error" in row:
        parts.append(f"error {row['error']:.2g} of guessing's")
    if "auc" in row:
        parts.append(f"AUC {row['auc']:.3f} +- {row['auc_margin']:.3f}")
    if "risk" in row:
        parts.append(f"R^2 {row['r2_others_without']:.2f} -> {row['r2_others']:.2f}, members {row['r2_members']:.2f}")
    if "told_linear" in row:
        parts.append(f"told apart {row['told_linear']:.2f} and {row['told_forest']:.2f}, bytes p {row['bytes_p']:.2g}")
    if row.get("refused"):
        parts.append(f"refused: {row['refused'][:40]}...")
    elif "relative" in row:
        parts.append(f"error {row['relative']:.1e}" + (f" (worst {row['worst']:.1e})" if "worst" in row else ""))
    if "rounds_per_iteration" in row:
        parts.append(f"an iteration: {row['rounds_per_iteration']:g} rounds {row['bytes_per_iteration']:,.0f} bytes")
        parts.append(f"{1e3 * row['seconds_per_iteration']:.2f} ms")
        return "  ".join(parts)
    parts += list(_cost(row))
    if "accuracy_sklearn" in row:
        parts.append(f"accuracy {row['accuracy']:.4f}, scikit-learn {row['accuracy_sklearn']:.4f}")
    if "score" in row:
        parts.append(f"{row['score_of']} {row['score']:.4f}, scikit-learn {row['score_sklearn']:.4f}")
    if "seconds_plaintext" in row:
        parts.append(f"plaintext {row['seconds_plaintext']:.2g} s")
    if "cpu_seconds_plaintext" in row:
        cpu = sum(row["cpu_seconds"].values())
        parts.append(f"(CPU {cpu:.2f} s, plaintext {row['cpu_seconds_plaintext']:.2f} s)")
    if row.get("as_planned") is False:
        parts.append("NOT AS PLANNED")
    return "  ".join(parts)


def _cost(row: dict[str, Any]) -> list[str]:
    parts = []
    if "rounds" in row:
        sent = max(row["bytes_online"].values(), default=0) if "bytes_online" in row else row.get("bytes", 0)
        parts.append(f"{row['rounds']} rounds  {sent:,} bytes online")
    if "bytes_offline" in row:
        parts.append(f"{max(row['bytes_offline'].values(), default=0):,} from the dealer")
    if "seconds" in row:
        parts.append(f"{row['seconds']:.3g} s")
    return parts
