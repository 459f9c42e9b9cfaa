"""How the pictures in results/ look: one style, readable in grey, one mark for each system in all of them.

    with picture(Path("results/headline"), panels=2) as (figure, (left, right)):
        left.loglog(x, y, **MARKS["mpcfl"].line())

writes headline.svg and headline.png. Systems differ in colour, in lightness *and* in marker; lines also in dashes. Text
stays text in the SVG, and the same rows give the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INK, SOFT, GRID = "#222222", "#6b6b6b", "#dddddd"
WIDTH = 4.6  # inches of a panel
PNG_DPI = 130
_STYLE: dict[str, Any] = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    "lines.markersize": 6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "mpcfl",
}


@dataclass(frozen=True)
class Mark:
    """How one system is drawn. Lightness falls from plaintext (light) to mpcfl (dark)."""

    label: str
    colour: str
    marker: str
    dashes: Any = "-"
    hollow: bool = False
    hatch: str = ""

    def line(self, **more: Any) -> dict[str, Any]:
        """For `plot` and its like."""
        return {**self.point(), "linestyle": self.dashes, **more}

    def point(self, **more: Any) -> dict[str, Any]:
        """For `plot`: a mark without line."""
        face = "white" if self.hollow else self.colour
        own = {"color": self.colour, "marker": self.marker, "markerfacecolor": face, "label": self.label}
        return {**own, "linestyle": "none", **more}

    def bar(self, **more: Any) -> dict[str, Any]:
        """For `bar` and `barh`."""
        return {"color": self.colour, "edgecolor": "white", "hatch": self.hatch, "label": self.label, **more}


# Luminance, 0 black to 255 white: mpcfl 50, CrypTen and SPU 107, the classic design 117 and 164, plaintext 181.
MARKS: dict[str, Mark] = {
    "pooled": Mark("plaintext, pooled", "#b5b5b5", "s", ":"),
    "fedsgd": Mark("FedSGD, plaintext", "#b5b5b5", "D", "-."),
    "fedavg": Mark("FedAvg, plaintext", "#b5b5b5", "P", "--"),
    "ckks": Mark("classic: CKKS, all encrypted", "#c65f12", "^", "--"),
    "ckks-sum": Mark("classic: CKKS, gradients summed", "#e0964f", "v", "-."),
    "paillier-sum": Mark("classic: Paillier, gradients summed", "#e0964f", "<", ":", hollow=True),
    "masks-sum": Mark("secure aggregation, gradients summed", "#e0964f", ">", "--"),
    "mpcfl": Mark("mpcfl", "#0b3c6f", "o"),
    "mpcfl-vertical": Mark("mpcfl, vertical", "#0b3c6f", "o", "--", hollow=True),
    "crypten-ttp": Mark("CrypTen 0.4.1, helper deals", "#2f8f5b", "X", "-."),
    "crypten-tfp": Mark("CrypTen 0.4.1, rank 0 deals", "#2f8f5b", "x", ":"),
    "spu-taylor-once": Mark("SPU, sigmoid 1/2 + z/4", "#b78acb", "p", ":"),
    "spu-logistic-once": Mark("SPU, exact sigmoid", "#8a4fa3", "h", "--", hollow=True),
}
"""By the `system` of a row. A new system is one line here."""

SERIES: tuple[Mark, ...] = (
    Mark("", "#0b3c6f", "o"),
    Mark("", "#c65f12", "^", "--"),
    Mark("", "#2f8f5b", "s", "-."),
    Mark("", "#8a4fa3", "D", ":"),
    Mark("", "#8f8f8f", "v", (0, (6, 1, 1, 1, 1, 1))),
)
"""For what is no system: further lines of one picture, in this order."""

PHASES: dict[str, Mark] = {
    "local": Mark("own rows, float64", "#cfcfcf", "s"),
    "setup": Mark("agreeing on the table", "#8fa9c4", "s", hatch="...."),
    "offline": Mark("dealt randomness", "#d98b3e", "s", hatch="////"),
    "online": Mark("online", "#0b3c6f", "s"),
}
"""Parts of a stacked bar, from the bottom."""


@contextmanager
def picture(
    path: Path, panels: int = 1, rows: int = 1, *, height: float = 3.5, width: float = WIDTH, **more: Any
) -> Iterator[Any]:
    """(figure, axes) in the house style: `panels` side by side in each row, axes a list if there are several; `more`
    for `pyplot.subplots`. Afterwards written to `path` with the endings .svg and .png, and said."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context(_STYLE):
        size = (width * panels, height * rows)
        figure, axes = pyplot.subplots(rows, panels, figsize=size, layout="constrained", squeeze=False, **more)
        try:
            yield figure, (list(axes.flat) if panels * rows > 1 else axes[0, 0])
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
            figure.savefig(path.with_suffix(".png"), dpi=PNG_DPI)
            print(f"written: {path.with_suffix('.svg')} and .png")
        finally:
            pyplot.close(figure)


def label_end(axes: Any, x: Sequence[float], y: Sequence[float], text: str, **more: Any) -> None:
    """Words at the last point of a line, in the place of a legend."""
    style = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 8, **more}
    axes.annotate(text, (x[-1], y[-1]), **style)


def few_decades(axis: Any) -> None:
    """Ticks 1, 2, 5 with plain numbers for a logarithmic axis that spans little."""
    from matplotlib import ticker

    axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def note(figure: Any, text: str) -> None:
    """Small print under a picture: where the rows are, and what is computed and not measured."""
    figure.supxlabel(text, fontsize=7.5, color=SOFT, x=0.01, ha="left")
