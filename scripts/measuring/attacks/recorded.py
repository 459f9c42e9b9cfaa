"""A whole training of the real program, and everything that each party sees of it.

Four organisations: `north` and `south` compute, `east` deals, `west` gets the result; all of them own rows. A compute
party's view is every message that it receives, from the first schema to the last share, and what the opened messages
add up to. Its own rows and the streams that it expands it has anyway; all that it computes follows from those.

    views = recorded(TRAININGS["logistic"], x, y)
    views["north"].messages, views["north"].opened
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from measuring.one_process import run_threads
from measuring.tables import TARGET, split
from mpcfl.cli.assembly import roster_of, settings_of
from mpcfl.cli.job import Job
from mpcfl.data.facts import agree_on_facts
from mpcfl.data.table import Table
from mpcfl.models.training import train
from mpcfl.protocols import rounds
from mpcfl.protocols.pinned import Pinned
from mpcfl.world.session import Session
from mpcfl.world.wire import Expected, Wire

Array = npt.NDArray[np.float64]
Part = npt.NDArray[Any]
ROLES = {
    "north": ["data", "compute"],
    "south": ["data", "compute"],
    "east": ["data", "dealer"],
    "west": ["data"],
}
COMPUTE = ("north", "south")
_NARROW = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}
_LOGISTIC = {"name": "gradient", "learning_rate": 0.5, "iterations": 5}
TRAININGS: dict[str, dict[str, Any]] = {
    "linear": {"job": {"model": "linear"}},
    "logistic": {"job": {"model": "logistic"}, "model": {"penalty": "none"}, "solver": _LOGISTIC},
}
"""Sections of a job."""


@dataclass
class View:
    """What a party sees. `public`: messages of the start (schemas) after the
    handshake. `messages`: all others. `opened`: the values
    that opened messages add up to, at a compute party. `shape`: of every message its phase, sender, length."""

    public: list[Part] = field(default_factory=list)
    messages: list[Part] = field(default_factory=list)
    opened: list[Part] = field(default_factory=list)
    shape: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def seen(self) -> list[Part]:
        return [*self.messages, *self.opened]


def job_of(training: dict[str, Any], to: tuple[str, ...] = ("west",)) -> Job:
    """`to`: who gets the result. With `west` alone, nothing that the others see depends on the weights."""
    parties = {name: {"roles": own} | ({"data": f"{name}.csv"} if "data" in own else {}) for name, own in ROLES.items()}
    general = {"name": "recorded", "partition": "horizontal", "target": TARGET, **training["job"]}
    rest = {name: section for name, section in training.items() if name != "job"}
    return Job.from_dict({"job": general, "parties": parties, "reveal": {"to": list(to)}, **rest})


def recorded(
    training: dict[str, Any], x: Array, y: Array, to: tuple[str, ...] = ("west",), parts: Sequence[int] = ()
) -> dict[str, View]:
    """The views by party, of one run with fresh keys. The rows are split over the four in order, so many to each
    (`parts`), or as many to one as to another."""
    job = job_of(training, to)
    roster, settings = roster_of(job), settings_of(job)
    tables, views = split(x, y, roster, "horizontal"), {name: View() for name in roster.names}
    if parts:
        rows = np.split(np.c_[x, y], np.cumsum(parts)[:-1])
        names = [*(f"x{i}" for i in range(x.shape[1])), TARGET]
        tables = {rank: Table.of(part, names=names) for rank, part in zip(roster.owners, rows, strict=True)}

    def program(session: Session) -> None:
        session.wire = _Listening(session.wire, views[session.name])
        table = tables.get(session.rank)
        facts = agree_on_facts(session, "horizontal", None if table is None else table.schema, TARGET)
        train(session, facts, settings, table)

    with _openings(views):
        run_threads(roster, program)
    return views


@contextmanager
def masks_of_the_dealer() -> Iterator[list[tuple[Part, int]]]:
    """Mask and scale of every matrix that is pinned meanwhile, as the dealer, and nobody else, makes them."""
    original, noted = Pinned._keep, list[tuple[Part, int]]()

    def noting(pinned: Pinned, masks: list[torch.Tensor]) -> list[torch.Tensor]:
        noted.append((masks[0].numpy().copy(), pinned.x.scale))
        return original(pinned, masks)

    Pinned._keep = noting  # type: ignore[method-assign]
    try:
        yield noted
    finally:
        Pinned._keep = original  # type: ignore[method-assign]


class _Listening:
    """A wire, and a note of every message that is received by it."""

    def __init__(self, wire: Wire, view: View) -> None:
        self._wire, self._view = wire, view
        self.advance, self.abort, self.close = wire.advance, wire.abort, wire.close
        self.phase = wire.phase

    def exchange(self, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Expected]) -> dict[int, torch.Tensor]:
        received = self._wire.exchange(sends, receives)
        for peer, message in received.items():
            part = message.numpy().copy()
            (self._view.public if self.phase == "setup" else self._view.messages).append(part)
            self._view.shape.append((self.phase, peer, part.nbytes))
        return received


@contextmanager
def _openings(views: dict[str, View]) -> Iterator[None]:
    """Notes what is opened to each compute party, meanwhile."""
    original = rounds.open_masked

    def noted(session: Session, items: Any) -> list[torch.Tensor]:
        values = original(session, items)
        if session.holds_shares:
            pairs = zip(values, items, strict=True)
            views[session.name].opened += [value.to(_NARROW[item.width]).numpy() for value, item in pairs]
        return values

    rounds.open_masked = noted  # type: ignore[assignment]
    try:
        yield
    finally:
        rounds.open_masked = original  # type: ignore[assignment]


def weights_of(training: dict[str, Any], x: Array, y: Array) -> Array:
    """(d + 1,): what a run reveals to `west`, the intercept last."""
    roster, settings = roster_of(job_of(training)), settings_of(job_of(training))
    tables = split(x, y, roster, "horizontal")

    def program(session: Session) -> Array:
        table = tables.get(session.rank)
        facts = agree_on_facts(session, "horizontal", None if table is None else table.schema, TARGET)
        outcome = train(session, facts, settings, table)
        return np.append(outcome.coefficients, outcome.intercept)

    return np.asarray(run_threads(roster, program)[roster.names.index("west")])
