"""Seconds and bytes against the number of rows: results/horizontal_n.svg and .png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from measuring.rows import Row
from measuring.style import MARKS, label_end, note, picture


def horizontal_picture(rows: Sequence[Row], path: Path) -> None:
    """`rows`: those of figure "horizontal". Writes `path` with the endings .svg and .png."""
    rows = sorted(rows, key=lambda row: int(row["rows"]))
    n = [row["rows"] for row in rows]
    with picture(path, 2) as (figure, (left, right)):
        for key, style in (
            ("seconds", MARKS["mpcfl"].line(label="mpcfl, three organisations")),
            ("seconds_plaintext", MARKS["pooled"].line()),
            ("seconds_plaintext_fused", MARKS["pooled"].line(label="the same, fastest known to us", marker="d")),
        ):
            left.loglog(n, [row[key] for row in rows], **style)
        left.set(title="Seconds of a whole fit", ylabel="seconds", xlabel="rows of the joint table")
        left.legend()
        sent = [max(row["bytes_online"].values()) for row in rows]
        table = [8 * k * (row["columns"] + 1) for k, row in zip(n, rows, strict=True)]
        right.loglog(n, sent, **MARKS["mpcfl"].line())
        right.loglog(n, table, **MARKS["pooled"].line())
        right.set(title="Bytes that a compute party sends", ylabel="bytes", xlabel="rows of the joint table")
        label_end(right, n, sent, "mpcfl", xytext=(0, 10), ha="right")
        label_end(right, n, table, "the table itself", xytext=(-8, 0), ha="right")
        note(figure, "least squares, d = 100; rows 'horizontal' of main.jsonl")
