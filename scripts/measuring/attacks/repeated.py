"""Many runs of a training, in two processes if there is a pool of them; also with masks that hide nothing or little.

with workers() as pool:
    one, other = repeated(TRAININGS["logistic"], [table, another], 80, pool=pool)
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from measuring.attacks.recorded import View, recorded
from mpcfl.ring.prg import Draw

Array = npt.NDArray[np.float64]


def repeated(
    training: dict[str, Any],
    tables: Sequence[tuple[Array, Array]],
    runs: int,
    control: str = "",
    pool: Executor | None = None,
    parts: Sequence[int] = (),
) -> list[list[dict[str, View]]]:
    """For each table the views of so many runs, with fresh keys each. `control`: one of `CONTROLS`; `pool`: who works,
    if not this process; `parts` as in `recorded`."""
    if pool is None:
        return [_runs(training, table, runs, control, parts) for table in tables]
    counts = [count for count in (runs // 2, runs - runs // 2) if count]
    made = [[pool.submit(_runs, training, table, count, control, parts) for count in counts] for table in tables]
    return [[run for some in of_table for run in some.result()] for of_table in made]


def workers() -> Executor:
    """Two processes."""
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


def _runs(
    training: dict[str, Any], table: tuple[Array, Array], runs: int, control: str, parts: Sequence[int]
) -> list[dict[str, View]]:
    with CONTROLS[control]():
        return [recorded(training, *table, parts=parts) for _ in range(runs)]


@contextmanager
def _spoiled(spoil: Callable[[npt.NDArray[np.uint8]], None]) -> Iterator[None]:
    """`spoil` works on the bytes that any stream of this process gives, meanwhile."""
    original = Draw._write

    def spoiled(draw: Draw, out: memoryview) -> None:
        original(draw, out)
        spoil(np.frombuffer(out, np.uint8))

    Draw._write = spoiled  # type: ignore[method-assign]
    try:
        yield
    finally:
        Draw._write = original  # type: ignore[method-assign]


def _zeros(stream: npt.NDArray[np.uint8]) -> None:
    stream[:] = 0


def _narrow(stream: npt.NDArray[np.uint8]) -> None:
    stream[7::8] &= 0x7F


CONTROLS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "": nullcontext,
    "masks of zeros": partial(_spoiled, _zeros),
    "masks of 63 bits": partial(_spoiled, _narrow),
}
"""Nothing; nothing is hidden, and every attack must succeed; the highest bit of every mask is 0."""
