"""Constants of kernels that only a device can choose: what each takes with other values than the one in the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import torch

from measuring.gpu.clock import Clock
from measuring.gpu.figure import FIGURE, Row, reason, row
from measuring.gpu.peaks import Size
from measuring.gpu.ring import uniform
from mpcfl.ring._triton import why_not

_TILES = ((128, 16), (64, 16), (32, 16), (64, 32), (32, 32), (16, 128))
_WIDTHS = (128, 256, 512, 1024)
_TERMS = 30


@dataclass(frozen=True)
class Knob:
    """`attribute` of `module`, which `work` depends on; `options`: values to try, the present one among them or not;
    `show`: what is printed of a value."""

    name: str
    module: Any
    attribute: str
    options: Sequence[Any]
    work: Callable[[], object]
    show: Callable[[Any], object] = str


def tuning(clock: Clock, size: Size) -> Row:
    missing = why_not(clock.device.type)
    if missing is not None:
        return {"figure": FIGURE, "case": "tuning", "name": "tuning", "not_measured": missing}
    quick = Clock(clock.device, clock.budget / 10, least=2, most=50)
    lines = [measured(quick, knob) for knob in knobs(clock.device, size)]
    right = sum(line["chosen"] == line["best"] for line in lines) / len(lines)
    return row("tuning", right, "of constants at their best value", tuned=lines)


def measured(clock: Clock, knob: Knob) -> Row:
    """Milliseconds by value, or why there are none; `best`: the quickest."""
    present = getattr(knob.module, knob.attribute)
    found: dict[str, float | str] = {}
    for option in dict.fromkeys([present, *knob.options]):
        with _set(knob.module, knob.attribute, option):
            try:
                found[str(knob.show(option))] = round(1e3 * clock.time(knob.work).seconds, 4)
            except Exception as error:  # a compiler's or a device's: this value cannot be had
                found[str(knob.show(option))] = reason(error)
    times = {option: taken for option, taken in found.items() if isinstance(taken, float)}
    best = min(times, key=lambda option: times[option]) if times else ""
    return {"what": knob.name, "chosen": str(knob.show(present)), "best": best, "milliseconds": found}


@contextmanager
def _set(module: Any, attribute: str, value: Any) -> Iterator[None]:
    before = getattr(module, attribute)
    setattr(module, attribute, value)
    try:
        yield
    finally:
        setattr(module, attribute, before)


def knobs(device: torch.device, size: Size) -> Iterator[Knob]:
    yield from _of_skinny(device, size)
    yield from _of_streams(device, size)
    from mpcfl.ring import _tiles_triton

    a = uniform(device, 2 * size.columns, 2 * size.columns)
    yield Knob("small products, tile", _tiles_triton, "_TILE", (16, 32, 64), lambda: _tiles_triton.matmul(a, a))


def _of_skinny(device: torch.device, size: Size) -> Iterator[Knob]:
    from mpcfl.ring import _skinny_triton as skinny

    n, d = size.rows, size.columns
    x, e = uniform(device, n, d), uniform(device, n, d)
    for m in (1, 4, 8):
        tiles = [(*skinny.TILES[: m - 1], one, *skinny.TILES[m:]) for one in _TILES]
        for way, factor in (("rows", uniform(device, d, m)), ("columns", uniform(device, n, m))):
            work = partial(getattr(skinny, way), x, factor, e, factor)
            yield Knob(f"{way}, {m} factors", skinny, "TILES", tiles, work, itemgetter(m - 1))
    yield Knob("columns, programs", skinny, "_PROGRAMS", (264, 528, 1056, 2112, 4224), work)


def _of_streams(device: torch.device, size: Size) -> Iterator[Knob]:
    from mpcfl.ring import _chacha_triton as chacha
    from mpcfl.ring import _waves_triton as waves
    from mpcfl.ring.waves import Coefficients

    words, angles = torch.empty(size.words, dtype=torch.int64, device=device), uniform(device, size.rows)
    fill = partial(chacha.fill, bytes(32), bytes(12), 0, words)
    yield Knob("ChaCha20, lanes", chacha, "_LANES", (64, 128, 256, 512), fill)
    shares = words[: 2 * _TERMS * size.rows].reshape(2, _TERMS, size.rows)
    series = Coefficients(np.ones((1, _TERMS)), np.ones((1, _TERMS)))
    yield Knob("series, angles", waves, "_WIDTH", _WIDTHS, partial(waves.combine, angles, shares, series))
    yield Knob("tables, angles", waves, "_WIDTH", _WIDTHS, partial(waves.tables, angles, _TERMS, 16))
