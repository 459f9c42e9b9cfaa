"""One figure of a device as a row: what it is, beside a peer, a roof and what it was meant to reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from measuring.gpu.clock import Timing

FIGURE = "gpu"
Row = dict[str, Any]


def row(
    name: str,
    value: float,
    unit: str,
    *,
    less_is_better: bool = False,
    peer: tuple[str, Callable[[], float]] | None = None,
    roofline: tuple[str, float] | None = None,
    target: float | None = None,
    timing: Timing | None = None,
    **more: Any,
) -> Row:
    """`peer`: its name and what measures it, in the same unit; a peer that fails is a reason and no failure of ours.
    `ratio`: how many times better than the peer. `roofline`: what bounds the figure, and the best that it allows."""
    made: Row = {"figure": FIGURE, "case": name, "name": name, "value": _rounded(value), "unit": unit}
    if peer is not None:
        made["peer"] = _measured(*peer)
        if "value" in made["peer"]:
            made["ratio"] = _rounded(_times(value, made["peer"]["value"], less_is_better))
    if roofline is not None:
        bound, best = roofline
        made["roofline"] = {
            "bound": bound,
            "value": _rounded(best),
            "share": _rounded(_times(value, best, less_is_better)),
        }
    if target is not None:
        made |= {"target": target, "reached": value <= target if less_is_better else value >= target}
    return {**made, **(timing.as_row() if timing is not None else {}), **more}


def _measured(name: str, measure: Callable[[], float]) -> Row:
    try:
        return {"name": name, "value": _rounded(measure())}
    except Exception as error:  # whatever a library of others does on a device
        return {"name": name, "not_measured": reason(error)}


def reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]


def _times(value: float, other: float, less_is_better: bool) -> float:
    return other / value if less_is_better else value / other


def _rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")
