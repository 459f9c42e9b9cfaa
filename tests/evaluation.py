"""Runs a protocol at all parties, holds its plan against the run, and reads off what it gave and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from scripts.measuring.uniform import uniformity as uniformity
from tests.parties import roster, run_with_sessions

PARTIES = (2, 3, 5)
UNLIKELY = 1e-9  # a correct program fails a statistical test at most this often
LOW, HIGH = -(2**63), 2**63 - 1
EDGES = [0, 1, -1, 2, 3, -3, 2**31, 2**32 - 1, 2**61, -(2**61), 2**62, -(2**62), 2**62 - 1, HIGH, LOW, LOW + 1]
EDGES += [sign * 2**k + off for k in (8, 16, 24, 40, 47, 55) for sign in (1, -1) for off in (-1, 0, 1)]


@dataclass(frozen=True)
class Given:
    """What party 0 brings: ring elements at a scale; without a bound, the one that it reaches."""

    ring: torch.Tensor
    scale: int = 0
    bound: float | None = None

    def as_input(self, name: str, rank: int) -> Input:
        largest = float(self.ring.double().abs().max()) if self.ring.numel() else 0.0
        bound = largest / 2.0**self.scale if self.bound is None else self.bound
        return Input(name, 0, tuple(self.ring.shape), self.scale, bound, self.ring if rank == 0 else None)


@dataclass(frozen=True)
class Outcome:
    roster: Roster
    results: list[Any]
    sessions: list[Session]

    def ring(self, *path: int) -> torch.Tensor:
        """The ring value of a shared result, or of the one at `path` in a nested result."""
        return sum_of_shares(pick(self.results[rank], path) for rank in self.roster.compute)

    def cost(self, phase: str, rank: int = 0) -> dict[str, tuple[int, int, int]]:
        """protocol -> (rounds, messages, bytes) of one party."""
        table = self.sessions[rank].meter.exact().get(phase, {})
        return {name: (cost["rounds"], cost["messages"], cost["bytes"]) for name, cost in table.items()}


def evaluate(who: Roster | int, program: Callable[..., Any], *given: Given | torch.Tensor) -> Outcome:
    """Share what is given in phase setup, then run `program(session, *shares)` in phase online at every party.

    Holds for all programs, so it is asserted here: the plan of each party is what that party did, to the byte.
    """
    who = roster(who) if isinstance(who, int) else who
    values = [item if isinstance(item, Given) else Given(item) for item in given]

    def whole(session: Session) -> Any:
        shares = share_inputs(session, [item.as_input(f"input {k}", session.rank) for k, item in enumerate(values)])
        with session.phase("online"):
            return program(session, *shares)

    results, sessions = run_with_sessions(who, whole)
    for session in sessions:
        assert plan(who, session.rank, whole) == session.meter.exact()
    return Outcome(who, results, sessions)


def plan(who: Roster, rank: int, program: Callable[[Session], Any]) -> dict[str, dict[str, dict[str, int]]]:
    """What a dry run of `program` counts."""
    dry = Session.dry(who, rank)
    dry.agree(b"")
    program(dry)
    return dry.meter.exact()


def dry(bound: float, *, shape: tuple[int, ...] = (3,), scale: int = 0) -> Share:
    """A share in a dry run of two parties: what is refused here is refused before any data move."""
    session = Session.dry(roster(2), 0)
    return share_inputs(session, [Input("x", 0, shape, scale, bound)])[0]


def pick(result: Any, path: Iterable[int]) -> Any:
    for index in path:
        result = result[index]
    return result


def sum_of_shares(shares: Iterable[Share]) -> torch.Tensor:
    total, *rest = [share._ring for share in shares]
    for ring in rest:
        total = total + ring
    return total


def full_range(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    """Data (never masks) uniform in the whole ring."""
    return torch.from_numpy(rng.integers(LOW, HIGH, size=shape, endpoint=True))


def wrap(value: int) -> int:
    """A Python integer modulo 2^64, as int64 has it."""
    return (value + 2**63) % 2**64 - 2**63


def wrapped(values: Iterable[int]) -> torch.Tensor:
    return torch.tensor([wrap(value) for value in values], dtype=torch.int64)
