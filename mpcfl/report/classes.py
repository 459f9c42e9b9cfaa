"""Weights of several classes, one against the rest each: a line for each class, and the whole as a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpcfl.report.record import RunRecord
from mpcfl.report.units import number, shortened, small

Array = npt.NDArray[np.float64]
HEAD = ("class", "intercept", "norm of weights", "difference", "largest weights")
MOST_CELLS = 10_000
_SHOWN = 2  # largest weights of a class, so that a line fits a terminal
_NAME = 10


def class_rows(record: RunRecord) -> list[tuple[str, ...]]:
    """One row a class: its intercept, the norm of its weights, that of their difference from the plaintext twin, and
    the columns that weigh most."""
    coef, twin = record.coef, record.at("plaintext", "coef")
    norms = np.linalg.norm(coef, axis=1).tolist()
    differences = [None] * len(coef) if twin is None else np.linalg.norm(coef - np.array(twin), axis=1).tolist()
    figures = zip(np.atleast_1d(record.intercept).tolist(), norms, differences, coef, strict=True)
    return [
        (str(k), number(intercept), number(norm), small(difference), _largest(record, weights))
        for k, (intercept, norm, difference, weights) in enumerate(figures)
    ]


def weight_table(record: RunRecord) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(head, rows): a row a column and a column a class, the intercepts last. No rows where there are more than
    `MOST_CELLS` weights."""
    head = ("column", *(f"class {k}" for k in range(len(record.coef))))
    if record.coef.size > MOST_CELLS:
        return head, []
    named = [*zip(record.features, record.coef.T, strict=True), ("(intercept)", np.atleast_1d(record.intercept))]
    return head, [(name, *map(number, values.tolist())) for name, values in named]


def _largest(record: RunRecord, coef: Array) -> str:
    order = np.argsort(-np.abs(coef), kind="stable")[:_SHOWN]
    return ", ".join(f"{shortened(record.features[j], _NAME)} {coef[j]:+.2g}" for j in map(int, order))
