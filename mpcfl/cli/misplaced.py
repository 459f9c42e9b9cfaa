"""Keys that stand in the wrong section of a job file: the error says where they belong."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args

from mpcfl.cli.checkpoint_section import Checkpoint
from mpcfl.cli.job_sections import Data, Evaluate, General, Model, Network, Reveal
from mpcfl.cli.select_section import Select
from mpcfl.cli.solver_sections import Solver
from mpcfl.data.names import nearest
from mpcfl.errors import JobError

_CLASSES: dict[str, tuple[type, ...]] = {
    "job": (General,),
    "model": (Model,),
    "solver": get_args(Solver),
    "data": (Data,),
    "evaluate": (Evaluate,),
    "select": (Select,),
    "reveal": (Reveal,),
    "checkpoint": (Checkpoint,),
    "network": (Network,),
}
HOMES = {name: {f.name for kind in kinds for f in fields(kind)} - {"name"} for name, kinds in _CLASSES.items()}
"""The keys of each section. Several have a `name`: it says nothing about where it belongs."""


def check_places(tables: Mapping[str, Any]) -> None:
    """JobError for the first key that is known, and not where it stands; and for a party without `parties.`."""
    for name, table in tables.items():
        if name in HOMES and isinstance(table, Mapping):
            for key in table:
                if key not in HOMES[name] and nearest(key, HOMES[name]) is None:  # else it is a slip of the pen
                    _refuse(f"[{name}] {key}", key)
        elif name != "parties" and (name not in HOMES or isinstance(table, str)):
            _refuse(f"{name}, which stands in no section,", name)
            if isinstance(table, Mapping) and "roles" in table:
                raise JobError(f"[{name}] is no section", hint=f"a party is [parties.{name}]")


def _refuse(what: str, key: str) -> None:
    homes = [f"[{name}]" for name, keys in HOMES.items() if key in keys]
    if homes:
        raise JobError(f"{what} belongs under {' or '.join(homes)}", hint="write it below that line")
