"""The hook of an iterative solver through which its state outlives the run.

    step, state = keeper.resume({"weights": w, "velocity": velocity})
    for i in range(step, iterations):
        ...                                                     # opens something: all compute parties, in step
        keeper.offer(i + 1, {"weights": w, "velocity": velocity})

The state is all that an iteration needs of those before it. Rows, pinned matrices and correlated randomness are none of
it: a run that resumes shares the rows anew, under keys and masks of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from mpcfl.sharing.share import Share

State = Mapping[str, Share]


class Keeper:
    """Keeps nothing. `start`: the iterations that are done when the solver begins: 0, or in the plan of a run that
    resumed what that run began with (`planned`). `bounds`: those of the state then, by name. `stage`: the public number
    that was offered with it."""

    def __init__(self, start: int = 0, bounds: Mapping[str, float] | None = None, stage: int = 0) -> None:
        self.start, self.stage, self._bounds = start, stage, dict(bounds or {})

    def resume(self, state: State) -> tuple[int, dict[str, Share]]:
        """(iterations that are done, the state after them), from the `state` of a fresh start. Call it once, before
        the first iteration. No round."""
        return self.start, {
            name: Share(share.session, share._ring, scale=share.scale, bound=self._bounds.get(name, share.bound))
            for name, share in state.items()
        }

    def offer(self, step: int, state: State, stage: int = 0) -> None:
        """The state after `step` iterations, to be kept or not; `step` never falls. `stage`: public, what else the
        program must know to go on from it. Call it at the end of every iteration that will not be undone. No round."""

    def planned(self) -> Keeper:
        """What the plan of this run is made with: `train(dry, ..., keeper.planned())` costs what the run cost."""
        return Keeper(self.start, self._bounds, self.stage)

    def settle(self, *, done: bool) -> None:
        """The last word: whether this party has all that it wanted of the run. Every party calls it."""

    def close(self) -> None:
        """Let others use what this keeper holds open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
