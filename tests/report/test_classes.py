"""A model of several classes: readable on a terminal and a page, whole in its files, and applied as it was trained."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mpcfl.cli.predict import predict_command
from mpcfl.data.table import Table
from mpcfl.errors import JobError
from mpcfl.report import pictures
from mpcfl.report.classes import MOST_CELLS
from mpcfl.report.html import page
from mpcfl.report.model import load_model, predict, scores
from mpcfl.report.output import keep_model, write_run
from mpcfl.report.terminal import summary
from mpcfl.report.units import width
from tests.report.example import FEATURES, example_of_classes
from tests.report.test_html import Reader

RECORD = example_of_classes()
X = np.arange(15.0).reshape(3, 5) / 10


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path / "run", RECORD)
    return tmp_path / "run"


# ---- for people ------------------------------------------------------------------------------------------------------


def test_a_line_a_class_on_a_terminal() -> None:
    lines = summary(RECORD).splitlines()
    assert lines[0] == "made-up: logistic regression of y in 3 classes on 5 columns and 1,200 rows"
    assert lines[2].split() == "class intercept norm of weights difference largest weights".split()
    first = RECORD.coef[0]
    assert lines[3].split()[:4] == ["0", "0.5", f"{np.linalg.norm(first):.6g}", "2.2e-06"]
    heaviest = np.argsort(-np.abs(first))[:2]
    assert lines[3].endswith(", ".join(f"{FEATURES[j]} {first[j]:+.2g}" for j in heaviest))
    assert lines[6] == "all 15 weights: model.safetensors and report.html"


def test_many_classes_and_columns_with_long_names_fit_a_terminal() -> None:
    names = tuple(f"a column with a very long name {k}" for k in range(200))
    lines = summary(example_of_classes(100, features=names)).splitlines()
    assert max(map(width, lines)) <= 80 and len(lines) < 40
    assert "... 76 more in model.safetensors and report.html" in lines
    assert "all 20,000 weights: model.safetensors and report.html" in lines


def test_the_page_has_every_weight() -> None:
    text = Reader(page(RECORD)).text
    assert "in 3 classes" in text and "All weights" in text and "class 2" in text
    assert all(f"{weight:.6g}" in text for weight in RECORD.coef.ravel())
    assert "divided by the sum over all classes" in text and "z.argmax(axis=1)" in text


def test_a_page_of_too_many_weights_says_where_they_are() -> None:
    names = tuple(f"c{k}" for k in range(MOST_CELLS // 100 + 1))
    text = Reader(page(example_of_classes(100, features=names))).text
    assert "too many for a page" in text and "All weights" not in text and "norm of weights" in text


def test_few_weights_are_named_with_their_class_in_the_picture_and_many_are_not() -> None:
    assert "dose, 2" in (pictures.agreement(RECORD) or "")
    assert "dose, 2" not in (pictures.agreement(example_of_classes(10)) or "")


# ---- for machines ----------------------------------------------------------------------------------------------------


def test_the_files_have_a_row_of_weights_a_class(run: Path) -> None:
    tensors = load_file(run / "model.safetensors")
    np.testing.assert_array_equal(tensors["coef"], RECORD.coef)
    assert tensors["intercept"].tolist() == [0.5, 0.5, 0.5] and tensors["intercept"].dtype == np.float64
    card = json.loads((run / "card.json").read_text())
    assert "(classes, columns)" in card["files"]["model.safetensors"] and card["parameters"]["classes"] == 3


def test_folder_file_and_fallback_give_one_model(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (run, run / "model.safetensors", keep_model(RECORD)):
        model = load_model(path)
        np.testing.assert_array_equal(model.coef, RECORD.coef)
        assert np.asarray(model.intercept).tolist() == [0.5] * 3 and (model.classes, model.kind) == (3, "logistic")


def test_predictions_are_probabilities_of_every_class(run: Path) -> None:
    model, table = load_model(run), Table.of(X[:, ::-1], names=FEATURES[::-1])
    z = X @ RECORD.coef.T + 0.5
    np.testing.assert_allclose(scores(model, table), z)
    each = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(predict(model, table), each / each.sum(axis=1, keepdims=True))


def test_predict_writes_the_likeliest_class_and_all_probabilities(run: Path, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "t.csv", X, delimiter=",", header=",".join(FEATURES), comments="")
    assert predict_command(run, tmp_path / "t.csv", tmp_path / "out.csv") == 0
    head, *lines = (tmp_path / "out.csv").read_text().splitlines()
    assert head == "prediction,probability_0,probability_1,probability_2"
    found = np.array([[float(cell) for cell in line.split(",")] for line in lines])
    np.testing.assert_allclose(found[:, 1:], predict(load_model(run), Table.of(X, names=FEATURES)), rtol=1e-15)
    np.testing.assert_array_equal(found[:, 0], found[:, 1:].argmax(axis=1))
    assert all(line.split(",")[0] in "012" for line in lines)  # a whole number, as the labels are


@pytest.mark.parametrize(
    "coef, intercept",
    [((2, 5), (3,)), ((3, 5), (1,)), ((5,), (5,)), ((1, 3, 5), (1, 3)), ((3, 4), (3,)), ((0, 5), (0,))],
)
def test_weights_whose_shapes_do_not_fit_are_refused(
    tmp_path: Path, coef: tuple[int, ...], intercept: tuple[int, ...]
) -> None:
    metadata = {"features": json.dumps(FEATURES), "target": "y", "model": "logistic"}
    save_file({"coef": np.ones(coef), "intercept": np.ones(intercept)}, tmp_path / "m.safetensors", metadata)
    with pytest.raises(JobError, match="weights of shape"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize("intercept", [0.5, [0.5, 0.5], [[0.5], [0.5], [0.5]]])
def test_a_record_whose_shapes_do_not_fit_is_none(intercept: object) -> None:
    with pytest.raises(ValueError, match="shape"):
        example_of_classes(intercept=intercept)
