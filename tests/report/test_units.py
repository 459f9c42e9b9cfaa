"""Numbers and names as people read them."""

import json
from pathlib import Path

import numpy as np
import pytest

from mpcfl.report import units


@pytest.mark.parametrize(
    "octets, text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (12_345, "12.3 kB"),
        (999_600, "1 MB"),
        (3.2e9, "3.2 GB"),
        (5e12, "5 TB"),
    ],
)
def test_size(octets: float, text: str) -> None:
    assert units.size(octets) == text


@pytest.mark.parametrize(
    "seconds, text",
    [(0.0011, "1.1 ms"), (0.21, "0.21 s"), (9.84, "9.8 s"), (61, "61 s"), (300, "5 min"), (9000, "2.5 h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


def test_what_is_not_known_is_shown_as_nothing() -> None:
    assert {units.number(None), units.small(None), units.count(None), units.size(None), units.duration(None)} == {""}


def test_listed_and_plural() -> None:
    assert [units.listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [units.plural(1, "party"), units.plural(2, "party"), units.plural(1200, "row")] == [
        "1 party",
        "2 parties",
        "1,200 rows",
    ]


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "\u202egnp", "a\x00b"])
def test_a_name_cannot_steer_a_terminal(name: str) -> None:
    assert "?" in units.visible(name) and units.visible(name).isprintable()


def test_names_are_cut_by_the_room_that_they_take() -> None:
    assert units.shortened("income", 6) == "income"
    assert units.shortened("incomes", 6) == "incom…"
    assert units.shortened("年龄和收入", 6) == "年龄…"  # two columns a letter
    assert units.width("年龄") == 4 and units.width("e\u0301") == 1


def test_json_is_strict_and_gives_every_float_back() -> None:
    value = {"a": np.array([0.1, np.nan]), 1: np.float64(1 / 3), "p": Path("x"), "t": (np.int64(2), True, None)}
    text = units.json_text(value)
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": [0.1, None],
        "1": 1 / 3,
        "p": "x",
        "t": [2, True, None],
    }
    assert "\n" not in units.json_text(value, indent=None)
