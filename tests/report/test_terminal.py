"""What a person sees at the end of a run."""

from pathlib import Path

import numpy as np
import pytest

from mpcfl.report.terminal import summary
from mpcfl.report.units import width
from tests.report.example import REPORT, example, example_of

PLAIN = {key: value for key, value in REPORT.items() if key != "inference"}

SEEN = """\
made-up: linear regression of y on 5 columns and 1,200 rows

column        secure  plaintext  difference
age             1.25       1.25      -1e-07
dose            -3.5       -3.5       2e-07
height       0.03125    0.03125      -3e-08
income         1e-07      1e-07      -1e-13
weight            12         12      -4e-07
(intercept)      150        150       1e-07

On held-out rows: R² 0.4312 and mean squared error 2871.5.
The weights are within 3.6e-08 (relative) of plaintext training on the pooled
  tables; the largest difference is 4e-07.
Cost: 36 rounds, 25.4 kB online, 90.8 kB offline, 0.3 s, plaintext 1.1 ms.
Revealed: coef and intercept, to north, south and east.
written to runs/demo: model.safetensors and report.html
"""


def test_the_whole_summary() -> None:
    files = [Path("runs/demo/model.safetensors"), Path("runs/demo/report.html")]
    assert summary(example(report=PLAIN), files) == SEEN


def test_a_run_that_resumed_says_so() -> None:
    said = summary(example(report={**PLAIN, "iterations": 100, "resumed_after": 40})).splitlines()
    assert said[-3] == "Resumed after iteration 40 of 100; the cost is that of the rest."
    assert said[-2].startswith("Cost: ")


def test_what_is_not_known_is_left_out() -> None:
    lines = summary(example(report={}, ledger=[])).splitlines()
    assert lines[0] == "made-up: linear regression of y on 5 columns"
    assert lines[2] == "column        secure" and lines[-1] == "" and "Cost" not in "".join(lines)


def test_standard_errors_are_shown_where_they_are_there() -> None:
    [head] = [line for line in summary(example()).splitlines() if line.startswith("column")]
    assert head.split() == ["column", "secure", "plaintext", "difference", "standard", "error", "t", "p"]


NAMES = ["a" * 90, "年龄" * 20, "\x1b[31mred", "x\ny", "b"]


@pytest.mark.parametrize("names", [NAMES, [f"column {k}" for k in range(300)]], ids=["awkward", "many"])
def test_never_wider_than_80_columns_and_never_endless(names: list[str]) -> None:
    text = summary(example_of(names, coef=np.full(len(names), -1.23456e-100)))
    assert max(map(width, text.splitlines())) <= 80
    assert len(text.splitlines()) < 40 and "\x1b" not in text


def test_what_was_left_out_of_a_long_table_is_counted() -> None:
    assert "... 277 more in" in summary(example_of([f"column {k}" for k in range(300)]))


def test_no_codes_unless_asked_for_or_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\033[" not in summary(example()) and "\033[1m" in summary(example(), bold=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "\033[1m" in summary(example())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033[" not in summary(example())
