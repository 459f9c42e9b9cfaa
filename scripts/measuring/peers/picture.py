"""results/peers.svg and .png: seconds of an iteration, mpcfl's being 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from measuring.peers.report import OURS, TITLES, Row, other_run, ours_of
from measuring.style import INK, MARKS, Mark, note, picture

_ALSO = {
    "spu-taylor": Mark("SPU, sigmoid 1/2 + z/4, X opened each time", "#b78acb", "*"),
    "spu-logistic": Mark("SPU, exact sigmoid, X opened each time", "#8a4fa3", "H"),
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """Seconds of an iteration, mpcfl's being 1, a panel for each network; `path` with the endings .svg and .png."""
    systems = [name for name in dict.fromkeys(row["system"] for row in rows) if name != OURS]
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    marks = MARKS | _ALSO
    with picture(path, 2, width=5.0, height=4.0, sharey=True) as (figure, panels):
        for panel, (network, title) in zip(panels, TITLES.items(), strict=True):
            points = list(_points(rows, network))
            for i, system in enumerate(systems):
                known = {problem: ratio for problem, name, ratio in points if name == system}
                places = [problems.index(problem) + (i - (len(systems) - 1) / 2) * 0.12 for problem in known]
                panel.plot(places, list(known.values()), **marks[system].point())
            panel.set(title=title, yscale="log", xticks=range(len(problems)), xticklabels=problems)
            panel.set_xlim(-0.6, len(problems) - 0.4)
            panel.axhline(1, color=INK, lw=1)
        panels[0].set_ylabel("seconds of an iteration, mpcfl = 1")
        if systems:
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        note(figure, "rows of peers.jsonl that were measured in one run with mpcfl's")


def _points(rows: Sequence[Row], network: str) -> Iterator[tuple[str, str, float]]:
    """(problem, system, ratio of seconds) of what was measured in one run with mpcfl."""
    for row in rows:
        ours = ours_of(rows, row)
        if row["network"] != network or row["system"] == OURS or ours is None or "not_measured" in row:
            continue
        if not other_run(row, ours):
            yield row["problem"], row["system"], row["per_iteration"]["seconds"] / ours["per_iteration"]["seconds"]
