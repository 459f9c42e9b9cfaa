"""Pictures where their data are there, in the page's colours, with nothing loaded from elsewhere."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from mpcfl.report import pictures
from mpcfl.report.record import RunRecord
from tests.report.example import REPORT, example, example_of

ALL = [pictures.convergence, pictures.costs, pictures.agreement, pictures.loss]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("picture", ALL)
def test_no_data_no_picture(picture: object) -> None:
    assert callable(picture) and picture(example(report={})) is None


@pytest.mark.parametrize("picture", ALL)
def test_colours_are_the_page_s_and_ids_the_picture_s_own(picture: object) -> None:
    svg = picture(example())  # type: ignore[operator]
    name = picture.__name__  # type: ignore[attr-defined]
    assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set()
    assert "var(--ink)" in svg and "var(--dark)" in svg
    assert all(found.startswith(name) for found in re.findall(r'\bid="([^"]*)', svg))
    ids = set(re.findall(r'\bid="([^"]*)', svg))
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', svg)) <= ids
    assert "<metadata" not in svg and "<!DOCTYPE" not in svg


def test_the_same_record_gives_the_same_picture() -> None:
    assert pictures.costs(example()) == pictures.costs(example())


def test_convergence_marks_the_steps_of_the_run() -> None:
    assert "this run: 65,536 steps" in texts(pictures.convergence(example()) or "")


def test_the_loss_says_its_last_value() -> None:
    assert "0.25" in texts(pictures.loss(example()) or "")


@pytest.mark.parametrize("points", [[], [[5, 0.5]], [[5, 0.5], [10, None], [15, float("nan")]]])
def test_a_loss_needs_two_numbers(points: list[list[float]]) -> None:
    assert pictures.loss(example(report={**REPORT, "loss": points})) is None


@pytest.mark.parametrize("points", [[], [[1, 0.5]], [[0, 1.0], [1, 0.0], [2, 0.0]]])
def test_a_curve_needs_two_points_that_have_logarithms(points: list[list[float]]) -> None:
    assert pictures.convergence(example(report={"plaintext": {"convergence": points}})) is None


@pytest.mark.parametrize("steps", [1, 2**25])
def test_steps_outside_the_curve_are_drawn_too(steps: int) -> None:
    report = {**REPORT, "solver": {"name": "gradient", "iterations": steps}}
    record = example(report=report, job={})
    assert f"this run: {steps:,} steps" in texts(pictures.convergence(record) or "")


@pytest.mark.parametrize("solver, name", [("newton", "Newton steps"), ("gradient", "gradient steps")])
def test_steps_are_called_what_the_solver_takes(solver: str, name: str) -> None:
    record = example(report={**REPORT, "solver": {"name": solver, "iterations": 9}})
    assert name in texts(pictures.convergence(record) or "")


def test_costs_add_bytes_over_parties_and_count_a_round_once() -> None:
    shown = texts(pictures.costs(example()) or "")
    assert {"product", "truncation", "agreement", "reveal", "setup", "offline", "online"} <= set(shown)
    assert "76.8 kB" in shown  # 61440 + 2 * 7680
    assert "18" in shown and "36" not in shown


def test_few_columns_are_named_beside_their_difference_and_many_are_not() -> None:
    assert "dose" in texts(pictures.agreement(example()) or "")
    many = example_of([f"column {k}" for k in range(60)])
    assert "column 3" not in texts(pictures.agreement(many) or "")


def test_equal_coefficients_can_be_drawn() -> None:
    record = example(coef=np.zeros(5), report={"plaintext": {"coef": [0.0] * 5}})
    assert "secure minus plaintext" in texts(pictures.agreement(record) or "")


def awkward(name: str) -> RunRecord:
    return example_of([name, "b"], report={"costs": {"a": {"online": {name: {"rounds": 1, "bytes": 8}}}}})


@pytest.mark.parametrize("name", ["price in $ or $", r"\frac{$", "年龄", "<b>&", "x" * 90, "tab\there", "#010203"])
def test_any_name_can_be_drawn(name: str) -> None:
    for picture in (pictures.agreement, pictures.costs):
        assert len(texts(picture(awkward(name)) or "")) > 5
