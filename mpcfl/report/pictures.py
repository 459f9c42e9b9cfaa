"""Pictures as inline SVG: one style, readable in grey, in the page's own colours (light and dark).

Each function returns None where the record lacks its data. Nothing is told by colour alone: shades differ in
lightness, and labels stand at what they name. matplotlib is loaded when the first picture is drawn.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mpcfl.report.record import RunRecord
from mpcfl.report.units import count, number, shortened, size, small

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib paints with these and `_svg` puts the page's variables in their place.
INK, MUTED, GRID, PAPER = "#010203", "#010204", "#010205", "#010206"
DARK, MIDDLE, LIGHT, PALE = "#010207", "#010208", "#010209", "#01020a"
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"}
_VARIABLES |= {DARK: "dark", MIDDLE: "middle", LIGHT: "light", PALE: "pale"}

_STYLE: Any = {
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "mpcfl",
    "text.color": INK,
    "text.parse_math": False,  # a column may be called "price in $"
    "xtick.color": MUTED,
    "xtick.labelsize": 9,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.color": MUTED,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}

PHASES = {"setup": PALE, "offline": LIGHT, "online": DARK, "local": MIDDLE}
# What the solver in a job file calls its turns; doubling's result stands for gradient steps.
STEPS = {"newton": "Newton steps", "fixed_hessian": "iterations", "admm": "iterations"}
MOST_NAMES = 24
MOST_POINTS = 10_000  # of which the page would be several megabytes


def convergence(record: RunRecord) -> str | None:
    """Distance of plaintext training from the optimum by its steps, log-log, with a mark where this run stopped."""
    points = [(step, far) for step, far in record.at("plaintext", "convergence") or [] if step > 0 and far > 0]
    if len(points) < 2:
        return None
    name = STEPS.get(str(record.at("solver", "name")), "gradient steps")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        steps, far = zip(*points, strict=True)
        axes.loglog(steps, far, color=DARK, linewidth=2)
        axes.set(xlabel=name, ylabel="relative distance from the optimum")
        _powers(axes, "x")
        _powers(axes, "y")
        if record.steps:
            there = math.exp(np.interp(math.log(record.steps), np.log(steps), np.log(far)))
            axes.axvline(record.steps, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            if steps[0] <= record.steps <= steps[-1]:
                axes.plot([record.steps], [there], "o", color=DARK, markersize=8, markeredgecolor=PAPER)
            low, high = np.log(axes.get_xlim())
            where = (math.log(record.steps) - low) / (high - low)
            axes.annotate(
                f"this run: {count(record.steps)} steps",
                (record.steps, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="left" if where < 0.2 else "right" if where > 0.8 else "center",
                va="bottom",
                color=INK,
            )

    return _svg("convergence", f"Distance from the optimum by {name}", (7.2, 3.2), draw)


def loss(record: RunRecord) -> str | None:
    """The training loss that was revealed on the way, by iterations."""
    points = [(step, value) for step, value in record.at("loss") or [] if value is not None and math.isfinite(value)]
    if len(points) < 2:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(*zip(*points, strict=True), "o-", color=DARK, linewidth=2, markersize=5, markeredgecolor=PAPER)
        axes.set(xlabel=STEPS.get(str(record.at("solver", "name")), "gradient steps"), ylabel="mean loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        step, value = points[-1]
        axes.annotate(number(value), (step, value), xytext=(0, 7), textcoords="offset points", ha="right", color=INK)

    return _svg("loss", "Training loss by iterations", (7.2, 3.2), draw)


def costs(record: RunRecord) -> str | None:
    """Bytes sent by all parties, and rounds, by protocol; phases are stacked, offline light, online dark."""
    table = record.at("costs") or {}
    octets: dict[str, dict[str, int]] = {}
    rounds: dict[str, dict[str, int]] = {}
    for phases in table.values():
        for phase, protocols in phases.items():
            for protocol, cost in protocols.items():
                sent = octets.setdefault(protocol, {})
                sent[phase] = sent.get(phase, 0) + cost.get("bytes", 0)
                waits = rounds.setdefault(protocol, {})  # parties wait together: a round is counted once
                waits[phase] = max(waits.get(phase, 0), cost.get("rounds", 0))
    if not octets:
        return None
    order = sorted(octets, key=lambda name: sum(octets[name].values()))
    used = [phase for phase in PHASES if any(octets[name].get(phase) or rounds[name].get(phase) for name in order)]

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        for axes, values, word in ((left, octets, size), (right, rounds, count)):
            start = np.zeros(len(order))
            for phase in used:
                lengths = np.array([float(values[name].get(phase, 0)) for name in order])
                axes.barh(
                    range(len(order)),
                    lengths,
                    left=start,
                    height=0.62,
                    color=PHASES[phase],
                    edgecolor=PAPER,
                    label=phase,
                )
                start += lengths
            for position, length in enumerate(start):
                label = word(length) if length else "–"
                offset = {"xytext": (4, 0), "textcoords": "offset points"}
                axes.annotate(label, (length, position), **offset, va="center", color=INK, fontsize=9)
            axes.set_xlim(0, max(start.max(), 1) * 1.28)
            axes.grid(axis="y", visible=False)
            axes.spines["bottom"].set_visible(False)
            axes.set_xticks([])
        left.set_yticks(range(len(order)), [shortened(name, 28) for name in order], color=INK)
        left.set_title("bytes sent, all parties together")
        right.set_title("rounds")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=len(used), frameon=False)

    return _svg("costs", "Bytes and rounds by protocol and phase", (7.2, 1.3 + 0.32 * len(order)), draw)


def agreement(record: RunRecord) -> str | None:
    """Secure against plaintext coefficients: on the diagonal, and what is left when one is taken from the other."""
    plaintext = record.at("plaintext", "coef")
    if plaintext is None or np.shape(plaintext) != record.coef.shape or record.coef.size > MOST_POINTS:
        return None
    twin, secure = np.asarray(plaintext, dtype=np.float64).ravel(), record.coef.ravel()
    names = [f"{shortened(name, 20)}{of}" for of in _classes(record) for name in record.features]

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        both = np.concatenate([twin, secure])
        margin = (np.ptp(both) or 1.0) * 0.06
        ends = [both.min() - margin, both.max() + margin]
        left.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        left.plot(twin, secure, "o", color=DARK, markersize=6, markeredgecolor=PAPER, zorder=2)
        left.set(xlabel="plaintext", ylabel="secure", title="coefficients", xlim=ends, ylim=ends)
        left.locator_params(nbins=5)
        difference = secure - twin
        positions = range(len(twin))
        right.axvline(0, color=MUTED, linewidth=1)
        few = len(twin) <= MOST_NAMES
        right.hlines(positions, 0, difference, color=DARK, linewidth=1.5 if few else 0.7)
        right.plot(difference, positions, "o", color=DARK, markersize=5 if few else 2.5, markeredgewidth=0)
        largest = float(np.abs(difference).max()) or 1e-16
        right.set(title="secure minus plaintext", xlim=(-1.15 * largest, 1.15 * largest))
        right.set_xticks([-largest, 0, largest], [f"−{small(largest)}", "0", small(largest)])
        right.invert_yaxis()
        if few:
            right.set_yticks(positions, names, color=INK)
        else:
            right.set_ylabel("column" if record.classes is None else "column, class after class")
        right.grid(axis="y", visible=False)

    height = max(3.2, 1.0 + 0.2 * len(twin)) if len(twin) <= MOST_NAMES else 3.8
    return _svg("agreement", "Secure against plaintext coefficients", (7.2, height), draw)


def _classes(record: RunRecord) -> list[str]:
    """What is added to the name of a column to tell its weights apart."""
    return [""] if record.classes is None else [f", {k}" for k in range(record.classes)]


def _powers(axes: Axes, which: str) -> None:
    """Tick labels 0.001 as 10⁻³, 1 and 10 as they are."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

    def label(value: float, _: float) -> str:
        power = round(math.log10(value)) if value > 0 else 0
        return f"{10**power}" if power in (0, 1, 2, 3) else f"10{str(power).translate(raised)}"

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(label)
    axis.set_minor_formatter(lambda value, position: "")


def _svg(name: str, title: str, inches: tuple[float, float], draw: Any) -> str:
    """What `draw` paints on a figure, as an <svg> element for the page: no document head, ids of its own."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The browser has the letters that DejaVu lacks (Chinese column names).
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text).replace("url(#", f"url(#{name}-")
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
