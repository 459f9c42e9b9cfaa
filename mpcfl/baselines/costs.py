"""What a baseline costs: who worked how long, and who sent how much. All parties work in turn in one process.

    costs = Costs()
    found = costs.together("compute", {"participant 1": lambda: gradient(1), "participant 2": lambda: gradient(2)})
    costs.round({"participant 1": 248, "participant 2": 248})

Parties who would work at the same time are measured in turn, and the slowest counts. There is no link: seconds are
those of work, and what a link adds follows from rounds and bytes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")
OFFLINE = "offline"  # the phase of what needs no data: keys


class Costs:
    """rounds: messages that wait for each other, online. online, offline: bytes that each party has sent."""

    def __init__(self) -> None:
        self.rounds = 0
        self.online: dict[str, int] = {}
        self.offline: dict[str, int] = {}
        self._slowest: dict[str, float] = defaultdict(float)
        self._seconds: dict[str, dict[str, float]] = {}
        self._cpu: dict[str, float] = defaultdict(float)

    def together(self, phase: str, work: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
        """What each party's work returns. Each is measured by itself, and the slowest counts for the phase."""
        results, slowest = {}, 0.0
        for party, task in work.items():
            cpu, start = time.process_time(), time.perf_counter()
            results[party] = task()
            seconds = time.perf_counter() - start
            self._cpu[party] += time.process_time() - cpu
            own = self._seconds.setdefault(party, defaultdict(float))
            own[phase] += seconds
            slowest = max(slowest, seconds)
        self._slowest[phase] += slowest
        return results

    def alone(self, phase: str, party: str, task: Callable[[], Result]) -> Result:
        """The same for one party, for whom the others wait."""
        return self.together(phase, {party: task})[party]

    def round(self, sizes: Mapping[str, int]) -> None:
        """Bytes that each of these parties sends online, all at the same time."""
        self.rounds += 1
        for party, size in sizes.items():
            self.online[party] = self.online.get(party, 0) + size

    def sent_before(self, sizes: Mapping[str, int]) -> None:
        """Bytes that each of these parties sends offline."""
        for party, size in sizes.items():
            self.offline[party] = self.offline.get(party, 0) + size

    def row(self) -> dict[str, Any]:
        """rounds, bytes (of the party that sends most) and seconds (online), and all of it by party and phase."""
        phases = {name: round(seconds, 6) for name, seconds in self._slowest.items() if name != OFFLINE}
        return {
            "rounds": self.rounds,
            "bytes": max(self.online.values(), default=0),
            "bytes_online": dict(self.online),
            "bytes_offline": dict(self.offline),
            "seconds": round(sum(phases.values()), 6),
            "seconds_offline": round(self._slowest.get(OFFLINE, 0.0), 6),
            "seconds_by_phase": phases,
            "phases": {party: {name: round(s, 6) for name, s in own.items()} for party, own in self._seconds.items()},
            "cpu_seconds": {party: round(seconds, 6) for party, seconds in self._cpu.items()},
        }
