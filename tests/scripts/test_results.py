"""results/: the page says what the kept rows say, and check_results.py finds what no longer holds."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
FILES = ("main.jsonl", "logistic.jsonl", "peers.jsonl", "sweep.jsonl", "attacks.jsonl")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`scripts("measuring.rows")`, `scripts("check_results")`: modules as they are when a script runs."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


def test_every_number_of_the_page_is_made_of_the_kept_rows(scripts: Any) -> None:
    """Mend with `python scripts/plot_results.py`."""
    page, read = scripts("measuring.page"), scripts("measuring.rows").read
    rows = [row for name in page.FILES for row in read(RESULTS / name)]
    text = (RESULTS / "README.md").read_text()
    assert re.findall(r"<!-- rows: ([\w-]+) -->", text) == list(page.BLOCKS)
    assert page.filled(text, rows) == text


def test_the_page_shows_pictures_that_are_there() -> None:
    shown = re.findall(r"!\[.*?\]\((.*?)\)", (RESULTS / "README.md").read_text())
    assert len(shown) >= 8
    for name in shown:
        assert (RESULTS / name).exists() and (RESULTS / name).with_suffix(".png").exists()


@pytest.mark.parametrize("name", FILES)
def test_kept_rows_have_names_of_their_own_and_say_how_they_were_made(scripts: Any, name: str) -> None:
    rows = scripts("measuring.rows")
    kept = rows.read(RESULTS / name)
    assert kept and len({rows.key(row) for row in kept}) == len(kept)
    for row in kept:
        assert row["how"] in rows.HOW and {"seed", "machine", "versions"} <= row.keys()
        assert name not in ("sweep.jsonl", "attacks.jsonl") or rows.checked(row)
        assert row.get("as_planned", True)


def fresh(**more: Any) -> dict[str, Any]:
    row = {"figure": "real", "case": "a", "how": "measured", "rounds": 50, "bytes": 100, "relative": 1e-6}
    return {**row, **more}


def test_what_agrees_is_passed(scripts: Any) -> None:
    """Errors are random within their band, seconds are not looked at."""
    check = scripts("check_results")
    count, wrong = check.compared([fresh(seconds=1.0)], [fresh(seconds=9.0, relative=3e-7)])
    assert (count, wrong) == (1, [])


@pytest.mark.parametrize(
    "change, said",
    [
        ({"rounds": 51}, "real, a: rounds 50 -> 51"),
        ({"bytes": 108}, "real, a: bytes 100 -> 108"),
        ({"relative": 2e-3}, "outside its band"),
        ({"as_planned": False}, "did not cost what the plan says"),
        ({"refused": "no"}, "refused None -> no"),
        ({"case": "b"}, "real, b: not in the kept results"),
    ],
)
def test_what_differs_is_said(scripts: Any, change: dict[str, Any], said: str) -> None:
    _, wrong = scripts("check_results").compared([fresh(**change)], [fresh()])
    assert any(said in text for text in wrong)


def test_what_cannot_be_measured_here_is_not_held_against_anybody(scripts: Any, capsys: pytest.CaptureFixture) -> None:
    row = {"figure": "real", "case": "a", "how": "measured", "not_measured": "statsmodels is not installed"}
    assert scripts("check_results").compared([row], [fresh()]) == (1, [])
    assert "not compared, statsmodels is not installed" in capsys.readouterr().out


def test_rows_of_every_attack_can_be_compared(scripts: Any) -> None:
    """They have no error against a reference, but what a party sees must look uniform."""
    within_band = scripts("measuring.bands").within_band
    for figure in scripts("measuring.attacks.run").FIGURES:
        assert within_band({"figure": figure}) and not within_band({"figure": figure, "bytes_p": 1e-12})


def test_a_weight_may_be_off_by_no_more_than_its_sigmoid_allows(scripts: Any) -> None:
    within_band = scripts("measuring.bands").within_band
    row = {"figure": "sigmoid", "series_error": 1e-4}
    assert within_band({**row, "relative": 2e-4}) and not within_band({**row, "relative": 1e-3})
    assert within_band({**row, "refused": "a row left the range"})
    assert not within_band({"figure": "real", "refused": "a row left the range"})


def test_numbers_for_the_eye(scripts: Any) -> None:
    text = scripts("measuring.text")
    assert [text.size(n) for n in (0, 999, 999.6, 287_887, 5.39e6, 9.44e9)] == [
        "0 B", "999 B", "1 kB", "288 kB", "5.39 MB", "9.44 GB",
    ]  # fmt: skip
    assert [text.seconds(s) for s in (0.00084, 0.083, 0.52, 1.29, 1740.0, float("nan"))] == [
        "0.84 ms", "83 ms", "520 ms", "1.3 s", "29 min", "",
    ]  # fmt: skip
    assert [text.error(e) for e in (0.0, 1.1e-05, 48.7)] == ["0", "1.1e-5", "4.9e1"]
    assert [text.times(r) for r in (2.25, 21.3, 181.4, 3401.0)] == ["2.2", "21", "181", "3,401"]


def test_pictures_are_drawn_from_rows_alone(scripts: Any, tmp_path: Path) -> None:
    rows = scripts("measuring.rows").read(RESULTS / "sweep.jsonl")
    scripts("measuring.pictures.classic").draw(rows, tmp_path / "classic")
    drawn = (tmp_path / "classic.svg").read_text()
    assert all(words in drawn for words in ("gradients summed", "FedSGD", "rows of the joint table"))
    assert (tmp_path / "classic.png").stat().st_size > 1000
