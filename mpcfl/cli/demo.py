"""`mpcfl demo`: scikit-learn's diabetes table, split over three organisations, trained jointly on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpcfl.errors import SetupError

JOB = """\
# Three organisations, 442 patients between them, one model. Run it again with: mpcfl simulate job.toml
[job]
name = "diabetes"
model = "linear"
partition = "horizontal"
target = "progression"

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
OWNERS = ("north", "south", "east")


def write_demo(folder: Path) -> Path:
    """Write job.toml and one CSV file for each organisation to `folder`; the path of the job."""
    try:
        from sklearn.datasets import load_diabetes
    except ImportError as error:
        raise SetupError("the demo's table comes with scikit-learn", hint="pip install scikit-learn") from error
    table = load_diabetes(scaled=False)
    values = np.c_[table.data, table.target]
    header = ",".join([*table.feature_names, "progression"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(OWNERS, np.array_split(values, len(OWNERS)), strict=True):
        np.savetxt(folder / f"{name}.csv", rows, delimiter=",", header=header, comments="", fmt="%.10g")
    job = folder / "job.toml"
    job.write_text(JOB)
    return job
