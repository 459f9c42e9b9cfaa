"""A small job to make good and bad ones of."""

import copy
from pathlib import Path
from typing import Any

import pytest

from mpcfl.cli.job import Job
from mpcfl.errors import JobError

TOML = """
[job]
name = "diabetes"
model = "linear"            # linear | ridge
partition = "horizontal"    # or "vertical"
target = "y"
[model]                     # scikit-learn's parameters, by its names
fit_intercept = true
[solver]
name = "doubling"           # or "gradient" with iterations, learning_rate, batch, momentum
[parties.north]
data = "north.csv"
roles = ["data", "compute"]
[parties.south]
data = "south.csv"
roles = ["data", "compute"]
[parties.east]
data = "east.csv"
roles = ["data", "dealer"]
"""

TABLES: dict[str, Any] = {
    "job": {"name": "diabetes", "model": "linear", "target": "y"},
    "parties": {
        "north": {"data": "north.csv", "roles": ["data", "compute"]},
        "south": {"data": "south.csv", "roles": ["data", "compute"]},
        "east": {"data": "east.csv", "roles": ["data", "dealer"]},
    },
}

GRADIENT = {"name": "gradient", "learning_rate": 0.1}


def tables(**changes: Any) -> dict[str, Any]:
    """The small job with changes: `job__model="ridge"` sets one key, None takes it out."""
    result = copy.deepcopy(TABLES)
    for path, value in changes.items():
        *sections, key = path.split("__")
        table = result
        for section in sections:
            table = table.setdefault(section, {})
        if value is None:
            del table[key]
        else:
            table[key] = value
    return result


def refusal(**changes: Any) -> str:
    with pytest.raises(JobError) as caught:
        Job.from_dict(tables(**changes))
    return str(caught.value)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "job.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def parties(roles: dict[str, str]) -> dict[str, Any]:
    return {
        name: {"roles": words.split()} | ({"data": f"{name}.csv"} if "data" in words else {})
        for name, words in roles.items()
    }
