"""Seconds of work on a device: events of its own clock, or the host's where the device is the CPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

_WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """Median of `repeats` calls; `spread`: half of the middle half's width, over the median."""

    seconds: float
    spread: float
    repeats: int

    def as_row(self) -> dict[str, float | int]:
        return {"spread": round(self.spread, 4), "repeats": self.repeats}


@dataclass(frozen=True)
class Clock:
    """Calls are timed one by one, after a warm-up, for `budget` seconds, at least `least` and at most `most` times."""

    device: torch.device
    budget: float = 1.0
    least: int = 3
    most: int = 100

    def time(self, function: Callable[[], object]) -> Timing:
        for _ in range(_WARM_UP):
            function()
        self.settle()
        taken, end = [], time.perf_counter() + self.budget
        while len(taken) < self.least or (len(taken) < self.most and time.perf_counter() < end):
            taken.append(self._once(function))
        return summary(taken)

    def settle(self) -> None:
        """Wait until the device has done all that it was told to."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _once(self, function: Callable[[], object]) -> float:
        if self.device.type != "cuda":
            start = time.perf_counter()
            function()
            return time.perf_counter() - start
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        first.record()
        function()
        last.record()
        last.synchronize()
        return float(first.elapsed_time(last)) / 1000


def summary(taken: list[float]) -> Timing:
    median = statistics.median(taken)
    low, _, high = statistics.quantiles(taken, n=4) if len(taken) > 1 else (median, median, median)
    return Timing(median, (high - low) / 2 / median if median else 0.0, len(taken))
