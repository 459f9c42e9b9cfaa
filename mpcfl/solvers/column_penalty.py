"""A penalty of its own for each column of weights: candidates that are trained side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpcfl.protocols.rounds import Protocol, parallel
from mpcfl.sharing.share import Share, concatenate
from mpcfl.solvers.penalty import Array, Penalty


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPenalty(Penalty):
    """Candidate k is the penalty of columns k repeats to (k + 1) repeats - 1; l1 and l2 are the largest of all."""

    candidates: tuple[Penalty, ...]
    repeats: int

    @classmethod
    def of(cls, candidates: Sequence[Penalty], repeats: int) -> ColumnPenalty:
        l1, l2 = max(p.l1 for p in candidates), max(p.l2 for p in candidates)
        return cls(l1=l1, l2=l2, candidates=tuple(candidates), repeats=repeats)

    @property
    def strengths(self) -> Array:
        return np.repeat([p.l2 for p in self.candidates], self.repeats)

    def over(self, rows: int) -> Penalty:
        return ColumnPenalty.of([p.over(rows) for p in self.candidates], self.repeats)

    def shrink(self, w: Share, step: float, penalised: int) -> Protocol:
        if not self.l1:
            return w
        starts = range(0, w.shape[1], self.repeats)
        columns = [w[:, start : start + self.repeats] for start in starts]
        parts = [p.shrink(part, step, penalised) for p, part in zip(self.candidates, columns, strict=True)]
        return concatenate((yield from parallel(*parts)), 1)
