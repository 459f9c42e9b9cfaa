"""Figures of training: an iteration of one party, beside plaintext on the same device; sharing and revealing; a fit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import mpcfl
from measuring.fits import costs, fit
from measuring.gpu import crypten, solo
from measuring.gpu.clock import Clock, Timing, summary
from measuring.gpu.figure import Row, row
from measuring.gpu.peaks import Peaks, Size, short
from measuring.one_process import run_threads
from measuring.tables import TARGET
from mpcfl.data.table import Table
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.reveal import reveal
from mpcfl.world.party import Roster
from mpcfl.world.session import Session

TWO = {"north": ["data", "compute"], "south": ["data", "compute"], "helper": ["dealer"]}
_SCALE = 20
_REVEALS = 10
_AHEAD = 8  # messages: the dealer would run ahead until all memory is full


def iteration(clock: Clock, peaks: Peaks, size: Size) -> Iterator[Row]:
    """Rows: an iteration of one party, and how many of plaintext's in float32 and float64 that is."""
    found = solo.iterations(clock, size.rows, size.columns, size.iterations)
    whole, kernels = found["whole"], found["kernels"]
    seconds = sum(kernels.values()) or whole.seconds
    reads = 2 * 8 * size.rows * size.columns  # [X], for X w and for X.T e
    yield row(
        f"logistic_iteration_{size.table}", 1e3 * seconds, "ms of device time of one party", less_is_better=True,
        peer=("CrypTen 0.4.1's own training, an iteration of two parties here", lambda: crypten.iteration(clock, size)),
        roofline=("two reads of [X]", 1e3 * reads / peaks.bandwidth), target=1.0, timing=whole,
        whole=round(1e3 * whole.seconds, 4), timed="kernels" if kernels else "from start to start",
        kernels={name: round(1e3 * taken, 4) for name, taken in list(kernels.items())[:12]},
    )  # fmt: skip
    for dtype, target in ((torch.float32, None), (torch.float64, 5.0)):
        plain, name = plaintext(clock, size, dtype), str(dtype).removeprefix("torch.")
        yield row(
            f"logistic_iteration_over_{name}", seconds / plain.seconds, "times plaintext", less_is_better=True,
            target=target, timing=plain, plaintext=round(1e3 * plain.seconds, 4),
        )  # fmt: skip


def plaintext(clock: Clock, size: Size, dtype: torch.dtype) -> Timing:
    """An iteration of the same gradient descent on the pooled table, on the same device."""
    x, y = (torch.from_numpy(part).to(clock.device, dtype) for part in solo.problem(size.rows, size.columns))
    w = torch.zeros(size.columns, device=clock.device, dtype=dtype)

    def step() -> None:
        w.sub_(x.t() @ ((x @ w).sigmoid_().sub_(y)), alpha=0.1 / size.rows)

    return clock.time(step)


def reveal_name(size: Size) -> str:
    return f"share_reveal_{short(size.rows)}"


def share_reveal(clock: Clock, size: Size) -> Row:
    """From real values at one party to the same values revealed to both, on one device; threads, so no socket."""
    numbers = np.random.default_rng(2).uniform(-1, 1, size.rows)

    def program(session: Session) -> list[float]:
        values, taken = torch.from_numpy(numbers).to(clock.device), []
        for _ in range(_REVEALS if session.is_compute else 0):
            clock.settle()
            start = time.perf_counter()
            ring = encode(values, _SCALE) if session.rank == 0 else None
            (share,) = share_inputs(session, [Input("values", 0, tuple(values.shape), _SCALE, 1.0, ring)])
            found = reveal({"values": share}, to=["north", "south"], reason="a measurement")["values"]
            clock.settle()
            taken.append(time.perf_counter() - start)
        if session.is_compute and not torch.allclose(found.to(values.device), values, atol=2.0**-_SCALE, rtol=0):
            raise AssertionError("what was revealed is not what was shared")
        return taken[2:]

    timing = summary(run_threads(_roster(clock), program, device=str(clock.device))[0])
    return row(
        reveal_name(size), 1e3 * timing.seconds, "ms", less_is_better=True, target=1.0,
        timing=timing,
    )  # fmt: skip


def whole_fit(clock: Clock, size: Size) -> Row:
    """Two compute parties and their dealer, all on this device, threads of one process: iterations and phases."""
    x, y = solo.problem(size.rows, size.columns)
    halves = {rank: Table.of({"x": part, TARGET: of_y}) for rank, (part, of_y) in enumerate(_halves(x, y))}
    wanted = solo.settings(size.iterations)

    def program(session: Session) -> Any:
        return fit(session, lambda: None, halves.get(session.rank), wanted)

    fits = run_threads(_roster(clock), program, device=str(clock.device), ahead=_AHEAD)
    w = np.zeros(size.columns)
    for _ in range(size.iterations):
        w -= 0.1 / size.rows * (x.T @ (1 / (1 + np.exp(-(x @ w))) - y) + w)
    error = float(np.linalg.norm(np.array(fits[0].coefficients) - w) / np.linalg.norm(w))
    return row(
        f"logistic_fit_{size.table}", max(one.seconds for one in fits), "s", less_is_better=True,
        **costs(fits), iterations=size.iterations, relative=error, refused=fits[0].refused or None,
        phases={one.party: {name: round(taken, 4) for name, taken in one.phases.items()} for one in fits},
    )  # fmt: skip


def _roster(clock: Clock) -> Roster:
    return mpcfl.roster(TWO, gpus=clock.device.type != "cpu")


def _halves(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    middle = len(x) // 2
    yield x[:middle], y[:middle]
    yield x[middle:], y[middle:]
