"""The penalty l1 |w|_1 + l2 / 2 |w|^2 beside a sum of losses; never on the intercept.

Its smooth part is added to the gradient. The other part is a proximal step after each update: shrink every weight by
the threshold, and stop at zero (Daubechies et al., 2004; Beck and Teboulle, 2009, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpcfl.errors import JobError
from mpcfl.protocols.piecewise import soft_threshold
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share, concatenate

Array = npt.NDArray[np.float64]
NAMES = ("l2", "l1", "elasticnet", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """l1, l2: at least 0, beside the sum of the losses, or beside their mean where `per_row` says so."""

    l1: float = 0.0
    l2: float = 0.0
    per_row: bool = False

    @property
    def strengths(self) -> Array:
        """(1,) or (columns,): l2 of each column of weights."""
        return np.array([self.l2])

    def over(self, rows: int) -> Penalty:
        """The same penalty beside a sum over so many rows."""
        return Penalty(l1=self.l1 * rows, l2=self.l2 * rows) if self.per_row else self

    def shrink(self, w: Share, step: float, penalised: int) -> Protocol:
        """The proximal step of length `step` on the first `penalised` of the weights (d', ...). Cost: none without l1,
        else that of `soft_threshold`."""
        if not self.l1:
            return w
        shrunk = yield from soft_threshold(w[:penalised], step * self.l1)
        return concatenate([shrunk, w[penalised:]]) if penalised < len(w) else shrunk

    def shrink_plain(self, w: Array, step: float, penalised: int) -> Array:
        """The same in float64."""
        out = w.copy()
        out[:penalised] = np.sign(w[:penalised]) * np.maximum(np.abs(w[:penalised]) - step * self.l1, 0)
        return out

    def gradient_plain(self, w: Array, penalised: int) -> Array:
        """l2 w, and 0 for the intercept."""
        out = np.zeros_like(w)
        out[:penalised] = self.l2 * w[:penalised]
        return out

    def value_plain(self, w: Array, penalised: int) -> float:
        """The penalty in float64."""
        return float(self.l1 * np.abs(w[:penalised]).sum() + self.l2 / 2 * (w[:penalised] ** 2).sum())


def penalty_of(name: str, strength: float, l1_ratio: float = 0.5) -> Penalty:
    """By scikit-learn's names: strength |w|^2 / 2, strength |w|_1, a mixture of both, or nothing."""
    if name not in NAMES:
        raise JobError(f"penalty must be one of {', '.join(NAMES)}, not {name!r}")
    if not 0 <= l1_ratio <= 1:
        raise JobError(f"[model] l1_ratio must be from 0 to 1, not {l1_ratio}")
    ratio = {"l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}.get(name, 0.0)
    return Penalty() if name == "none" else Penalty(l1=strength * ratio, l2=strength * (1 - ratio))
