"""Whole trainings with Triton's kernels, interpreted: the weights of the CPU's own kernels, to the last bit.

What is wrong about a stride or a shape that protocols really have is seen here.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from mpcfl.models.training import Outcome
from mpcfl.ring import _cuda, _digits, cut, opened, product, waves
from mpcfl.world.session import Session
from tests.models.test_devices import on_the_cpu, require_same, trained
from tests.ring.interpreted import needs_triton

pytestmark = [
    needs_triton,
    pytest.mark.skipif(torch.cuda.is_available(), reason="kernels are compiled where there is a CUDA device"),
]


Runs = Callable[[str], tuple[list[Outcome], list[Session]]]


@pytest.fixture
def reference() -> Runs:
    """Runs with the CPU's own kernels, made before others take their place."""
    made = {name: on_the_cpu(name) for name in ("logistic", "least squares, steps")}
    return made.__getitem__


class OneAtATime:
    """A backend of which one thread at a time has a kernel interpreted: parties are threads here."""

    lock = threading.RLock()

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        def alone(*arguments: Any) -> Any:
            with self.lock:
                return getattr(self._backend, name)(*arguments)

        return alone


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """CPU tensors go the ways of CUDA's; how often each way of multiplying was gone."""
    from mpcfl.ring import _cut_triton, _digits_triton, _opened_triton, _waves_triton

    monkeypatch.setattr(product, "_load", lambda kind: OneAtATime(_cuda))
    monkeypatch.setattr(waves, "_load", lambda kind: OneAtATime(_waves_triton))
    monkeypatch.setattr(opened, "_load", lambda kind: OneAtATime(_opened_triton))
    monkeypatch.setattr(cut, "_load", lambda kind: OneAtATime(_cut_triton))
    monkeypatch.setattr(_cuda, "why_not", lambda kind: None)
    monkeypatch.setattr(_digits, "_kernels", lambda kind: _digits_triton)
    gone: dict[str, int] = {}
    choice = _cuda.choice

    def counted(n: int, k: int, m: int) -> str:
        way = choice(n, k, m)
        gone[way] = gone.get(way, 0) + 1
        return way

    monkeypatch.setattr(_cuda, "choice", counted)
    return gone


def test_logistic_regression_by_rows(reference: Runs, kernels: dict[str, int]) -> None:
    require_same(trained("logistic", {}), reference("logistic"))
    assert kernels["skinny"] > 10


def test_least_squares_by_digits(reference: Runs, kernels: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every product, however small."""
    monkeypatch.setattr(_cuda, "CHOICES", (_cuda.Choice("digits"),))
    require_same(trained("least squares, steps", {}), reference("least squares, steps"))
    assert set(kernels) == {"digits"}
