"""Counts rounds and bytes exactly, by phase and by protocol; and seconds, which are never exact.

What is counted is payload: the ring elements that a protocol sends, 8 bytes each unless it says otherwise. The
transport adds 16 bytes of header to every message, which `messages` lets a reader add. A dry run of the same program
fills a meter of the same kind without sending anything: that is the plan, and the two agree to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Cost:
    """What one party sent in one phase for one protocol."""

    rounds: int = 0
    messages: int = 0
    bytes: int = 0

    def add(self, other: Cost) -> None:
        self.rounds += other.rounds
        self.messages += other.messages
        self.bytes += other.bytes

    def as_dict(self) -> dict[str, int]:
        return {"rounds": self.rounds, "messages": self.messages, "bytes": self.bytes}


@dataclass
class Meter:
    """The costs of one party. Phases are `setup`, `offline`, `online`, `local`; protocols are named by their file."""

    costs: dict[tuple[str, str], Cost] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    phase_name: str = "setup"
    protocol_name: str = "setup"
    _parts: list[tuple[str, int]] = field(default_factory=list)
    _since: float = field(default_factory=time.perf_counter)

    def count(self, *, rounds: int, messages: int, payload: int) -> None:
        """Add one exchange to the current phase and protocol; `payload` in bytes."""
        parts = self._parts or [(self.protocol_name, 1)]
        whole = sum(size for _, size in parts) or 1  # nothing is sent for tensors without elements
        shares = [payload * size // whole for _, size in parts]
        shares[0] += payload - sum(shares)
        for index, ((name, _), share) in enumerate(zip(parts, shares, strict=True)):
            cost = self.costs.setdefault((self.phase_name, name), Cost())
            cost.add(Cost(rounds, messages, share) if index == 0 else Cost(bytes=share))

    @contextmanager
    def sharing_a_round(self, parts: list[tuple[str, int]]) -> Iterator[None]:
        """What is counted inside belongs to several protocols, in proportion to their sizes; rounds to the first."""
        outer, self._parts = self._parts, parts
        try:
            yield
        finally:
            self._parts = outer

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Everything inside belongs to phase `name`; seconds inside are not counted for the phase around it."""
        outer, self.phase_name = self._turn_to(name), name
        try:
            yield
        finally:
            self._turn_to(outer)
            self.phase_name = outer

    @contextmanager
    def protocol(self, name: str) -> Iterator[None]:
        """Everything inside is counted for protocol `name`; the innermost name counts."""
        outer, self.protocol_name = self.protocol_name, name
        try:
            yield
        finally:
            self.protocol_name = outer

    def _turn_to(self, name: str) -> str:
        now = time.perf_counter()
        left = self.phase_name
        self.seconds[left] = self.seconds.get(left, 0.0) + now - self._since
        self._since = now
        return left

    def total(self, phase: str) -> Cost:
        """Sum over the protocols of one phase."""
        result = Cost()
        for (name, _), cost in self.costs.items():
            if name == phase:
                result.add(cost)
        return result

    def exact(self) -> dict[str, dict[str, dict[str, int]]]:
        """phase -> protocol -> counts; equal between a plan and its run."""
        table: dict[str, dict[str, dict[str, int]]] = {}
        for (phase, protocol), cost in sorted(self.costs.items()):
            if cost.messages or cost.rounds or cost.bytes:
                table.setdefault(phase, {})[protocol] = cost.as_dict()
        return table

    def as_dict(self) -> dict[str, Any]:
        self._turn_to(self.phase_name)
        return {"costs": self.exact(), "seconds": {name: round(value, 6) for name, value in self.seconds.items()}}
