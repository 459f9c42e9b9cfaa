"""A revealed model: loaded from a run folder or a file, and applied to a table whose columns are found by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.data.names import did_you_mean
from mpcfl.data.source import Source
from mpcfl.errors import DataError, JobError
from mpcfl.models.links import mean_of
from mpcfl.report.units import listed, visible

MODEL_FILE = "model.safetensors"
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Model:
    """coef (d,) and intercept, float64, real, on the scale of the data, or with more than two classes (classes, d) and
    (classes,); `features` names the columns of coef; `kind` is the model's name."""

    coef: Array
    intercept: float | Array
    features: tuple[str, ...]
    target: str
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.metadata.get("model", "linear")

    @property
    def classes(self) -> int | None:
        """Number of classes that have weights of their own; None where there is one vector of weights."""
        return len(self.coef) if self.coef.ndim == 2 else None


def load_model(path: str | Path) -> Model:
    """The model in a run folder, a .safetensors file, or the .model.json of a run that could not write its folder.

    JobError: the path cannot be read or holds no model of mpcfl.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MODEL_FILE).is_file():
            raise JobError(f"{path}: has no {MODEL_FILE}", hint="name the folder that a run wrote (--out)")
        path = path / MODEL_FILE
    try:
        with open(path, "rb") as file:
            start = file.read(1)
    except OSError as error:
        raise JobError(
            f"{path}: cannot be read: {error.strerror}", hint="name a run folder or its model file"
        ) from None
    # A safetensors file starts with the length of its header, eight bytes; JSON with a brace.
    return _from_json(path) if start == b"{" and path.suffix == ".json" else _from_safetensors(path)


def predict(model: Model, source: Source) -> Array:
    """Predictions (n,), float64, for the rows of `source`, in memory; the table itself is streamed. Probabilities of
    class 1 where the model is logistic, of each class (n, classes) where there are more than two; signed distances from
    the margin where it is a support vector machine. DataError as `scores`.
    """
    return mean_of(model.kind, scores(model, source))


def scores(model: Model, source: Source) -> Array:
    """X w + intercept of every row, (n,) or (n, classes): the likeliest class is the one with the largest.

    Columns are matched by name: any order, others are ignored. DataError names every column that is missing.
    """
    missing = [name for name in model.features if name not in source.columns]
    if missing:
        names = listed(repr(visible(name)) for name in missing)
        raise DataError(
            f"{source.name}: lacks the column{'s' if len(missing) > 1 else ''} {names}, which the model needs",
            hint=did_you_mean(missing[0], [name for name in source.columns if name not in model.features]),
        )
    order = [source.columns.index(name) for name in model.features]
    as_they_are = order == list(range(len(source.columns)))
    parts = [(block if as_they_are else block[:, order]) @ model.coef.T for block in source.chunks()]
    return np.asarray(np.concatenate(parts) + model.intercept)


def _from_safetensors(path: Path) -> Model:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = dict(file.metadata() or {})
            values = {name: file.get_tensor(name) for name in file.keys() if name in ("coef", "intercept")}
    except (SafetensorError, OSError, ValueError):
        raise _no_model(path, "is no safetensors file, or was cut short") from None
    try:
        features = json.loads(metadata["features"])
        return _checked(path, values["coef"], values["intercept"], features, metadata["target"], metadata)
    except (KeyError, json.JSONDecodeError):
        raise _no_model(path, "is not a model that mpcfl wrote") from None


def _from_json(path: Path) -> Model:
    try:
        document: Any = json.loads(path.read_bytes())
        metadata = {key: str(document[key]) for key in ("mpcfl", "job", "model") if key in document}
        intercept = np.atleast_1d(document["intercept"])
        return _checked(path, document["coef"], intercept, document["features"], document["target"], metadata)
    except (OSError, ValueError, KeyError, TypeError):
        raise _no_model(path, "is not a model that mpcfl wrote") from None


def _checked(path: Path, coef: Any, intercept: Any, features: Any, target: Any, metadata: Mapping[str, str]) -> Model:
    names = features if isinstance(features, list) and all(isinstance(name, str) for name in features) else None
    if names is None or len(set(names)) != len(names) or not isinstance(target, str):
        raise _no_model(path, "does not name its columns")
    try:
        coef, intercept = np.array(coef, dtype=np.float64), np.array(intercept, dtype=np.float64)
    except (TypeError, ValueError):
        raise _no_model(path, "has weights that are no numbers") from None
    classes = coef.shape[:-1]  # none, or their number
    if (
        coef.shape != (*classes, len(names))
        or intercept.shape != (classes or (1,))
        or len(classes) > 1
        or not coef.size
    ):
        raise _no_model(path, f"has weights of shape {coef.shape} and {intercept.shape} for {len(names)} columns")
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise _no_model(path, "has weights that are not finite")
    return Model(coef, intercept if classes else float(intercept[0]), tuple(names), target, dict(metadata))


def _no_model(path: Path, why: str) -> JobError:
    return JobError(f"{path}: {why}", hint="name a run folder, its model.safetensors, or a .model.json")
