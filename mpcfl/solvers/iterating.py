"""The loop of a solver that goes through the rows: progress, checkpoints, and a range that is widened on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from mpcfl.protocols.rounds import Protocol, run
from mpcfl.sharing.keeper import Keeper
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.steering import in_range
from mpcfl.world.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that an iteration needs of those before it; every field is a share. left (): rows that left the range."""

    left: Share

    @property
    def shares(self) -> dict[str, Share]:
        """By the names of the fields, for a keeper."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


S = TypeVar("S", bound=State)
Step = Callable[[Objective, S, int], Protocol]


def iterated(
    session: Session,
    what: str,
    fresh: S,
    step: Step[S],
    *,
    objective: Objective,
    iterations: int,
    check_every: int,
    keeper: Keeper,
) -> tuple[S, Objective]:
    """The state after step(objective, state, k) for k = 0 ... iterations - 1, from `fresh` or from a checkpoint; the
    objective of the last step.

    Where the loss can be widened, a bit says every `check_every` iterations whether all rows stayed in its range; if
    not, the run goes back to the last check, and on from there with the wider loss. What the keeper is offered has been
    checked. Cost: that of the steps; a check 4 rounds.
    """
    done, shares = keeper.resume(fresh.shares)
    state, stage = replace(fresh, **shares), keeper.stage
    objective = objective.widened(stage)
    checked = done, state
    while done < iterations:
        session.step(what, done + 1, iterations)
        state, done = run(session, step(objective, state, done)), done + 1
        if objective.loss.widened() is not None:
            if done % check_every and done < iterations:
                continue
            if not in_range(state.left, objective.loss):
                objective, stage, (done, state) = objective.widened(1), stage + 1, checked
                continue
        checked = done, state
        keeper.offer(done, state.shares, stage)
    return state, objective
