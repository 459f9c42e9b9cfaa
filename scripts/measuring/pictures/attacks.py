"""Pictures of the attacks, by the figure whose rows they show: rows recovered, tables told apart, what weights say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring.rows import Row, pick
from measuring.style import GRID, INK, MARKS, SERIES, SOFT, note, picture

_FLOOR, _CEILING = 1e-17, 10.0
_WORDS = {
    "fedsgd": "FedSGD, coordinator",
    "ckks-sum": "CKKS, key holder",
    "masks-sum": "masks, coordinator",
    "mpcfl": "mpcfl",
}


def draw_rows(rows: Sequence[Row], path: Path) -> None:
    """Errors of recovered rows beside guessing, of figures "seed", "key holder" and "gradients": a line an attack."""
    found = [row for row in rows if row["figure"] in ("seed", "key holder", "gradients") and "error" in row]
    if not found:
        raise ValueError("no rows with an error")
    lines = list(dict.fromkeys(_line(row) for row in found))
    height = 1.1 + 0.2 * len(lines)
    with picture(path, 1, height=height, width=8.2) as (figure, panel):
        for i, name in enumerate(lines):
            for row in (row for row in found if _line(row) == name):
                linear = row.get("model") == "linear"
                mark = MARKS[row["system"]].point(markersize=7 if linear else 5, label="_")
                if row.get("model") == "logistic":
                    mark["markerfacecolor"] = "white"
                panel.plot(min(max(row["error"], _FLOOR), _CEILING), i, **mark)
        panel.axvline(1, color=INK, lw=1.0, ls="--")
        panel.annotate("guessing the mean", (1, -0.9), (-4, 0), textcoords="offset points", ha="right", fontsize=8)
        panel.set(xscale="log", xlim=(_FLOOR / 3, 30), ylim=(len(lines) - 0.5, -1.4), yticks=range(len(lines)))
        panel.set_yticklabels(lines, fontsize=7.5)
        panel.set(title="Rows of others, as an attacker finds them", xlabel="error, of that of guessing (median)")
        words = "filled: linear, or no matter which; hollow: logistic; at 10: 10 or more. "
        note(figure, words + "Rows with an error of attacks.jsonl")


def _line(row: Row) -> str:
    """What a row's line is called: without its model."""
    if row["figure"] != "gradients":
        return str(row["case"])
    words = _WORDS[row["system"]]
    if row["system"] == "mpcfl":
        return f"mpcfl, {row['attacker'].split(',')[0]}" + (", control: no masks" if row["control"] else "")
    return f"{words}, {row['batch']} row" + ("s" if row["batch"] > 1 else "")


def draw_views(rows: Sequence[Row], path: Path) -> None:
    """Figure "views": how often a classifier tells two tables apart, with its interval."""
    found = [row for row in pick(rows, figure="views") if "told_linear" in row]
    found.sort(key=lambda row: bool(row["control"]))
    if not found:
        raise ValueError("no rows of classifiers")
    with picture(path, 1, height=1.1 + 0.28 * len(found), width=6.4) as (figure, panel):
        for shift, name, mark in ((-0.14, "linear", SERIES[0]), (0.14, "forest", SERIES[1])):
            for i, row in enumerate(found):
                low, high = row[f"told_{name}_interval"]
                panel.plot([low, high], [i + shift] * 2, color=mark.colour, lw=1.2)
                panel.plot(row[f"told_{name}"], i + shift, **mark.point(label=name if i == 0 else "_"))
        panel.axvline(0.5, color=INK, lw=1.0, ls="--")
        panel.set(xlim=(0, 1.03), ylim=(len(found) - 0.5, -0.6), yticks=range(len(found)))
        panel.set_yticklabels([row["case"] for row in found], fontsize=8)
        panel.set(title="Two tables told apart by all that a party sees", xlabel="runs given to the right table")
        panel.legend(title="classifier", loc="upper left", title_fontsize=8, frameon=True, edgecolor=GRID)
        note(figure, "dashes: guessing; bars: 95 %; rows 'views' of attacks.jsonl")


def draw_outputs(rows: Sequence[Row], path: Path) -> None:
    """Figure "membership": AUC against the rows trained on, a line a penalty."""
    found = pick(rows, figure="membership")
    with picture(path, 2, sharey=True) as (figure, (left, right)):
        for panel, model, words in ((left, "linear", "alpha"), (right, "logistic", "1 / C")):
            own = [row for row in found if row.get("model") == model and "auc_plaintext" not in row]
            for mark, l2 in zip(SERIES, dict.fromkeys(row["l2"] for row in own), strict=False):
                line = sorted((row["rows"], row["auc"], row["auc_margin"]) for row in own if row["l2"] == l2)
                _with_margins(panel, line, mark.line(label=f"{words} = {l2:g}"))
            panel.axhline(0.5, color=INK, lw=1.0, ls="--")
            panel.set(xscale="log", xlabel="rows that were trained on", xticks=[20, 40, 80, 160])
            panel.set_xticklabels(["20", "40", "80", "160"])
            panel.minorticks_off()
            panel.legend()
        left.set(title="Least squares, diabetes (d = 10)", ylabel="AUC of membership inference")
        right.set(title="Logistic, breast cancer (d = 30)")
        left.annotate("guessing", (20, 0.5), (0, 4), textcoords="offset points", fontsize=8, color=SOFT)
        note(figure, "bars: 95 % of the mean over random splits; rows 'membership' of attacks.jsonl")


def draw_differences(rows: Sequence[Row], path: Path) -> None:
    """Figure "differencing": errors of a row that was subtracted, against the digits of the weights."""
    found = [row for row in pick(rows, figure="differencing", rows_of_owner=1) if "system" not in row]
    with picture(path, 2, sharey=True) as (figure, panels):
        for panel, model in zip(panels, ("linear", "logistic"), strict=True):
            own = [row for row in found if row["model"] == model]
            most = max(row["rows"] for row in own)
            lines = dict.fromkeys((row["models"], row["rows"], row["far"]) for row in own)
            shown = [line for line in lines if line[0] == 1 or line[1] == most]
            for mark, (models, n, far) in zip(SERIES, shown, strict=False):
                line = [row for row in own if (row["models"], row["rows"], row["far"]) == (models, n, far)]
                words = {1: "all", 2: "half"}.get(models, f"none, {models} models") + f", n = {n}"
                words += f", {far:g} times as far out" if far > 1 else ""
                panel.plot([row["digits"] for row in line], [row["error"] for row in line], **mark.line(label=words))
            panel.axhline(1, color=INK, lw=1.0, ls="--")
            panel.set(yscale="log", xlim=(9.3, 1.7), xticks=[9, 6, 4, 3, 2], xlabel="digits of the published weights")
            panel.legend(title="knows of the other rows", title_fontsize=8, loc="lower right")
        panels[0].set(title="Least squares, diabetes (d = 10)", ylabel="error, of that of guessing (median)")
        panels[1].set(title="Logistic, breast cancer (d = 10)")
        note(figure, "dashes: guessing the mean; at 10: 10 or more; rows 'differencing' of attacks.jsonl")


def _with_margins(panel: Any, line: Sequence[tuple[float, float, float]], style: dict[str, Any]) -> None:
    x, y, margin = zip(*line, strict=True)
    panel.errorbar(x, y, yerr=margin, elinewidth=0.9, capsize=2.5, **style)


Draw = Callable[[Sequence[Row], Path], None]
_ROWS: Mapping[str, Draw] = {"attack_rows": draw_rows}
PICTURES: Mapping[str, Mapping[str, Draw]] = {
    "seed": _ROWS,
    "key holder": _ROWS,
    "gradients": _ROWS,
    "views": {"attack_views": draw_views},
    "membership": {"attack_membership": draw_outputs},
    "differencing": {"attack_differencing": draw_differences},
}
"""What is drawn, by name, when the rows of a figure are new."""
