"""The headline: what the weights lose against what training costs, over plaintext federated learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring.rows import Row, pick
from measuring.style import INK, MARKS, SOFT, note, picture
from measuring.sweeps.links import LAN, WAN, Link

FLOOR = 1e-16  # of the errors that are drawn: float64 has no smaller ones
REMARKS = {
    "mpcfl, 2 compute parties": ("N = 2", (-3, -11), "right"),
    "mpcfl, 3 compute parties": ("3", (0, -11), "center"),
    "mpcfl, 5 compute parties": ("5", (3, -11), "left"),
    "mpcfl, Newton, C = 1": ("Newton", (-5, 3), "right"),
    "mpcfl, fixed Hessian, C = 0.1": ("fixed Hessian", (5, 3), "left"),
}
"""Words, offset in points and alignment."""


def seconds_on(link: Link, row: Row) -> float:
    """Computed: seconds as measured, and what the link adds to them. NaN for CrypTen's helper, who is asked for each
    tuple as it is needed: its counts do not show those waits (results/peers.md has it measured)."""
    if row["system"] == "crypten-ttp":
        return math.nan
    dealt = max(row.get("bytes_offline", {}).values(), default=0) if row["system"].startswith("mpcfl") else 0
    return float(row["seconds"] + link.seconds(row["rounds"], row["bytes"], dealt))


def bytes_of_all(row: Row) -> float:
    """Sent online by all parties together."""
    return float(sum(row["bytes_online"].values()))


MEASURES: dict[str, Callable[[Row], float]] = {
    "time, parties on one machine": lambda row: float(row["seconds"]),
    f"time at {LAN.name} (computed)": lambda row: seconds_on(LAN, row),
    f"time at {WAN.name} (computed)": lambda row: seconds_on(WAN, row),
    "bytes sent online, all parties": bytes_of_all,
    "bytes sent, offline too": lambda row: bytes_of_all(row) + sum(row.get("bytes_offline", {}).values()),
    "rounds": lambda row: float(row["rounds"]),
}


def draw(rows: Sequence[Row], path: Path) -> None:
    """`rows`: any; those of figure "headline" are drawn."""
    found = pick(rows, figure="headline")
    (plain,) = pick(found, system="fedsgd")
    with picture(path, 3, 2, width=4.0, height=3.4, sharey=True) as (figure, panels):
        for panel, (title, measure) in zip(panels, MEASURES.items(), strict=True):
            for row in found:
                overhead, error = measure(row) / measure(plain), max(row["relative"], FLOOR)
                panel.plot(overhead, error, **MARKS[row["system"]].point(label="_"))
                if row["case"] in REMARKS:
                    text, offset, side = REMARKS[row["case"]]
                    style = {"textcoords": "offset points", "fontsize": 7, "color": INK}
                    panel.annotate(text, (overhead, error), offset, ha=side, **style)
            panel.set(title=title, xscale="log", yscale="log")
            panel.axvline(1, color=SOFT, lw=0.8, ls=":")
            panel.margins(0.08)
        for panel in panels[::3]:
            panel.set_ylabel("relative error of the weights")
        for panel in panels[3:]:
            panel.set_xlabel("times plaintext federated (FedSGD)")
        for row in {row["system"]: row for row in found}.values():
            mark = MARKS[row["system"]]
            hidden = row["seen"].startswith("nobody")
            panels[0].plot([], [], **mark.point(label=mark.label + ("" if hidden else " *")))
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
        words = "* one party sees gradients or rows of others. 20 steps of logistic regression on breast cancer; "
        note(figure, words + "rows 'headline' of sweep.jsonl")
