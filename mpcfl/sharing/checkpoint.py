"""What is public of a checkpoint, and which one a run resumes from.

Shares of one step add up to the state only if they are of one *run*: the same step of another run has other masks. So a
checkpoint is known by run and step, and a run resumes from the newest that all compute parties hold. Runs are numbered
by generation: 1 more than the highest that any party has, whatever their clocks say.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Equal at all parties of a run. run: 32 hexadecimal digits, random. shares: (name, shape, scale, bound) of the
    state. tables: by rank, a tag that tells whether the party's table is the same in another run; "" for none. stage:
    the solver's own number, e.g. how often the range has been widened. ledger: what had been revealed, as JSON."""

    generation: int
    run: str
    step: int
    shares: tuple[tuple[str, tuple[int, ...], int, float], ...]
    tables: tuple[str, ...]
    stage: int = 0
    ledger: str = "[]"

    @property
    def age(self) -> tuple[int, int]:
        """Newer ones are larger."""
        return self.generation, self.step

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Checkpoint:
        """Raises ValueError, KeyError or TypeError for anything that `to_json` does not write."""
        fields = json.loads(text)
        fields["shares"] = tuple((name, tuple(shape), scale, bound) for name, shape, scale, bound in fields["shares"])
        fields["tables"] = tuple(fields["tables"])
        return cls(**fields)


def newest_common(held: Iterable[Iterable[Checkpoint]]) -> Checkpoint | None:
    """The newest checkpoint that everyone holds; None if there is none."""
    first, *others = (set(checkpoints) for checkpoints in held)
    return max(first.intersection(*others), key=lambda checkpoint: checkpoint.age, default=None)


def who_holds_what(names: Sequence[str], held: Sequence[Sequence[Checkpoint]]) -> str:
    """In words: "north holds iterations 8, 4; south holds none"."""
    texts = []
    for name, checkpoints in zip(names, held, strict=True):
        steps = [str(c.step) for c in sorted(checkpoints, key=lambda c: c.age, reverse=True)]
        texts.append(f"{name} holds {'iterations ' + ', '.join(steps) if steps else 'none'}")
    return "; ".join(texts)
