"""The table of coefficients, for page and terminal: secure, plaintext twin and inference, where they are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpcfl.report.record import RunRecord
from mpcfl.report.units import number, small

HEAD = ("column", "secure", "plaintext", "difference", "standard error", "t", "p")


def rows(record: RunRecord) -> list[tuple[str, ...]]:
    """One row a feature, the intercept last unless the model has none; "" where a figure is not known."""
    twin = record.at("plaintext", "coef")
    inference = record.at("inference") or {}
    table = []
    for index, (name, weight) in enumerate(zip(record.features, record.coef.tolist(), strict=True)):
        tests = [_entry(inference.get(key), index) for key in ("standard_errors", "t", "p")]
        table.append(_row(name, weight, _entry(twin, index), tests))
    if record.job.get("model", {}).get("fit_intercept", True):
        own = inference.get("intercept")
        own = own if isinstance(own, Mapping) else {}
        tests = [own.get(key) for key in ("standard_error", "t", "p")]
        table.append(_row("(intercept)", float(record.intercept), record.at("plaintext", "intercept"), tests))
    return table


def _row(name: str, weight: float, twin: float | None, tests: list[float | None]) -> tuple[str, ...]:
    error, t, p = tests
    difference = None if twin is None else weight - twin
    return (name, number(weight), number(twin), small(difference), number(error), _hundredths(t), _probability(p))


def _entry(values: Any, index: int) -> float | None:
    return None if values is None or index >= len(values) else values[index]


def _hundredths(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _probability(value: float | None) -> str:
    return "" if value is None else "< 1e-16" if value < 1e-16 else small(value)
