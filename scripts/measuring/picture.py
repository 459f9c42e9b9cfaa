"""Seconds and bytes against the number of rows: results/horizontal_n.svg and .png."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECURE, PLAIN, INK, GRID = "#1b4f72", "#9a9a9a", "#333333", "#dddddd"


def horizontal_picture(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """`rows`: those of figure "horizontal". Writes `path` with the endings .svg and .png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = sorted(rows, key=lambda row: int(row["rows"]))
    n = [row["rows"] for row in rows]
    style: Any = {"axes.grid": True, "grid.color": GRID, "axes.spines.top": False, "font.size": 10}
    style |= {"axes.spines.right": False, "text.color": INK, "svg.hashsalt": "mpcfl", "svg.fonttype": "none"}
    with pyplot.rc_context(style):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
        _lines(left, n, rows)
        left.set(title="Seconds of a whole fit", ylabel="seconds", xlabel="rows of the joint table")
        right.loglog(n, [max(row["bytes_online"].values()) for row in rows], color=SECURE, marker="o")
        right.loglog(n, [8 * k * (row["columns"] + 1) for k, row in zip(n, rows, strict=True)], color=PLAIN, ls="--")
        right.set(title="Bytes that a compute party sends", ylabel="bytes", xlabel="rows of the joint table")
        right.annotate("the table itself", (n[-2], 8 * n[-2] * 101), (-8, 6), ha="right", textcoords="offset points")
        right.annotate("mpcfl", (n[-1], max(rows[-1]["bytes_online"].values())), (0, 8), ha="right",
                       textcoords="offset points")  # fmt: skip
        for ending in ("svg", "png"):
            metadata = {"Date": None} if ending == "svg" else {}
            figure.savefig(path.with_suffix(f".{ending}"), dpi=120, metadata=metadata)
        pyplot.close(figure)


def _lines(axes: Any, n: list[int], rows: Sequence[dict[str, Any]]) -> None:
    for key, label, colour, line in (
        ("seconds", "mpcfl, three organisations", SECURE, "-"),
        ("seconds_plaintext", "pooled plaintext", PLAIN, "--"),
        ("seconds_plaintext_fused", "pooled plaintext, fastest known to us", PLAIN, ":"),
    ):
        axes.loglog(n, [row[key] for row in rows], color=colour, ls=line, marker="o", label=label)
    axes.legend(frameon=False, fontsize=8)
