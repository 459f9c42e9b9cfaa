"""Figures of a GPU as shares of what its memory or its arithmetic allows, ours and the peer's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from measuring.rows import Row, pick
from measuring.style import MARKS, SERIES, note, picture


def draw(rows: Sequence[Row], path: Path) -> None:
    """`rows`: those of figure "gpu". ValueError: none has been measured. Writes `path`, .svg and .png."""
    shown = [row for row in pick(rows, figure="gpu") if "roofline" in row]
    if not shown:
        raise ValueError("no figure of a GPU has been measured")
    with picture(path, height=0.8 + 0.6 * len(shown), width=7.0) as (figure, axes):
        for place, row in enumerate(shown):
            share = row["roofline"]["share"]
            axes.barh(place - 0.18, share, 0.34, **MARKS["mpcfl"].bar(label="mpcfl" if place == 0 else None))
            axes.annotate(f"{row['value']:g} {row['unit']}", (share, place - 0.18), xytext=(4, 0),
                          textcoords="offset points", va="center", fontsize=7.5)  # fmt: skip
            if "ratio" in row:
                label = "peer" if place == 0 else None
                axes.barh(place + 0.18, share / row["ratio"], 0.34, **{**SERIES[4].bar(), "label": label})
        axes.set_yticks(range(len(shown)), [f"{row['name']}\n({row['roofline']['bound']})" for row in shown])
        axes.invert_yaxis()
        axes.set(title="Share of what the device allows", xscale="log", xlabel="1: the roof, measured on the device")
        axes.axvline(1, color="#222222", linewidth=0.8)
        axes.legend()
        note(figure, f"{shown[0].get('device', '')}; rows of gpu.jsonl, which name each peer")
