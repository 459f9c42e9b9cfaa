"""From TOML to the dataclasses of `job_sections.py`: unknown keys and wrong types are refused."""

import dataclasses
import math
import re
import tomllib
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from mpcfl.data.names import did_you_mean
from mpcfl.errors import JobError

T = TypeVar("T")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}


def section(cls: type[T], table: Any, where: str, **given: Any) -> T:
    """`cls` (a dataclass) from `table`, whose keys are its fields; `given` are fields that come from elsewhere.

    JobError names `where` (as "[solver]") and the key: unknown (with the nearest one), missing, or of a wrong type.
    """
    check_table(table, where)
    hints = get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.name not in given}  # type: ignore[arg-type]
    check_keys(table, tuple(fields), where)
    for name, field in fields.items():
        if name not in table and field.default is field.default_factory is dataclasses.MISSING:
            raise JobError(f"{where} lacks {name}", hint=f"it is {_describe(hints[name])}")
    values = {name: typed(value, hints[name], f"{where} {name}") for name, value in table.items()}
    return cls(**given, **values)


def check_table(table: Any, where: str) -> None:
    if not isinstance(table, Mapping):
        raise JobError(f"{where} must be a section", hint=f"write {where} on a line of its own, its keys below")


def check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """JobError for the first key that is not known."""
    for key in table:
        if key not in known:
            hint = did_you_mean(key, known) or f"known: {', '.join(known)}"
            raise JobError(f"{where}: unknown key {key!r}", hint=hint)


def typed(value: Any, hint: Any, setting: str) -> Any:
    """`value` as the type `hint`; whole numbers pass as numbers, nothing else is converted. JobError otherwise."""
    for option in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,):
        if option is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            if not math.isfinite(value):
                raise JobError(f"{setting} must be a finite number")
            return float(value)
        if option in (bool, int, str) and type(value) is option:
            return value
        if get_origin(option) is tuple and isinstance(value, (list, tuple)):
            return tuple(typed(item, get_args(option)[0], setting) for item in value)
        if get_origin(option) is Mapping and isinstance(value, Mapping):
            return {str(key): typed(item, get_args(option)[1], f"{setting}.{key}") for key, item in value.items()}
    raise JobError(f"{setting} must be {_describe(hint)}, not {_kind(value)}")


def _describe(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_describe(option) for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is tuple:
        return "a list of numbers" if get_args(hint)[0] is float else "a list of texts"
    if get_origin(hint) is Mapping:
        return "a table of numbers"
    return _WORDS[hint]


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    return _WORDS.get(type(value), "a list" if isinstance(value, (list, tuple)) else type(value).__name__)


def parse_toml(text: str) -> dict[str, Any]:
    """TOML, with the line of a mistake; its own words for what stands there twice."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words = str(error)
    line = re.search(r"line (\d+)", words)
    where = f"line {line[1]}" if line else "the end"
    party = re.search(r"Cannot declare \('parties', '([^']*)'\) twice", words)
    if party:
        raise JobError(f"party {party[1]!r} appears twice ({where})", hint="each organisation is one party")
    if re.search(r"twice|overwrite", words):
        raise JobError(f"a section or key stands there twice ({where})", hint="leave one of the two")
    if line and "\\" in text.splitlines()[int(line[1]) - 1]:
        raise JobError(f"is not valid TOML at {where}", hint="a backslash between double quotes: write / in paths")
    raise JobError(
        f"is not valid TOML at {where}",
        hint="texts need quotes, sections brackets, true and false small letters: see https://toml.io",
    )
