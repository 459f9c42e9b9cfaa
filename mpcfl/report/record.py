"""What a run leaves behind, as one value: all that the writers of this folder need, and no secret.

The caller fills it at the end of a run, from what this party may know: revealed weights, the ledger, the meter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LOCAL_KEYS = ("data", "certificate", "key")
LOCAL_FOLDERS = ("folder", "keys")
"""Paths of one party's own disk, of [parties.NAME] and of [checkpoint]: its business, and never in a report."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """One finished run, seen by one party.

    party: who writes. version: of mpcfl. job: the tables of the job file; local paths are taken out here.
    coef: (d,) float64, real, on the scale of the data as given, in the order of `features`; intercept likewise. With
    more than two classes, one against the rest each: (classes, d) and (classes,).
    Both are NaN at a party that does not learn them, which has a report but no model to write.
    ledger: one entry a revealed value, {"what", "shape", "to", "reason"}.

    report, every key of which may be absent: `model, partition, rows, columns, parties, compute_parties, dealer,
    solver {name, ...}, iterations, resumed_after (iterations that an earlier run had done), rounds_online,
    rounds_per_iteration, bytes_online {party: n}, bytes_offline {party: n}, messages_online {party: n},
    costs {party: {phase: {protocol: {rounds, messages, bytes}}}},
    seconds {offline, online, local, plaintext}, revealed [names], digest, versions {package: version},
    machine {cores, memory_gib, system, device}`; where the tables were local, `error {max_abs, relative}` and
    `plaintext {coef, intercept, convergence [[steps, relative distance], ...]}`; where asked for, `metrics {name:
    value}`, `selection {parameter, values, folds, metric, winner, scores}` and `inference {standard_errors, t, p: (d,)
    each, intercept {standard_error, t, p}}` and `loss [[iterations, mean loss of the training rows], ...]`.
    """

    party: str
    version: str
    job: dict[str, Any]
    features: tuple[str, ...]
    target: str
    coef: npt.NDArray[np.float64]
    intercept: float | npt.NDArray[np.float64]
    ledger: list[dict[str, Any]]
    report: dict[str, Any]

    def __post_init__(self) -> None:
        coef, intercept = np.array(self.coef, dtype=np.float64), np.array(self.intercept, dtype=np.float64)
        if coef.shape != (*intercept.shape, len(self.features)) or coef.ndim > 2:
            raise ValueError(f"coef has shape {coef.shape}, intercept {intercept.shape}: {len(self.features)} features")
        object.__setattr__(self, "coef", coef)
        object.__setattr__(self, "intercept", intercept if intercept.shape else float(intercept))
        object.__setattr__(self, "job", _without_paths(self.job))

    @property
    def has_weights(self) -> bool:
        """Are all weights finite numbers? If not there is nothing to write, or to rely on."""
        return bool(np.isfinite(self.coef).all() and np.isfinite(self.intercept).all())

    @property
    def classes(self) -> int | None:
        """Number of classes that have weights of their own; None where there is one vector of weights."""
        return len(self.coef) if self.coef.ndim == 2 else None

    @property
    def name(self) -> str:
        """The job's name."""
        return str(self.job.get("job", {}).get("name", "run"))

    @property
    def kind(self) -> str:
        """The model's name, as in the job."""
        return str(self.at("model") or self.job.get("job", {}).get("model", "linear"))

    @property
    def roles(self) -> dict[str, list[str]]:
        """Roles by party, in the order of the job file."""
        return {name: list(table.get("roles", [])) for name, table in self.job.get("parties", {}).items()}

    def having(self, role: str) -> list[str]:
        """Names of the parties with this role."""
        return [name for name, roles in self.roles.items() if role in roles]

    @property
    def dealer(self) -> str | None:
        return self.at("dealer") or next(iter(self.having("dealer")), None)

    @property
    def compute_parties(self) -> list[str]:
        return list(self.at("compute_parties") or self.having("compute"))

    @property
    def steps(self) -> int | None:
        """Iterations, or gradient steps that the result stands for, if the solver says so; where it goes further than
        its steps, what it stands for is known beside plaintext training only."""
        solver = {**self.job.get("solver", {}), **(self.at("solver") or {})}
        path = self.at("plaintext", "convergence")
        if solver.get("accelerated") and path:
            return round(path[-1][0])
        return solver.get("iterations") or solver.get("steps") or self.at("iterations")

    def at(self, *keys: str) -> Any:
        """The entry of `report` under `keys`, one inside the other; None where it is absent."""
        value: Any = self.report
        for key in keys:
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        return value


def _without_paths(job: Mapping[str, Any]) -> dict[str, Any]:
    parties = {
        name: {key: value for key, value in table.items() if key not in LOCAL_KEYS}
        for name, table in job.get("parties", {}).items()
    }
    if "checkpoint" not in job:
        return {**job, "parties": parties}
    checkpoint = {key: value for key, value in job["checkpoint"].items() if key not in LOCAL_FOLDERS}
    return {**job, "parties": parties, "checkpoint": checkpoint}
