"""A made-up run: every figure is synthetic, none comes from data."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from mpcfl.report.record import RunRecord

FEATURES = ("age", "dose", "height", "income", "weight")
COEF = np.array([1.25, -3.5, 0.03125, 1e-7, 12.0])
TWIN = COEF + np.array([1e-7, -2e-7, 3e-8, 1e-13, 4e-7])

JOB: dict[str, Any] = {
    "job": {"name": "made-up", "model": "linear", "partition": "horizontal", "target": "y", "timeout": 60.0},
    "model": {"fit_intercept": True, "standard_errors": True},
    "solver": {"name": "doubling", "steps": 65536, "refinements": 0},
    "data": {},
    "evaluate": {"test_fraction": 0.2, "metrics": ["r2", "mse"]},
    "reveal": {"to": ["north", "south", "east"]},
    "network": {"encrypt": True},
    "parties": {
        "north": {"roles": ["data", "compute"], "data": "/home/north/secret-path.csv", "key": "north.key"},
        "south": {"roles": ["data", "compute"], "data": "south.csv", "certificate": "south.pem"},
        "east": {"roles": ["data", "dealer"], "data": "east.csv"},
    },
}


def _costs(first: int, deals: bool) -> dict[str, Any]:
    if deals:
        return {"offline": {"product": {"rounds": 0, "messages": 16, "bytes": 61440}}}
    return {
        "setup": {"agreement": {"rounds": 2, "messages": 4, "bytes": 512}},
        "offline": {"truncation": {"rounds": 0, "messages": 17, "bytes": 9792 * first}},
        "online": {
            "product": {"rounds": 18, "messages": 18, "bytes": 7680},
            "truncation": {"rounds": 17, "messages": 17, "bytes": 4896},
            "reveal": {"rounds": 1, "messages": 2, "bytes": 96},
        },
    }


REPORT: dict[str, Any] = {
    "model": "linear",
    "partition": "horizontal",
    "rows": 1200,
    "columns": 5,
    "parties": ["north", "south", "east"],
    "compute_parties": ["north", "south"],
    "dealer": "east",
    "solver": {"name": "doubling", "steps": 65536, "refinements": 0},
    "rounds_online": 36,
    "rounds_per_iteration": 2,
    "iterations": 16,
    "bytes_online": {"north": 12672, "south": 12672, "east": 96},
    "bytes_offline": {"north": 9792, "south": 19584, "east": 61440},
    "messages_online": {"north": 37, "south": 37, "east": 2},
    "costs": {"north": _costs(1, False), "south": _costs(2, False), "east": _costs(0, True)},
    "seconds": {"offline": 0.21, "online": 0.084, "local": 0.002, "plaintext": 0.0011},
    "error": {"max_abs": 4e-7, "relative": 3.6e-8},
    "plaintext": {
        "coef": TWIN.tolist(),
        "intercept": 150.0,
        "convergence": [[2**k, float(max(np.exp(-(2**k) / 3000), 1e-12) * 0.9)] for k in range(18)],
    },
    "metrics": {"r2": 0.4312, "mse": 2871.5},
    "loss": [[5, 0.5], [10, 0.3], [15, 0.25]],
    "inference": {
        "standard_errors": [0.5, 0.25, 0.03, 2e-7, 1.5],
        "t": [2.5, -14.0, 1.04, 0.5, 8.0],
        "p": [0.0125, 1e-40, 0.298, 0.617, 2e-15],
        "intercept": {"standard_error": 2.0, "t": 75.0, "p": 0.0},
    },
    "revealed": ["coef", "intercept"],
    "versions": {"python": "3.11.9", "torch": "2.13.0", "crypten": "0.4.1", "mpcfl": "0.1.0", "numpy": "2.4.0"},
    "machine": {"cores": 2, "memory_gib": 7.7, "system": "Linux"},
}

LEDGER: list[dict[str, Any]] = [
    {"what": "coef", "shape": [5], "to": ["north", "south", "east"], "reason": "the trained model"},
    {"what": "intercept", "shape": [], "to": ["north", "south", "east"], "reason": "the trained model"},
]


def example(**changes: Any) -> RunRecord:
    """The made-up record; `changes` replace its fields."""
    fields: dict[str, Any] = {
        "party": "north",
        "version": "0.1.0",
        "job": JOB,
        "features": FEATURES,
        "target": "y",
        "coef": COEF,
        "intercept": 150.0000001,
        "ledger": LEDGER,
        "report": REPORT,
    }
    return RunRecord(**copy.deepcopy({**fields, **changes}))


def example_of(names: list[str], **changes: Any) -> RunRecord:
    """A made-up record with these columns, without inference."""
    coef = changes.pop("coef", np.linspace(-1.0, 1.0, len(names)))
    report = {**REPORT, "columns": len(names), "plaintext": {"coef": (coef + 1e-8).tolist(), "intercept": 150.0}}
    report.pop("inference")
    return example(features=tuple(names), coef=coef, report={**report, **changes.pop("report", {})}, **changes)


def example_of_classes(classes: int = 3, **changes: Any) -> RunRecord:
    """A made-up logistic regression with weights for each class."""
    size = (classes, len(changes.get("features", FEATURES)))
    coef = np.sin(np.arange(size[0] * size[1])).reshape(size) * np.arange(1, size[1] + 1)
    twin = {"coef": (coef + 1e-6).tolist(), "intercept": [0.5] * classes}
    report = {**REPORT, "model": "logistic", "plaintext": twin}
    report.pop("inference")
    job = {**JOB, "job": {**JOB["job"], "model": "logistic"}, "model": {"fit_intercept": True, "classes": classes}}
    given = {"coef": coef, "intercept": np.full(classes, 0.5), "report": report, "job": job}
    return example(**{**given, **changes})
