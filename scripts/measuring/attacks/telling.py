"""Can two data sets be told apart by what a party sees of runs on them? Three ways to try, all on the complete views.

`bytes_p`: are the bytes uniform. `positions_p`: has any byte of the view another mean on one data set than on the
other. `told`: classifiers that have learned from labelled runs, on runs that they have not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import norm

from measuring.attacks.recorded import Part, View
from measuring.uniform import uniformity

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
_VARIANCE, _EXCESS = (256**2 - 1) / 12, -1.2 * (256**2 + 1) / (256**2 - 1)  # of a uniform byte; excess kurtosis
_Z = 1.959963984540054  # 95 %


@dataclass(frozen=True)
class Told:
    """So many of `of` fresh runs given to the right data set; `low`, `high`: 95 % (Wilson)."""

    right: int
    of: int

    @property
    def share(self) -> float:
        return self.right / self.of

    @property
    def interval(self) -> tuple[float, float]:
        n, p = self.of, self.share
        middle, half = p + _Z**2 / (2 * n), _Z * (p * (1 - p) / n + (_Z / (2 * n)) ** 2) ** 0.5
        return (middle - half) / (1 + _Z**2 / n), (middle + half) / (1 + _Z**2 / n)


def bytes_of(views: Sequence[View]) -> Bytes:
    """(runs, bytes): everything that was seen after the start, in order."""
    whole = [b"".join(part.tobytes() for part in view.seen) for view in views]
    return np.frombuffer(b"".join(whole), np.uint8).reshape(len(views), -1)


def values_of(views: Sequence[View]) -> Array:
    """(runs, values): what was opened, and ring elements received, each divided by half its ring: in [-1, 1)."""
    return np.array([np.concatenate([_scaled(part) for part in _whole(view)]) for view in views])


def _whole(view: View) -> list[Part]:
    """Messages of bytes are left out: they are openings, whose sums are there."""
    return [*view.opened, *(part for part in view.messages if part.dtype == np.int64)]


def _scaled(part: Part) -> Array:
    return np.asarray(part.reshape(-1) / 2.0 ** (8 * part.itemsize - 1))


def bytes_p(views: Sequence[View]) -> float:
    """p of a chi-square test that all bytes of all runs are uniform."""
    return uniformity(torch.from_numpy(part) for view in views for part in view.seen)


def positions_p(one: Bytes, other: Bytes) -> float:
    """Do the means over the runs differ more than by chance, if bytes are uniform? z for each byte of the view; then p
    of the largest of them (Bonferroni), and of the sum of their squares: of these two the smaller, twice."""
    runs = np.array([len(one), len(other)], np.float64)
    gap = one.mean(axis=0) - other.mean(axis=0)
    z = gap / np.sqrt(_VARIANCE * (1 / runs).sum())
    largest = min(1.0, 2 * norm.sf(np.abs(z).max()) * z.size)
    excess = _EXCESS * (1 / runs**3).sum() / (1 / runs).sum() ** 2  # of the kurtosis of one z
    whole = 2 * norm.sf(abs((z**2).sum() - z.size) / np.sqrt(z.size * (2 + excess)))
    return float(min(1.0, 2 * min(largest, whole)))


def told_by_bytes(one: Bytes, other: Bytes) -> Told:
    """Ridge classifier over all bytes, in the form that costs runs^2: learned on the first half of the runs of each."""
    x, y, learn = _labelled(one, other)
    x -= x[learn].mean(axis=0)
    kernel = (x @ x[learn].T).astype(np.float64)
    inner = kernel[learn]
    weights = np.linalg.solve(inner + np.eye(len(inner)) * (np.trace(inner) / len(inner) + 1e-9), y[learn])
    return Told(int(((kernel @ weights > 0) == (y > 0))[~learn].sum()), int((~learn).sum()))


def told_by_values(one: Array, other: Array, seed: int) -> Told:
    """Random forest over all values: notices what is no sum."""
    from sklearn.ensemble import RandomForestClassifier

    x, y, learn = _labelled(one, other)
    forest = RandomForestClassifier(100, random_state=seed).fit(x[learn], y[learn])
    return Told(int((forest.predict(x[~learn]) == y[~learn]).sum()), int((~learn).sum()))


def _labelled(
    one: npt.NDArray[np.number], other: npt.NDArray[np.number]
) -> tuple[npt.NDArray[np.float32], Array, npt.NDArray[np.bool_]]:
    """Runs of both, labels -1 and 1, and which to learn from: the first half of each."""
    x, y = np.concatenate([one, other]).astype(np.float32), np.repeat([-1.0, 1.0], [len(one), len(other)])
    learn = np.concatenate([np.arange(len(part)) < len(part) // 2 for part in (one, other)])
    return x, y, learn
