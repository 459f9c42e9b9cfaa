"""scripts/measuring/rows.py and style.py: one format of results, the files that keep it, one style of pictures."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("measuring.rows")


@pytest.fixture
def style(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("measuring.style")


def made(rows: Any, case: str, **more: Any) -> dict[str, Any]:
    stamp = rows.Stamp(seed=3, run="now")
    (row,) = stamp.each(lambda: [{"figure": "parties", "case": case, **more}], load=0.5)
    return dict(row)


def test_a_row_says_where_and_how_it_was_made(rows: Any) -> None:
    row = made(rows, "N = 2", rounds=4)
    assert (row["figure"], row["case"], row["how"], row["seed"], row["run"]) == (
        "parties",
        "N = 2",
        "measured",
        3,
        "now",
    )
    assert row["rounds"] == 4 and row["machine"]["load"] == 0.5
    assert {"python", "mpcfl", "commit", "torch", "numpy"} <= set(row["versions"])


def test_computed_figures_say_from_what(rows: Any) -> None:
    assert made(rows, "40 ms", how="computed", **{"from": "rounds and bytes"})["from"] == "rounds and bytes"
    with pytest.raises(ValueError, match="a computed one says `from` what"):
        made(rows, "40 ms", how="computed")
    with pytest.raises(ValueError, match="how is one of"):
        made(rows, "40 ms", how="guessed")


def test_a_row_takes_the_place_of_the_one_of_its_name(rows: Any, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    book = rows.Book(path)
    for case, count in (("N = 2", 4), ("N = 3", 5), ("N = 2", 6)):
        book.keep(made(rows, case, rounds=count))
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["case"], row["rounds"]) for row in kept] == [("N = 2", 6), ("N = 3", 5)]
    assert rows.Book(path).rows == kept == rows.read(path)


def test_what_a_figure_no_longer_has_can_be_taken_out(rows: Any, tmp_path: Path) -> None:
    book = rows.Book(tmp_path / "sweep.jsonl")
    for case in ("N = 2", "N = 3"):
        book.keep(made(rows, case))
    book.forget("parties", but=["N = 3"])
    assert [row["case"] for row in rows.read(book.path)] == ["N = 3"]


def test_rows_without_figures_are_not_picked(rows: Any) -> None:
    found, lacking = made(rows, "a", link="loopback"), made(rows, "b", link="loopback", not_measured="no spu here")
    assert rows.pick([found, lacking], figure="parties", link="loopback") == [found]


def test_every_system_can_be_told_from_the_others_in_grey(style: Any) -> None:
    drawn = [(mark.marker, mark.hollow) for mark in style.MARKS.values()]
    assert len(set(drawn)) == len(drawn)


def test_the_same_rows_give_the_same_picture(style: Any, tmp_path: Path) -> None:
    for name in ("one", "two"):
        with style.picture(tmp_path / name, panels=2) as (figure, (left, _)):
            left.plot([1, 2], [3, 4], **style.MARKS["mpcfl"].line())
            style.note(figure, "results/sweep.jsonl")
    assert (tmp_path / "one.svg").read_text() == (tmp_path / "two.svg").read_text()
    assert "results/sweep.jsonl" in (tmp_path / "one.svg").read_text()  # text stays text
    assert (tmp_path / "one.png").stat().st_size > 1000
