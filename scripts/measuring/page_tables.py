"""Tables of results/README.md, Markdown, from kept rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from measuring.pictures.headline import bytes_of_all, seconds_on
from measuring.rows import Row, pick
from measuring.style import MARKS
from measuring.sweeps.links import LAN, WAN
from measuring.text import error, seconds, size


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    parts = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*parts, *("| " + " | ".join(line) + " |" for line in lines)]) + "\n"


def headline_table(rows: Sequence[Row]) -> str:
    """A line a system, those that were not measured at the end, with the reason."""
    head = [
        "system",
        "error",
        "accuracy",
        "rounds",
        "bytes, all",
        "offline",
        "one machine",
        LAN.name,
        WAN.name,
        "who sees",
    ]
    order = list(MARKS)
    found = sorted((row for row in rows if row["figure"] == "headline"), key=lambda row: order.index(row["system"]))
    lines = [_headline(row) for row in found if "not_measured" not in row]
    for row in found:
        if "not_measured" in row:
            reason = row["not_measured"].splitlines()[0][:80]
            lines.append([MARKS[row["system"]].label, f"not measured: {reason}", *[""] * 8])
    return table(head, lines)


def _headline(row: Row) -> list[str]:
    name = row["case"] if row["system"].startswith("mpcfl") else MARKS[row["system"]].label
    dealt = sum(row.get("bytes_offline", {}).values())
    cells = [name + (" (computed)" if row["how"] == "computed" else ""), error(row["relative"])]
    cells += [f"{row['accuracy']:.4f}", f"{row['rounds']:,}", size(bytes_of_all(row)), size(dealt) if dealt else ""]
    cells += [seconds(row["seconds"]), seconds(seconds_on(LAN, row)), seconds(seconds_on(WAN, row))]
    return [*cells, row["seen"]]


def real_table(rows: Sequence[Row]) -> str:
    head = ["table and model", "trained on", "solver", "error", "score on held-out rows", "scikit-learn's", "rounds"]
    head += ["bytes, a party", "seconds"]
    lines = []
    for row in (row for row in rows if row["figure"] == "real"):
        if "relative" not in row:
            lines.append([row["case"], f"not measured: {row.get('not_measured', row.get('refused', ''))}", *[""] * 7])
            continue
        scores = [f"{row['score_of']} {row['score']:.4f}", f"{row['score_sklearn']:.4f}"]
        cells = [row["case"], f"{row['rows']:,} x {row['columns']}", row["solver"], error(row["relative"]), *scores]
        lines.append([*cells, str(row["rounds"]), size(row["bytes"]), seconds(row["seconds"])])
    return table(head, lines)


def bits_table(rows: Sequence[Row]) -> str:
    found = pick(rows, figure="bits")
    chosen = sorted({row["fraction_bits"] for row in found if row["system"] != "mpcfl"})
    lines = []
    for case in dict.fromkeys(row["case"].rpartition(", ")[0] for row in found):
        own = {row["fraction_bits"]: row for row in found if row["case"].rpartition(", ")[0] == case}
        lines.append([case, *(error(own[b]["relative"]) if "relative" in own.get(b, {}) else "" for b in chosen)])
    return table(["fractional bits", *map(str, chosen)], lines)


def cost_table(rows: Sequence[Row]) -> str:
    """The ends of each axis."""
    lines = []
    plan = pick(rows, figure="plan")
    for axis in dict.fromkeys(row["axis"] for row in plan):
        for training in dict.fromkeys(row["training"] for row in plan):
            own = sorted(
                (r for r in plan if (r["axis"], r["training"]) == (axis, training)), key=lambda r: int(r[axis])
            )
            if not own:
                continue
            first, last = own[0], own[-1]
            cells = [axis.replace("_", " "), f"{first[axis]:,} to {last[axis]:,}", training]
            for measure in ("rounds", "bytes", "bytes_offline"):
                cells.append(" to ".join(_said(row, measure) for row in (first, last)))
            lines.append(cells)
    return table(["what grows", "from, to", "training", "rounds", "bytes, a compute party", "from the dealer"], lines)


def _said(row: Row, measure: str) -> str:
    if measure == "rounds":
        return str(row["rounds"])
    return size(row["bytes"] if measure == "bytes" else max(row["bytes_offline"].values()))


def links_table(rows: Sequence[Row]) -> str:
    found = [row for row in rows if row["figure"] == "link"]
    lines = []
    for row in found:
        if "not_measured" in row:
            lines.append([row["training"], row["link"], f"not measured: {row['not_measured']}", "", "", ""])
        else:
            cells = [row["training"], row["link"], str(row["rounds"]), size(row["bytes"]), seconds(row["seconds"])]
            lines.append([*cells, seconds(row["seconds_computed"])])
    return table(["training", "link", "rounds", "bytes, a party", "measured", "computed"], lines)


def classic_table(rows: Sequence[Row]) -> str:
    found = pick(rows, figure="classic")
    sizes = sorted({row["rows"] for row in found})
    lines = []
    for system in dict.fromkeys(row["system"] for row in found):
        own = {row["rows"]: row for row in found if row["system"] == system}
        computed = " (computed)" if next(iter(own.values()))["how"] == "computed" else ""
        cells = [MARKS[system].label + computed]
        for n in sizes:
            cells.append(f"{seconds(own[n]['seconds'])}, {size(bytes_of_all(own[n]))}" if n in own else "")
        lines.append(cells)
    return table(["20 steps, d = 10", *(f"n = {n:,}" for n in sizes)], lines)
