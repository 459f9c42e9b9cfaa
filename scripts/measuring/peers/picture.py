"""results/peers.svg and .png: seconds of an iteration, mpcfl's being 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from measuring.peers.report import OURS, TITLES, Row, other_run, ours_of


def picture(rows: Sequence[Row], path: Path) -> None:
    """Seconds of an iteration, mpcfl's being 1, a panel for each network; `path` with the endings .svg and .png."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points = {network: list(_points(rows, network)) for network in TITLES}
    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "mpcfl"}
    with pyplot.rc_context(style | {"svg.fonttype": "none", "axes.grid": True, "grid.color": "#dddddd"}):
        figure, panels = pyplot.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
        systems = [name for name in dict.fromkeys(row["system"] for row in rows) if name != OURS]
        problems = list(dict.fromkeys(row["problem"] for row in rows))
        for panel, (network, title) in zip(panels, TITLES.items(), strict=True):
            for i, system in enumerate(systems):
                known = {problem: ratio for problem, name, ratio in points[network] if name == system}
                places = [problems.index(problem) + (i - (len(systems) - 1) / 2) * 0.12 for problem in known]
                colour = pyplot.get_cmap("viridis")(i / len(systems))
                panel.plot(places, list(known.values()), "o", label=system, color=colour)
            panel.set(title=title, yscale="log", xticks=range(len(problems)), xticklabels=problems)
            panel.set_xlim(-0.6, len(problems) - 0.4)
            panel.axhline(1, color="#333333", lw=1)
            panel.set_axisbelow(True)
        panels[0].set_ylabel("seconds of an iteration, mpcfl = 1")
        if systems:
            panels[0].legend(frameon=False, fontsize=8)
        for ending in ("svg", "png"):
            figure.savefig(path.with_suffix(f".{ending}"), dpi=120, metadata={"Date": None} if ending == "svg" else {})
        pyplot.close(figure)


def _points(rows: Sequence[Row], network: str) -> Iterator[tuple[str, str, float]]:
    """(problem, system, ratio of seconds) of what was measured in one run with mpcfl."""
    for row in rows:
        ours = ours_of(rows, row)
        if row["network"] != network or row["system"] == OURS or ours is None or "not_measured" in row:
            continue
        if not other_run(row, ours):
            yield row["problem"], row["system"], row["per_iteration"]["seconds"] / ours["per_iteration"]["seconds"]
