"""Numbers and names as people read them, and any value as strict JSON."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def number(value: float | None) -> str:
    """Six significant digits."""
    return "" if value is None else f"{value:.6g}"


def small(value: float | None) -> str:
    """Two significant digits, for errors and p values."""
    return "" if value is None else f"{value:.2g}"


def count(value: float | None) -> str:
    """A whole number, thousands apart."""
    return "" if value is None else f"{value:,.0f}"


def size(octets: float | None) -> str:
    """Bytes in decimal units: 12.3 kB."""
    if octets is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if octets < 999.5:
            return f"{octets:.0f} B" if unit == "B" else f"{octets:.3g} {unit}"
        octets /= 1000
    return f"{octets:.3g} TB"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return f"{seconds * 1000:.2g} ms"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plural(value: int, word: str) -> str:
    if value != 1:
        word = f"{word[:-1]}ies" if word[-1] == "y" else f"{word}es" if word[-1] == "s" else f"{word}s"
    return f"{value:,} {word}"


def listed(words: Iterable[str]) -> str:
    """a, b and c."""
    *most, last = list(words) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def visible(name: Any) -> str:
    """A name without what a terminal or a page would obey rather than show: control and direction characters.

    Names of columns come from other parties.
    """
    return "".join(letter if letter.isprintable() else "?" for letter in str(name))


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )


def shortened(name: Any, columns: int) -> str:
    """`visible`, cut to a number of terminal columns."""
    text = visible(name)
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[:-1]
    return text + "…"


def plain(value: Any) -> Any:
    """The same value in what JSON knows: arrays as lists, paths as texts, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Strict JSON; floats so that they come back exactly. One line if `indent` is None."""
    separators = (",", ":") if indent is None else None
    return json.dumps(plain(value), indent=indent, separators=separators, ensure_ascii=False, allow_nan=False)
