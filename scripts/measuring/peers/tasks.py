"""The rows of the comparison: which system on which problem and network, with how many iterations."""

from __future__ import annotations

from dataclasses import dataclass

from measuring.peers.problems import PROBLEMS, Problem
from measuring.peers.systems import NETWORKS, SYSTEMS, System


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row of the results. What an iteration costs is (many - few) / (their difference), so that start, sharing the
    data and opening X once drop out; `repeats` times, after `warm` fits of `few` that are not counted. A last fit of
    `last` iterations gives the error."""

    problem: Problem
    network: str
    system: System
    few: int
    many: int
    repeats: int = 3
    warm: int = 1
    last: int = 0
    rows: int | None = None  # the first rows of the table only

    @property
    def name(self) -> str:
        return f"{self.problem.name}/{self.network}/{self.system.name}"

    @property
    def pairs(self) -> slice:
        """Which fits are (few, many) in turn."""
        return slice(self.warm, self.warm + 2 * self.repeats)

    @property
    def fits(self) -> list[int]:
        return [self.few] * self.warm + [self.few, self.many] * self.repeats + [self.last] * bool(self.last)


def tasks() -> list[Task]:
    """All rows, in the order of the table."""
    return [_task(problem, network, system) for network in NETWORKS for problem in PROBLEMS for system in SYSTEMS]


def _task(problem: Problem, network: str, system: System) -> Task:
    """Systems that open X once are measured over whole epochs, from the second on. For SPU, whose programs are
    unrolled, and for all on the slow link a table of mini-batches has a few of them only: what an iteration costs does
    not depend on the others. CrypTen with TTP computes what it computes with TFP, so a hundred iterations of one are
    enough for the error. Everything is chosen so that a row takes some fifteen seconds."""
    slow, large = network != NETWORKS[0], problem.rows > 1000
    few_batches = problem.batch and (slow or system.program == "spu_party")
    rows = (2 if slow else 4) * problem.batch if few_batches else None
    epoch = -(-(rows or problem.rows) // problem.size)
    repeats, warm = 3, 1
    if system.program == "mpcfl_party":
        repeats = 2 if slow else 3
        few, more = (2, 8) if large and not problem.batch else (4, 16) if slow else (20, 60)
    elif system.program == "crypten_party":
        few, more, epoch = 1, 1 if slow else 2 if large else 4, 1
        repeats, warm = (1, 0) if slow else (3, 1)
    elif system.spec["once"]:
        few, more = (2, 4) if slow or large else (4, 8)
        repeats = 1 if slow and system.spec["sigmoid"] == "logistic" else 2 if slow else 3
    else:
        few, more, epoch = 1, 2 if large else 4, 1
    few, more = (-(-count // epoch) * epoch for count in (few, more))
    return Task(
        problem=problem,
        network=network,
        system=system,
        few=few,
        many=few + more,
        repeats=repeats,
        warm=warm,
        last=100 if problem.name == "breast-cancer" and not slow and not system.servers else 0,
        rows=rows,
    )
