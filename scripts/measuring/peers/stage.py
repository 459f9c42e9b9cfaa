"""A party's side of a measurement. It needs numpy only: the parties of some systems run in environments of their own.

The process that started the party passes one JSON text and reads lines of JSON from the party's standard output.
Before and after each fit rank 0 says so and waits for an answer: the others cannot start without it, and so CPU
seconds and packets of *all* processes are read off at the same two moments.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


class Stage:
    """`spec`: rank, size, master, addresses, ports, log, table, rate, batch, fits, and what the system asks for."""

    def __init__(self) -> None:
        self.spec: dict[str, Any] = json.loads(sys.argv[1])
        self.rank = int(self.spec["rank"])
        self._out = os.fdopen(os.dup(1), "w")
        log = os.open(self.spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)  # what libraries print goes to the log
        os.dup2(log, 2)
        world = {"RANK": self.rank, "WORLD_SIZE": self.spec["size"], "MASTER_ADDR": self.spec["master"]}
        os.environ.update({name: str(value) for name, value in world.items()}, MASTER_PORT=str(self.spec["ports"][0]))

    def table(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """All rows: a party of a real run would have its own only."""
        with np.load(self.spec["table"]) as arrays:
            return arrays["x"], arrays["y"]

    def batches(self, rows: int, iterations: int) -> Iterator[slice]:
        """Rows of each iteration, as `problems.descent` takes them."""
        size = self.spec["batch"] or rows
        starts = range(0, rows, size)
        for i in range(iterations):
            start = starts[i % len(starts)]
            yield slice(start, min(start + size, rows))

    def fits(self, fit: Callable[[int], dict[str, Any]]) -> None:
        """Run `fit(iterations)` for each entry of the list of fits; what it returns goes into the results."""
        for iterations in self.spec["fits"]:
            self._mark("start")
            start = time.perf_counter()
            known = fit(iterations)
            seconds = time.perf_counter() - start
            self._mark("stop")
            self._say({"fit": {"iterations": iterations, "seconds": seconds, **known}})

    def say_versions(self, **versions: str) -> None:
        self._say({"versions": versions})

    def _mark(self, name: str) -> None:
        if self.rank == 0:
            self._say({"mark": name})
            sys.stdin.readline()

    def _say(self, message: dict[str, Any]) -> None:
        print(json.dumps(message), file=self._out, flush=True)
