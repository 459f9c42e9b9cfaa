"""A model read back, and applied to tables whose columns are found by name."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mpcfl.data.table import Table
from mpcfl.errors import DataError, JobError
from mpcfl.report.model import load_model, predict
from mpcfl.report.output import keep_model, write_run
from mpcfl.report.record import RunRecord
from tests.report.example import COEF, FEATURES, JOB, REPORT, example, example_of_classes

X = np.arange(15.0).reshape(3, 5)
Y = X @ COEF + 150.0000001


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "run"
    write_run(folder, example())
    return folder


def test_folder_file_and_fallback_give_one_model(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (run, run / "model.safetensors", keep_model(example())):
        model = load_model(path)
        assert model.coef.dtype == np.float64 and np.array_equal(model.coef, COEF)
        assert (model.intercept, model.features, model.target) == (150.0000001, FEATURES, "y")
        assert model.metadata["job"] == "made-up" and model.metadata["mpcfl"] == "0.1.0"


def test_predictions_are_intercept_plus_the_sum_of_coef_times_column(run: Path) -> None:
    assert np.allclose(predict(load_model(run), Table.of(X, names=FEATURES)), Y, rtol=1e-15)


def test_columns_are_matched_by_name_and_others_are_ignored(run: Path) -> None:
    order = [3, 0, 4, 2, 1]
    shuffled = np.column_stack([X[:, order], np.full(3, 1e9)])
    table = Table.of(shuffled, names=[*(FEATURES[k] for k in order), "y"])
    assert np.allclose(predict(load_model(run), table), Y, rtol=1e-15)


def test_every_missing_column_is_named(run: Path) -> None:
    table = Table.of(X, names=["age", "Dose", "height", "wages", "weight"])
    with pytest.raises(DataError, match="lacks the columns 'dose' and 'income'") as caught:
        predict(load_model(run), table)
    assert caught.value.hint == "did you mean 'Dose'?"


def test_many_chunks_give_what_one_gives(run: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(140_000, 5))
    assert np.allclose(predict(load_model(run), Table.of(rows, names=FEATURES)), rows @ COEF + 150.0000001, rtol=1e-12)


# ---- files that hold no model ----------------------------------------------------------------------------------------

GOOD = {"features": '["a", "b"]', "target": "y", "mpcfl": "0.1.0", "job": "j"}


def tensors(coef: object = (1.0, 2.0), intercept: object = (3.0,)) -> dict[str, np.ndarray]:
    return {"coef": np.array(coef), "intercept": np.array(intercept)}


@pytest.mark.parametrize(
    "values, metadata, said",
    [
        (tensors(), {}, "is not a model that mpcfl wrote"),
        ({"coef": np.ones(2)}, GOOD, "is not a model that mpcfl wrote"),
        (tensors(), {**GOOD, "features": "[1, 2]"}, "does not name its columns"),
        (tensors(), {**GOOD, "features": '["a", "a"]'}, "does not name its columns"),
        (tensors(), {**GOOD, "features": "{"}, "is not a model that mpcfl wrote"),
        (tensors([1.0, 2.0, 3.0]), GOOD, "weights of shape"),
        (tensors(intercept=[1.0, 2.0]), GOOD, "weights of shape"),
        (tensors([1.0, np.nan]), GOOD, "not finite"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, values: dict[str, np.ndarray], metadata: dict[str, str], said: str
) -> None:
    save_file(values, tmp_path / "m.safetensors", metadata)
    with pytest.raises(JobError, match=said) as caught:
        load_model(tmp_path / "m.safetensors")
    assert "m.safetensors" in str(caught.value) and caught.value.hint


@pytest.mark.parametrize("name", ["m.safetensors", "m.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[1]", b"\x00" * 64, b'{"coef": [1], "features": ["a"]}'])
def test_broken_files_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(JobError, match=name):
        load_model(tmp_path / name)


def test_a_file_cut_short_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes((run / "model.safetensors").read_bytes()[:-8])
    with pytest.raises(JobError, match="cut short"):
        load_model(tmp_path / "m.safetensors")


def test_weights_that_are_texts_are_refused(tmp_path: Path) -> None:
    document = {"mpcfl": "", "job": "", "target": "y", "features": ["a"], "coef": ["x"], "intercept": 0.0}
    (tmp_path / "m.json").write_text(json.dumps(document))
    with pytest.raises(JobError, match="no numbers"):
        load_model(tmp_path / "m.json")


def test_a_path_that_is_not_there_and_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="cannot be read: No such file"):
        load_model(tmp_path / "gone")
    with pytest.raises(JobError, match=r"has no model\.safetensors"):
        load_model(tmp_path)


# ---- the lines of the model card -------------------------------------------------------------------------------------

ROWS = np.random.default_rng(2).normal(size=(7, 5))


def of_model(name: str, **model: object) -> RunRecord:
    report = {key: value for key, value in REPORT.items() if key != "inference"} | {"model": name}
    job = {**JOB, "job": {**JOB["job"], "model": name}, "model": model}
    return example(job=job, report=report, coef=COEF / 20, intercept=0.5)


@pytest.mark.parametrize(
    "record, expected",
    [
        (of_model("linear"), lambda found: found),
        (of_model("logistic", classes=2), lambda found: found),
        (of_model("poisson"), lambda found: found),
        (of_model("gamma", exposure="years", offset="known"), lambda found: 2.0 * np.exp(0.25) * found),
        (of_model("svm"), lambda found: found > 0),
        (example_of_classes(3), lambda found: found.argmax(axis=1)),
    ],
    ids=["linear", "logistic", "poisson", "exposure", "svm", "classes"],
)
def test_what_the_card_says_in_python_is_what_mpcfl_predicts(
    record: RunRecord, expected: Callable[[np.ndarray], np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "run", record)
    monkeypatch.chdir(tmp_path / "run")
    lines = json.loads(Path("card.json").read_text())["how_to_use"]["python"]
    names: dict[str, object] = {"x": ROWS, "exposure": 2.0, "offset": 0.25}
    exec(lines, names)
    last = lines.splitlines()[-1].partition(" = ")[0]
    assert np.allclose(names[last], expected(predict(load_model("."), Table.of(ROWS, names=FEATURES))), rtol=1e-12)
    assert ("exposure" in lines) == ("years" in json.loads(Path("card.json").read_text())["how_to_use"]["formula"])
