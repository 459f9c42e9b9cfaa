"""Where the seconds go, and what is sent offline and online."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring.rows import Row, pick
from measuring.style import PHASES, SERIES, note, picture
from measuring.text import size


def draw(rows: Sequence[Row], path: Path) -> None:
    """Figures "rows" (seconds of a compute party by phase) and "plan" (bytes)."""
    found = sorted(pick(rows, figure="rows"), key=lambda row: (str(row["training"]), int(row["rows"])))
    with picture(path, 2, width=5.2, height=4.0) as (figure, (left, right)):
        _phases(left, found)
        _bytes(right, pick(rows, figure="plan", axis="rows"))
        note(
            figure,
            "rows 'rows' and 'plan' of sweep.jsonl; phases of north, a compute party and owner of a third of the rows",
        )


def _phases(panel: Any, rows: Sequence[Row]) -> None:
    labels = []
    for place, row in enumerate(reversed(rows)):
        spent = row["phases"]["north"]
        total, left = sum(spent.values()), 0.0
        for phase, mark in PHASES.items():
            share = 100 * spent.get(phase, 0.0) / total
            panel.barh(place, share, left=left, **mark.bar(label=mark.label if place == 0 else "_"))
            left += share
        panel.annotate(f"{row['seconds']:.2g} s", (101, place), va="center", fontsize=8)
        labels.append(f"{row['training']}\nn = {row['rows']:,}")
    panel.set(title="Where the seconds go", xlabel="% of the seconds of a compute party", xlim=(0, 112))
    panel.set_yticks(range(len(labels)), labels, fontsize=7)
    panel.grid(False, axis="y")
    panel.figure.legend(*panel.get_legend_handles_labels(), loc="outside upper left", ncols=4)


def _bytes(panel: Any, rows: Sequence[Row]) -> None:
    labels = []
    for place, row in enumerate(reversed(rows)):
        values = {"online": sum(row["bytes_online"].values()), "offline": sum(row["bytes_offline"].values())}
        for shift, (name, mark) in zip((0.2, -0.2), (("online", SERIES[0]), ("offline", SERIES[1])), strict=True):
            hatch = "" if name == "online" else "////"
            style = {"color": mark.colour, "edgecolor": "white", "hatch": hatch, "height": 0.38}
            panel.barh(place + shift, values[name], label=name if place == 0 else "_", **style)
            panel.annotate(f" {size(values[name])}", (values[name], place + shift), va="center", fontsize=7)
        labels.append(f"{row['training']}\nn = {row['rows']:,}")
    panel.set(title="Bytes sent by all parties (exact)", xscale="log", xlim=(1e5, 1e12), xlabel="bytes")
    panel.set_yticks(range(len(labels)), labels, fontsize=7)
    panel.grid(False, axis="y")
    panel.legend(loc="lower right")
