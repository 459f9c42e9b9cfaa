"""Seconds against the round trip of the links: measured marks, computed lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring.rows import Row, pick
from measuring.style import MARKS, SERIES, few_decades, note, picture
from measuring.sweeps.links import Link

ROUND_TRIPS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2)  # seconds
RATE = 1e9
CASES = (
    "fedsgd",
    "mpcfl, 2 compute parties",
    "CrypTen 0.4.1, provider TFP",
    "SPU SEMI2K, logistic sigmoid, X opened once",
)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Figures "link" and "headline"."""
    with picture(path, 2) as (figure, (left, right)):
        _measured(left, pick(rows, figure="link"))
        for row in pick(rows, figure="headline"):
            if row["case"] in CASES:
                dealt = max(row.get("bytes_offline", {}).values(), default=0)
                links = [Link("", t, RATE) for t in ROUND_TRIPS]
                seconds = [row["seconds"] + one.seconds(row["rounds"], row["bytes"], dealt) for one in links]
                right.plot([1e3 * t for t in ROUND_TRIPS], seconds, **MARKS[row["system"]].line())
        left.set(title="mpcfl: measured (marks), computed (lines)", ylabel="seconds of a whole fit")
        right.set(title="20 logistic steps at 1 Gbit/s (computed)")
        for panel in (left, right):
            panel.set(xscale="log", yscale="log", xlabel="round trip, milliseconds")
            panel.legend()
            few_decades(panel.xaxis)
        few_decades(left.yaxis)
        note(figure, "rows 'link' and 'headline' of sweep.jsonl; a round takes half a round trip, for all send at once")


def _measured(panel: Any, rows: Sequence[Row]) -> None:
    for mark, training in zip(SERIES, dict.fromkeys(row["training"] for row in rows), strict=False):
        own = [row for row in rows if row["training"] == training and row["link"] != "loopback"]
        milliseconds = [1e3 * row["round_trip_seconds"] for row in own]
        panel.plot(milliseconds, [row["seconds_computed"] for row in own], color=mark.colour, ls=mark.dashes)
        label = f"{training}: {own[0]['rounds']} rounds"
        panel.plot(milliseconds, [row["seconds"] for row in own], **mark.point(label=label))
