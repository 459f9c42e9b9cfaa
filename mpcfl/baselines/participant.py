"""One organisation of the classic design: its rows in the clear at home, and what it computes of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mpcfl.models.plain_rows import PlainRows

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Participant:
    """rows: those of `mpcfl.baselines.problem.Problem.participants`, whose losses and penalty add up, over all
    participants, to those of the joint table."""

    name: str
    rows: PlainRows = field(repr=False)

    @property
    def count(self) -> int:
        """How many rows it has. All know that of everybody."""
        return len(self.rows.z)

    @property
    def width(self) -> int:
        """How many weights there are, the intercept among them."""
        return self.rows.z.shape[1]

    def gradient(self, w: Array) -> Array:
        """(d + 1,) at weights w (d + 1,), of the sum over its rows (no mean) and of its part of the penalty."""
        return self.rows.gradient(w)

    def descended(self, w: Array, learning_rate: float, steps: int) -> Array:
        """Weights (d + 1,) after so many steps on its own rows alone, from w (d + 1,)."""
        for _ in range(steps):
            w = w - learning_rate / self.count * self.gradient(w)
        return w
