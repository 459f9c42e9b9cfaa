"""The attack on a view that needs no idea: regress what is wanted on all that was seen, over runs that are known.

Whoever can run mpcfl can make as many labelled views as it likes. Two ways, of which the one is taken that does better
on runs that it has not learned from: kernel ridge regression on all values and all bytes, its penalty chosen by leaving
one run out; and least squares on the few values that go best with what is wanted, found one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from measuring.attacks.recorded import View
from measuring.attacks.telling import bytes_of, values_of

Array = npt.NDArray[np.float64]
_PENALTIES = np.logspace(-12, 3, 31)
_FEW = 3


def regressed(views: Sequence[View], wanted: Array, learn: int) -> Array:
    """(runs - learn, d): the guess of `wanted` (runs, d) in each of the later runs, learned from the first `learn`."""
    values, raw = values_of(views), bytes_of(views).astype(np.float64)
    ways: list[Callable[[int, int], Array]] = [
        lambda first, end: _ridge([values[:end], raw[:end]], wanted, first),
        lambda first, end: _pursuit(values[:end], wanted, first),
    ]
    tried = 2 * learn // 3
    errors = [float(((way(tried, learn) - wanted[tried:learn]) ** 2).sum()) for way in ways]
    return ways[int(np.argmin(errors))](learn, len(wanted))


def _ridge(features: Sequence[Array], wanted: Array, learn: int) -> Array:
    kernel = np.sum([part @ part[:learn].T / part.shape[1] for part in (_even(x, learn) for x in features)], axis=0)
    mean = wanted[:learn].mean(axis=0)
    target = wanted[:learn] - mean
    size, vectors = np.linalg.eigh(kernel[:learn])
    inverses = [(vectors / (np.maximum(size, 0) + penalty)) @ vectors.T for penalty in _PENALTIES]
    left_out = [float((((inverse @ target) / np.diag(inverse)[:, None]) ** 2).sum()) for inverse in inverses]
    return np.asarray(mean + kernel[learn:] @ inverses[int(np.argmin(left_out))] @ target)


def _pursuit(values: Array, wanted: Array, learn: int) -> Array:
    """Orthogonal matching pursuit, for each column of `wanted` by itself."""
    x, mean = _even(values, learn), wanted[:learn].mean(axis=0)
    found = np.tile(mean, (len(x) - learn, 1))
    for column in range(wanted.shape[1]):
        target = left = wanted[:learn, column] - mean[column]
        chosen: list[int] = []
        for _ in range(_FEW):
            chosen.append(int(np.argmax(np.abs(x[:learn].T @ left))))
            weights = np.linalg.lstsq(x[:learn, chosen], target, rcond=None)[0]
            left = target - x[:learn, chosen] @ weights
        found[:, column] += x[learn:, chosen] @ weights
    return found


def _even(x: Array, learn: int) -> Array:
    """Columns with mean 0 and variance 1 in the first runs; those that do not vary there are zero."""
    x = x - x[:learn].mean(axis=0)
    spread = x[:learn].std(axis=0)
    return np.asarray(np.divide(x, spread, out=np.zeros_like(x), where=spread > 0))
