"""One compute party alone, with nobody at the other end: what a party's own device does in an iteration.

What a party sends comes back as what it receives. The numbers are nonsense, and cost what real ones cost: what a run
does depends on public facts only. Party 0 expands all its randomness from streams, so that no dealer need be there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

import mpcfl
from measuring.gpu.clock import Clock, Timing, summary
from measuring.one_process import landed
from measuring.tables import TARGET
from measuring.trainings import Training
from mpcfl.data.facts import Facts
from mpcfl.data.table import Table
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.world.session import Session
from mpcfl.world.wire import Expected

ALONE = {"north": ["data", "compute"], "south": ["compute"], "east": ["dealer"]}
STEP = "gradient descent"  # what the solver calls its iterations
_SKIPPED = 3  # iterations before the first that counts: they load, compile and fill caches


class Echo:
    """A wire that gives back what was sent, or zeros where nothing was."""

    phase = "alone"

    def exchange(
        self,
        sends: Mapping[int, torch.Tensor],
        receives: Mapping[int, Expected],
        into: Mapping[int, torch.Tensor] | None = None,
    ) -> dict[int, torch.Tensor]:
        answers = {peer: self._answer(sends.get(peer), *expected) for peer, expected in receives.items()}
        return landed(answers, into)

    def _answer(self, sent: torch.Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        if sent is not None and sent.dtype == dtype and sent.numel() == math.prod(shape):
            return sent.reshape(shape).clone()  # a sender uses its memory again
        return torch.zeros(shape, dtype=dtype)

    def advance(self) -> None: ...

    def abort(self, reason: str, culprit: int | None = None) -> None: ...

    def close(self) -> None: ...


class _Enough(Exception):
    """The iterations that were wanted are done."""


@lru_cache(maxsize=1)
def problem(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised columns, and a target of 0 and 1 that they explain in part."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, columns))
    x = (x - x.mean(0)) / x.std(0)
    z = x @ (rng.standard_normal(columns) * 2 / math.sqrt(columns))
    return x, (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.float64)


def settings(count: int) -> Settings:
    """`count` steps of plain gradient descent; no intercept, so that the table has the columns that it is named for."""
    solver = {"name": "gradient", "learning_rate": 0.1, "iterations": count}
    training = Training(model="logistic", solver=solver, parameters={"fit_intercept": False})
    return replace(training.settings, to=None)


def iterations(clock: Clock, rows: int, columns: int, count: int) -> dict[str, Any]:
    """Of `count` iterations of logistic regression at one party: Timing of one from start to start ("whole"), and
    seconds of its kernels alone ("kernels"), if the device can be profiled."""
    x, y = problem(rows, columns)
    roster = mpcfl.roster(ALONE, gpus=clock.device.type != "cpu")
    session = Session(roster, 0, Echo(), device=str(clock.device))
    session.agree(b"alone")
    facts = Facts(
        partition="horizontal",
        features=tuple(f"x{i}" for i in range(columns)),
        target=TARGET,
        rows={0: rows},
    )
    marks = _Marks(clock, count)
    session.on_step = marks
    try:
        train(session, facts, settings(count + _SKIPPED + 1), Table.of({"x": x, TARGET: y}))
    except _Enough:
        pass
    return {"whole": marks.whole(), "kernels": marks.kernels()}


class _Marks:
    """Called at every step: notes when, and has the later half profiled."""

    def __init__(self, clock: Clock, count: int) -> None:
        self._clock, self._count = clock, count
        self._seen, self._times = 0, list[Callable[[], float]]()
        self._profile: Any = None
        self._profiled = 0

    def __call__(self, what: str, _done: int, _total: int) -> None:
        self._seen += what == STEP
        if what != STEP or self._seen < _SKIPPED:
            return
        half = _SKIPPED + self._count // 2
        if self._seen <= half:
            self._times.append(self._now())
        if self._seen == half and self._clock.device.type == "cuda":
            from torch.profiler import ProfilerActivity, profile

            self._clock.settle()
            self._profile = profile(activities=[ProfilerActivity.CUDA])
            self._profile.__enter__()
        if self._seen >= _SKIPPED + self._count:
            self._profiled = self._seen - half
            if self._profile is not None:
                self._clock.settle()
                self._profile.__exit__(None, None, None)
            raise _Enough

    def _now(self) -> Callable[[], float]:
        """Seconds since the first mark, on the device's clock; asked for when all is done."""
        if self._clock.device.type != "cuda":
            moment = time.perf_counter()
            return lambda: moment
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        if not self._times:
            self._first = event
        return lambda: float(self._first.elapsed_time(event)) / 1000

    def whole(self) -> Timing:
        self._clock.settle()
        moments = [moment() for moment in self._times]
        return summary([later - earlier for earlier, later in zip(moments, moments[1:], strict=False)])

    def kernels(self) -> dict[str, float]:
        """Seconds of an iteration by name of the kernel, copies to and from the host left out; empty: not profiled."""
        found: dict[str, float] = {}
        for event in self._profile.key_averages() if self._profile is not None else []:
            taken = getattr(event, "self_device_time_total", 0.0)
            if taken and "HtoD" not in event.key and "DtoH" not in event.key:
                found[event.key[:60]] = taken / 1e6 / self._profiled
        return dict(sorted(found.items(), key=lambda item: -item[1]))
