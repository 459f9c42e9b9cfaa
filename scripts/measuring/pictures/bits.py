"""Error of the weights against fractional bits, and against the terms of the sigmoid's series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring.rows import Row, pick
from measuring.style import MARKS, SERIES, SOFT, label_end, note, picture

_CHOSEN = {
    "logistic": {"mpcfl": 16, "crypten-tfp": 16, "spu-logistic-once": 18},
    "linear": {"mpcfl": 30, "crypten-tfp": 16},
}

_OTHERS = {"finer sigmoid": "mpcfl, sigmoid.error = 1e-6", "20 steps": "mpcfl, 20 steps of gradient descent"}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Figure "bits": a panel a model."""
    found = pick(rows, figure="bits")
    with picture(path, 2, sharey=True) as (figure, (left, right)):
        left.set(title="Logistic regression, breast cancer, 20 steps", ylabel="relative error of the weights")
        right.set(title="Least squares, diabetes")
        for panel, model in ((left, "logistic"), (right, "linear")):
            _lines(panel, [row for row in found if row["model"] == model], model)
            last = 30 if model == "linear" else 24
            panel.set(yscale="log", ylim=(1e-7, 1e2), xlabel="fractional bits", xticks=range(8, last + 1, 2))
            panel.legend()
        note(figure, "large marks: what each system takes by itself; rows 'bits' of sweep.jsonl")


def _lines(panel: Any, rows: Sequence[Row], model: str) -> None:
    for system in dict.fromkeys(row["system"] for row in rows):
        for series in dict.fromkeys(row.get("series") for row in rows if row["system"] == system):
            points = sorted(
                (row["fraction_bits"], row["relative"])
                for row in rows
                if (row["system"], row.get("series")) == (system, series) and "relative" in row
            )
            style = MARKS[system].line()
            if model == "linear":
                style["label"] = "mpcfl, the solution" if system == "mpcfl" else f"{style['label']}, 20 steps"
            if series in _OTHERS:
                style |= {"label": _OTHERS[series], "linestyle": ":", "markerfacecolor": "white"}
            panel.plot(*zip(*points, strict=True), **style)
            chosen = _CHOSEN[model].get(system)
            own = [point for point in points if point[0] == chosen]
            if own and series not in _OTHERS:
                panel.plot(*own[0], marker=MARKS[system].marker, color=MARKS[system].colour, markersize=11, ls="none")


def draw_series(rows: Sequence[Row], path: Path) -> None:
    """Figure "sigmoid": what the series is wrong by, and the weights, against K for each B."""
    found = pick(rows, figure="sigmoid")
    with picture(path, 2, sharey=True) as (figure, (left, right)):
        for mark, size in zip(SERIES, sorted({row["range"] for row in found}), strict=False):
            of_size = sorted((row for row in found if row["range"] == size), key=lambda row: int(row["terms"]))
            for panel, name in ((left, "series_error"), (right, "relative")):
                points = [(row["terms"], row[name]) for row in of_size if name in row]
                if points:
                    panel.plot(*zip(*points, strict=True), **mark.line(label=f"B = {size}"))
                    label_end(panel, *zip(*points, strict=True), f"B = {size}")
            refused = [row["terms"] for row in of_size if "refused" in row]
            right.plot(refused, [0.3 * 1.6 ** -SERIES.index(mark)] * len(refused), **mark.point(marker="x"))
        right.annotate(
            "x: refused, a row left the range", (0.98, 0.95), xycoords="axes fraction", ha="right", color=SOFT
        )
        left.set(title="Largest error of the sigmoid's series", ylabel="error")
        right.set(title="Relative error of the weights")
        for panel in (left, right):
            panel.set(xlabel="terms K; the dealer sends 2 K elements a row and step", yscale="log")
            panel.margins(x=0.15)
        note(figure, "breast cancer, 10 steps; rows 'sigmoid' of sweep.jsonl")
