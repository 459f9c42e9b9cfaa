"""Bytes (exact, by dry runs) and seconds (measured) against rows, columns, compute parties and owners."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring.rows import Row, pick
from measuring.style import SERIES, SOFT, few_decades, note, picture

AXES = {
    "rows": ("rows n (d = 30)", "rows"),
    "columns": ("columns d (n = 10,000)", "columns"),
    "compute_parties": ("compute parties N", "parties"),
    "owners": ("data owners", "owners"),
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Figures "plan", "rows", "columns", "parties", "owners"."""
    plan = pick(rows, figure="plan")
    trainings = list(dict.fromkeys(row["training"] for row in plan))
    with picture(path, len(AXES), 2, width=3.3, height=3.0) as (figure, panels):
        for i, (axis, (words, measured)) in enumerate(AXES.items()):
            above, below = panels[i], panels[len(AXES) + i]
            for mark, training in zip(SERIES, trainings, strict=False):
                _bytes(above, [row for row in plan if row["axis"] == axis and row["training"] == training], axis, mark)
                points = sorted((row[axis], row["seconds"]) for row in pick(rows, figure=measured, training=training))
                if points:
                    below.plot(*zip(*points, strict=True), **mark.line(label=training))
            if axis == "owners":
                _owners(above, below, plan, pick(rows, figure="owners"))
            logarithmic = "linear" if axis == "compute_parties" else "log"
            for panel in (above, below):
                panel.set(xscale=logarithmic, yscale="log", xlabel=words)
            few_decades(below.yaxis)
        panels[0].set_ylabel("bytes a compute party sends\n(thin: the dealer)")
        panels[len(AXES)].set_ylabel("seconds of a fit,\nall parties on two cores")
        figure.legend(*panels[len(AXES)].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        note(
            figure, "above: exact counts of dry runs, rows 'plan'; below: measured, rows of those names in sweep.jsonl"
        )


def _bytes(panel: Any, rows: Sequence[Row], axis: str, mark: Any) -> None:
    points = sorted((row[axis], row["bytes"], max(row["bytes_offline"].values())) for row in rows)
    if points:
        x, online, offline = zip(*points, strict=True)
        panel.plot(x, online, **mark.line())
        panel.plot(x, offline, **mark.line(linewidth=0.7, markersize=2.5))


def _owners(above: Any, below: Any, plan: Sequence[Row], measured: Sequence[Row]) -> None:
    """What an owner sends; CPU seconds of three kinds of parties, who were threads of one process."""
    linear = [row for row in plan if row["axis"] == "owners" and row["model"] == "linear" and "bytes_owner" in row]
    points = sorted((row["owners"], row["bytes_owner"]) for row in linear)
    above.plot(*zip(*points, strict=True), color=SOFT, ls=":")
    style = {"textcoords": "offset points", "ha": "right", "fontsize": 8}
    above.annotate("an owner, linear", points[-1], (0, 6), color=SOFT, **style)
    below.set_title("linear: CPU seconds of one party", fontsize=8, fontweight="normal")
    for mark, party in zip(SERIES[::-1], ("compute party", "dealer", "owner"), strict=False):
        points = sorted((row["owners"], row["cpu_seconds"][party]) for row in measured)
        below.plot(*zip(*points, strict=True), **mark.line(label="_"))
        below.annotate(party, points[-1], (-4, 6), color=mark.colour, **style)
