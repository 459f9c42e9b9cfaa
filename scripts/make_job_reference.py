"""Writes docs/JOB_FILE.md from the sections in mpcfl/cli: `.venv/bin/python scripts/make_job_reference.py`.

Each key's text is the docstring below its field. tests/docs/test_job_reference.py holds the page up to date.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from mpcfl.cli import job_sections as sections
from mpcfl.cli import solver_sections as solvers
from mpcfl.cli.checkpoint_section import Checkpoint
from mpcfl.cli.select_section import Select

PAGE = Path(__file__).parents[1] / "docs" / "JOB_FILE.md"
SECTIONS = {  # heading: (class, fields that are not keys of the section)
    "[job]": (sections.General, ()),
    "[model]": (sections.Model, ("name",)),
    '[solver] name = "doubling"': (solvers.Doubling, ()),
    '[solver] name = "gradient"': (solvers.Gradient, ()),
    '[solver] name = "fixed_hessian"': (solvers.FixedHessian, ()),
    '[solver] name = "newton"': (solvers.Newton, ()),
    '[solver] name = "admm"': (solvers.Admm, ()),
    "[data]": (sections.Data, ()),
    "[evaluate]": (sections.Evaluate, ()),
    "[select]": (Select, ()),
    "[reveal]": (sections.Reveal, ()),
    "[checkpoint]": (Checkpoint, ()),
    "[network]": (sections.Network, ()),
    "[parties.NAME]": (sections.Party, ("name",)),
}
TYPES = {bool: "true or false", int: "whole number", float: "number", str: "text"}
HEAD = """\
# The job file

<!-- Written by scripts/make_job_reference.py from the sections in mpcfl/cli: change it there. -->

One TOML text that all parties hold, and that says everything about a run but the data. The smallest job:

```toml
[job]
name = "diabetes"
model = "linear"
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
```

- `[job]` and two parties that compute, one that deals, one that has data are required. All other sections may be left
  out; a key that is not in this list is refused, with the nearest one that is.
- Paths are relative to the job file. `data`, `certificate` and `key`, and `folder` and `keys` of `[checkpoint]`, are
  each party's own business: they may differ between the parties' copies. Everything else must agree; all parties
  compare a digest before anything is shared.
- Ranks, for a launcher: compute parties in the order of the file, then the dealer, then owners who neither compute nor
  deal. `mpcfl plan` prints them.
- Every text of the job is public to all parties of the run.
"""


def page() -> str:
    """The whole page, Markdown."""
    return HEAD + "".join(_section(heading, *entry) for heading, entry in SECTIONS.items())


def _section(heading: str, cls: type, hidden: tuple[str, ...]) -> str:
    texts, types_ = _field_texts(cls), get_type_hints(cls)
    about = re.sub(r"^\[.*?(: |\. )", "", " ".join(inspect.cleandoc(cls.__doc__ or "").split()))
    lines = [f"\n## `{heading}`\n", about[0].upper() + about[1:], "", "| key | type | default | |", "|---|---|---|---|"]
    for field in dataclasses.fields(cls):
        if field.name not in hidden:
            cells = (f"`{field.name}`", _type(types_[field.name]), _default(field), texts[field.name])
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _field_texts(cls: type) -> dict[str, str]:
    """The docstring below each field; KeyError later for a field without one."""
    body = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body[0].body  # type: ignore[attr-defined]
    texts = {}
    for field, below in zip(body, body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            texts[field.target.id] = " ".join(str(below.value.value).split())  # type: ignore[union-attr]
    return texts


def _type(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_type(option) for option in get_args(hint) if option is not types.NoneType)
    if get_origin(hint) is tuple:
        return "list of numbers" if get_args(hint)[0] is float else "list of texts"
    return "table of numbers" if get_origin(hint) is Mapping else TYPES[hint]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f"`{_toml(field.default_factory())}`"
    if field.default is dataclasses.MISSING:
        return "*required*"
    return "absent" if field.default in (None, ()) else f"`{_toml(field.default)}`"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE}")
