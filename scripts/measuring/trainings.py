"""A training as a job file describes it: its plan for any number of rows and columns, and its cost when it runs."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from measuring.fits import Array, Case, Fit, costs, run_cases
from measuring.parties import Roles, roles
from measuring.rows import Row
from mpcfl.cli.assembly import roster_of, settings_of
from mpcfl.cli.job import Job
from mpcfl.cli.plan import facts_from_counts
from mpcfl.models.plaintext import plaintext_twin
from mpcfl.models.settings import Settings
from mpcfl.models.training import train
from mpcfl.world.session import Session


@dataclass(frozen=True, kw_only=True)
class Training:
    """`solver`, `parameters`: what [solver] and [model] of a job have. `compute` parties, `owners` of data; a third
    organisation deals if there are two and three of them, else a helper."""

    model: str = "linear"
    solver: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    partition: str = "horizontal"
    compute: int = 2
    owners: int = 3

    @property
    def roles(self) -> Roles:
        return roles(self.compute, self.owners)

    @cached_property
    def job(self) -> Job:
        parties = {
            name: {"roles": list(own)} | ({"data": f"{name}.csv"} if "data" in own else {})
            for name, own in self.roles.items()
        }
        general = {"name": "sweep", "model": self.model, "partition": self.partition, "target": "y"}
        sections: dict[str, Any] = {"job": general, "parties": parties}
        if self.solver:
            sections["solver"] = dict(self.solver)
        if self.parameters:
            sections["model"] = dict(self.parameters)
        return Job.from_dict(sections)

    @property
    def settings(self) -> Settings:
        return settings_of(self.job)

    def planned(self, rows: int, columns: int) -> Row:
        """What every run of it costs, by dry runs of the parties that differ: `mpcfl plan` prints the same. `bytes` and
        `rounds` of the compute party that sends most, `bytes_owner` of an owner who does not compute, if there is one;
        all by party where there are a dozen at most."""
        roster, facts, settings = roster_of(self.job), facts_from_counts(self.job, rows, columns), self.settings
        extremes = {0, roster.last, roster.dealer, roster.owners[-1]}
        online, offline = {}, {}
        for rank in range(roster.size) if roster.size <= 12 else sorted(extremes):
            session = Session.dry(roster, rank)
            train(session, facts, settings, None)
            online[rank], offline[rank] = session.meter.total("online"), session.meter.total("offline")
        found: Row = {"how": "planned", "rounds": online[0].rounds}
        found["bytes"] = max(cost.bytes for rank, cost in online.items() if rank in roster.compute)
        if roster.owners[-1] not in roster.compute:
            found["bytes_owner"] = online[roster.owners[-1]].bytes
        found["bytes_online"] = {roster.names[rank]: cost.bytes for rank, cost in online.items()}
        found["bytes_offline"] = {roster.names[rank]: cost.bytes for rank, cost in offline.items()}
        return {**self.words(rows, columns), **found}

    def words(self, rows: int, columns: int) -> Row:
        """What it is, by the names of `measuring.rows`."""
        words: Row = {"system": "mpcfl", "model": self.model, "solver": self.job.solver.name}
        words |= {"partition": self.partition, "rows": rows, "columns": columns}
        words |= {"compute_parties": self.compute, "owners": self.owners}
        iterations = getattr(self.job.solver, "iterations", None)
        return words if iterations is None else {**words, "iterations": iterations}

    def case(self, name: str, x: Array, y: Array) -> Case:
        return Case(name=name, partition=self.partition, settings=self.settings, x=x, y=y)

    def reference(self, x: Array, y: Array) -> tuple[Array, float]:
        """(weights (d + 1,) of the plaintext twin, the intercept last; its seconds): the same steps in float64, or the
        least-squares solution."""
        twin = plaintext_twin(x, y, facts_from_counts(self.job, *x.shape), self.settings)
        return np.append(twin.coefficients, twin.intercept), twin.seconds


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training on a table, under the name of its row."""

    case: str
    training: Training
    x: Array
    y: Array
    data: str = "synthetic"


def measured(trials: Sequence[Trial], repeats: int = 3) -> list[Row]:
    """A row a trial. All have the same parties, who run them in turn `repeats` times in one session, after the first
    once uncounted: seconds are those of the fit in the middle, and all seconds are in the row."""
    cases = [trial.training.case(trial.case, trial.x, trial.y) for trial in trials]
    fits = run_cases(trials[0].training.roles, cases * repeats)
    return [row_of(trial, fits[i :: len(trials)]) for i, trial in enumerate(trials)]


def row_of(trial: Trial, fits: Sequence[list[Fit]]) -> Row:
    """The row of a trial from its repeated fits; `fits[i]`: of all parties."""
    slowest = [max(fit.seconds for fit in one) for one in fits]
    middle = fits[slowest.index(statistics.median_low(slowest))]
    row = {"case": trial.case, "data": trial.data, **trial.training.words(*trial.x.shape), **costs(middle)}
    row["bytes"] = max(row["bytes_online"].values())
    row["seconds_all"] = [round(s, 4) for s in slowest]
    row["phases"] = {fit.party: {name: round(s, 4) for name, s in fit.phases.items()} for fit in middle}
    row["slowest"] = max(middle, key=lambda fit: fit.seconds).party
    row["as_planned"] = all(fit.as_planned for one in fits for fit in one)
    if middle[0].refused:
        return {**row, "refused": middle[0].refused}
    wanted, seconds = trial.training.reference(trial.x, trial.y)
    by_steps = trial.training.job.solver.name != "doubling"
    row["reference"] = "the same steps in float64" if by_steps else "the least-squares solution in float64"
    if not by_steps:
        row["seconds_plaintext"] = round(seconds, 6)
    if trial.training.model == "logistic":
        found = np.append(middle[0].coefficients, middle[0].intercept)
        row |= {"accuracy": accuracy(trial.x, trial.y, found), "accuracy_plaintext": accuracy(trial.x, trial.y, wanted)}
    return {**row, **error_of(middle[0], wanted)}


def accuracy(x: Array, y: Array, weights: Array) -> float:
    """Of weights (d + 1,), the intercept last, for labels 0 and 1."""
    return float(((x @ weights[:-1] + weights[-1] > 0) == (y == 1)).mean())


def error_of(fit: Fit, wanted: Array) -> Row:
    """`relative` and `worst` of the weights, the intercept among them."""
    found = np.append(fit.coefficients, fit.intercept)
    difference = found - wanted
    worst = float((np.abs(difference) / np.maximum(np.abs(wanted), 1e-300)).max())
    return {"relative": float(np.linalg.norm(difference) / np.linalg.norm(wanted)), "worst": worst}
