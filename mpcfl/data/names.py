"""Column names: none empty, none twice, and the choice of some of them."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from mpcfl.errors import DataError

_INDEX = "pandas writes its index so: use to_csv(..., index=False); row numbers are no feature"
_SHOWN = 8
_COMMA = "give every column a name; where lines end with a comma, take it away"


def check_names(table: str, names: Sequence[str]) -> None:
    """DataError for a name that is empty or stands twice."""
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise DataError(f"{table}: column number {position} has no name", hint=_INDEX if position == 1 else _COMMA)
        if name in seen:
            raise DataError(f"{table}: column {name!r} stands there twice", hint="give every column its own name")
        seen.add(name)


def choose(table: str, names: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """`wanted` in its order, all names if None; DataError for one that the table does not have; of all names, for
    one that pandas gave to an index."""
    if not names:
        raise DataError(f"{table}: has no column")
    if wanted is None:
        for name in names:
            if re.fullmatch(r"Unnamed: \d+", name):
                raise DataError(f"{table}: column {name!r} had no name when pandas read it", hint=_INDEX)
        return tuple(names)
    known = set(names)
    for name in wanted:
        if name not in known:
            others = f"it has {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
            raise DataError(f"{table}: has no column {name!r}", hint=did_you_mean(name, names) or others)
    check_names(f"{table} (columns asked for)", wanted)
    if not wanted:
        raise DataError(f"{table}: no column was asked for")
    return tuple(wanted)


def did_you_mean(name: str, known: Sequence[str]) -> str | None:
    """A hint that names the nearest of `known`, None where nothing is near."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `name` may be meant for: the same but for case and blanks around, or spelled alike."""
    known = list(known)
    same = [other for other in known if other.strip().casefold() == name.strip().casefold()]
    return next(iter(same or get_close_matches(name, known, n=1, cutoff=0.6)), None)
