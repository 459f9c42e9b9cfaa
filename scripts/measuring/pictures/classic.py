"""The classic design beside mpcfl as the rows grow: seconds, and bytes of all parties."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from measuring.rows import Row, pick
from measuring.style import MARKS, note, picture


def draw(rows: Sequence[Row], path: Path) -> None:
    """Figure "classic"."""
    found = pick(rows, figure="classic")
    with picture(path, 2, height=3.8) as (figure, (left, right)):
        for system in dict.fromkeys(row["system"] for row in found):
            own = sorted((row for row in found if row["system"] == system), key=lambda row: int(row["rows"]))
            n = [row["rows"] for row in own]
            label = MARKS[system].label + (" (computed)" if own[0]["how"] == "computed" else "")
            left.plot(n, [row["seconds"] for row in own], **MARKS[system].line(label=label))
            right.plot(n, [sum(row["bytes_online"].values()) for row in own], **MARKS[system].line())
            if system == "mpcfl":
                whole = [sum((*row["bytes_online"].values(), *row["bytes_offline"].values())) for row in own]
                right.plot(n, whole, **MARKS[system].line(linewidth=0.7, markersize=2.5, label="mpcfl, offline too"))
        left.set(title="Seconds of a fit of 20 steps", ylabel="seconds")
        right.set(title="Bytes sent online by all parties", ylabel="bytes")
        for panel in (left, right):
            panel.set(xscale="log", yscale="log", xlabel="rows of the joint table (d = 10, three owners)")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
        right.annotate("thin: mpcfl, offline too", (0.03, 0.95), xycoords="axes fraction", fontsize=8)
        note(
            figure,
            "rows 'classic' of sweep.jsonl; baselines without any link, mpcfl's parties linked by TLS on loopback",
        )
