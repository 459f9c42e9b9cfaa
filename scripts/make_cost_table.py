"""Writes the cost table of README.md from plans of the jobs below: `.venv/bin/python scripts/make_cost_table.py`.

What `mpcfl plan job.toml --rows ROWS --columns COLUMNS` prints; tests/docs/test_costs.py holds the table up to date.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpcfl.cli.assembly import roster_of, settings_of
from mpcfl.cli.job import Job
from mpcfl.cli.plan import facts_from_counts, plan_of
from mpcfl.report.units import count, size

PAGE = Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(?<=<!-- costs -->\n).*?(?=<!-- end of costs -->)", re.DOTALL)
HEAD = """\
| job | rows x columns | rounds | online, each compute party | online, `east` | offline, dealer |
|---|---|---|---|---|---|
"""
THREE = {"north": ["data", "compute"], "south": ["data", "compute"], "east": ["data", "dealer"]}
LOGISTIC = {"job": {"model": "logistic"}, "solver": {"name": "gradient", "learning_rate": 0.1, "iterations": 50}}
FIXED = {"job": {"model": "logistic"}, "solver": {"name": "fixed_hessian"}}
NEWTON = {"job": {"model": "logistic"}, "solver": {"name": "newton"}}
SLOPE = {"solver": {"name": "gradient", "learning_rate": 0.1, "iterations": 100}}
ROWS: list[tuple[str, str, Mapping[str, Any], int, int, int]] = [
    # words, partition, other sections, compute parties (2: the three organisations), rows, columns
    ("horizontal (the demo)", "horizontal", {}, 2, 442, 10),
    ("with standard errors", "horizontal", {"model": {"standard_errors": True}}, 2, 442, 10),
    ("gradient solver, 100 iterations", "horizontal", SLOPE, 2, 442, 10),
    ("vertical", "vertical", {}, 2, 442, 10),
    ("logistic, 50 iterations", "horizontal", LOGISTIC, 2, 569, 30),
    ("logistic, fixed Hessian", "horizontal", FIXED, 2, 569, 30),
    ("logistic, Newton", "horizontal", NEWTON, 2, 569, 30),
    ("3 compute parties and a helper", "horizontal", {}, 3, 442, 10),
    ("5 compute parties and a helper", "horizontal", {}, 5, 442, 10),
    ("horizontal, a million rows", "horizontal", {}, 2, 1_000_000, 100),
    ("vertical, 100,000 rows", "vertical", {}, 2, 100_000, 100),
]


def job_of(partition: str, sections: Mapping[str, Any], compute: int) -> Job:
    """Three organisations of which one deals, or `compute` and a helper."""
    helper = {f"party{i}": ["data", "compute"] for i in range(compute)} | {"helper": ["dealer"]}
    parties = {
        name: {"roles": roles} | ({"data": f"{name}.csv"} if "data" in roles else {})
        for name, roles in (THREE if compute == 2 else helper).items()
    }
    general = {"name": "costs", "model": "linear", "partition": partition, "target": "y", **sections.get("job", {})}
    return Job.from_dict({**sections, "job": general, "parties": parties})


def table() -> str:
    """The whole table, Markdown."""
    return HEAD + "".join(line(*row) for row in ROWS)


def line(words: str, partition: str, sections: Mapping[str, Any], compute: int, rows: int, columns: int) -> str:
    """One line of it."""
    job = job_of(partition, sections, compute)
    meters = plan_of(roster_of(job), facts_from_counts(job, rows, columns), settings_of(job)).meters
    online = {name: meter.total("online") for name, meter in meters.items()}
    each = max(online[name].bytes for name in job.compute_parties)
    owner = size(online["east"].bytes) if "east" in online else ""
    cells = [words, f"{count(rows)} x {columns}", str(online[job.ranks[0]].rounds)]
    return "| " + " | ".join([*cells, size(each), owner, size(meters[job.dealer].total("offline").bytes)]) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(PLACE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {PAGE}")
