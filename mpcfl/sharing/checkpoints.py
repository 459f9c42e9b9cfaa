"""Checkpoint and resume: every k iterations each compute party keeps its own shares of the solver's state.

*Nothing is lost but k iterations.* A checkpoint is on the disk before its party sends anything of the next iteration,
and nobody finishes an iteration without a message of everybody. So while one party lacks a checkpoint, nobody has
finished an iteration beyond it; and when a party writes the next one, all have the one before: it removes all others.

*No mask comes twice.* Keys are agreed on anew by every run (`Session.agree`), and nothing of them is ever kept; a run
that resumes shares its rows again and draws all correlated randomness afresh.

*What was revealed stays in the ledger.* Compute parties note each entry before its value leaves; that of a run which
finds such notes of killed runs begins with them, whether it resumes or starts anew.

*Shares of different runs do not add up.* A run that resumes makes the shares random anew by a sharing of zero, and
writes them at once: whoever had read one party's old checkpoint learns nothing more from another party's new one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mpcfl.errors import CheckpointError, PartyError
from mpcfl.ring.prg import derive, fresh_key
from mpcfl.sharing.checkpoint import Checkpoint, newest_common, who_holds_what
from mpcfl.sharing.keeper import Keeper, State
from mpcfl.sharing.ledger_file import Entry, OfRun, longest
from mpcfl.sharing.own_key import own_key
from mpcfl.sharing.reveal import zero_share
from mpcfl.sharing.share import Share
from mpcfl.sharing.shelf import Owner, Shelf
from mpcfl.world.session import Session

REQUIRED = "require"


class Agreed(NamedTuple):
    """What all parties know of this run's checkpoints once each has said what it holds."""

    run: str
    generation: int
    tables: tuple[str, ...]
    found: Checkpoint | None
    note: str
    revealed: list[Entry]


def agree_on_checkpoints(
    session: Session,
    *,
    folder: Path,
    keys: Path,
    job: str,
    every: int,
    resume: bool | str = True,
    table: bytes = b"",
) -> Checkpoints:
    """A keeper that writes every `every` iterations, and resumes from the newest checkpoint that all hold.

    This party's files are folder/NAME/... and keys/NAME.key. `job`: digest of what a checkpoint is of; `table`: digest
    of this party's own data, if it has any. `resume`: False starts anew, "require" refuses to. All parties say which
    iterations they hold, what killed runs revealed, and a tag that tells whether their table is the one of before; 4
    rounds of phase setup.

    CheckpointError: a file here is damaged, or of another job, party or roster; the parties' tables have changed; or
    none is common and one is required. SetupError, OutputError: see `own_key`, `Shelf`.
    """
    name, shelf, tag, held, noted = session.name, None, "", list[Checkpoint](), list[OfRun]()
    with session.phase("local"):
        if session.is_compute or table:
            key = own_key(keys / f"{name}.key")
            tag = hmac.digest(derive(key, "table"), table, "sha256").hex() if table else ""
        if session.is_compute:
            owner = Owner(name, session.rank, session.roster.names, job)
            shelf = Shelf(folder / name, derive(key, "checkpoint"), owner)
    try:
        if shelf is not None:
            shelf.check()
            held, noted = shelf.held() if resume else [], shelf.noted()
        agreed = _agree(session, held, noted, shelf.newest_generation if shelf else 0, tag, resume)
    except BaseException:
        if shelf is not None:
            shelf.close()
        raise
    return Checkpoints(session, shelf, every, agreed)


def _agree(
    session: Session,
    held: Sequence[Checkpoint],
    noted: Sequence[OfRun],
    generation: int,
    tag: str,
    resume: bool | str,
) -> Agreed:
    generation = max([generation, *(of_run.generation for of_run in noted)])
    own = {"random": fresh_key().hex(), "generation": generation, "table": tag, "held": [c.to_json() for c in held]}
    own["noted"] = noted
    texts = session.publish(json.dumps(own).encode())
    said: list[dict[str, Any]] = [json.loads(text) for text in texts]
    names = [session.roster.names[rank] for rank in session.roster.compute]
    everyone = [[Checkpoint.from_json(text) for text in said[rank]["held"]] for rank in session.roster.compute]
    found, note = newest_common(everyone), ""
    tables = tuple(str(entry["table"]) for entry in said)
    if found is not None:
        _check_tables(session, found.tables, tables)
        note = f"resuming after iteration {found.step}, from the checkpoints of an earlier run"
    lacking = f"no checkpoint of one run is held by all compute parties ({who_holds_what(names, everyone)})"
    if found is None and any(everyone):
        note = f"starting anew: {lacking}"
    if found is None and resume == REQUIRED:
        raise CheckpointError(
            lacking,
            hint="bring the missing files back, or say resume = true, which starts anew where it must",
        )
    run = hashlib.sha256(b"".join(texts)).hexdigest()[:32]
    revealed = longest([OfRun(*of_run) for of_run in said[rank]["noted"]] for rank in session.roster.compute)
    kept = json.loads(found.ledger) if found is not None else []  # sealed, and shorter, unless files were taken away
    revealed = max(revealed, kept, key=len)
    return Agreed(run, 1 + max(int(entry["generation"]) for entry in said), tables, found, note, revealed)


def _check_tables(session: Session, before: Sequence[str], now: Sequence[str]) -> None:
    for name, old, new in zip(session.roster.names, before, now, strict=True):
        if old != new:
            raise CheckpointError(
                f"the checkpoints were made with another table of {name}, or another key file",
                hint="bring those back, or say resume = false to start anew with the table as it is",
            )


class Checkpoints(Keeper):
    """Made by `agree_on_checkpoints`. `start`: iterations that are done already. `note`: what a person should know of
    how this run began, or "". Parties that hold no shares have one too, and keep nothing."""

    def __init__(self, session: Session, shelf: Shelf | None, every: int, agreed: Agreed) -> None:
        found = agreed.found
        bounds = {name: bound for name, _, _, bound in found.shares} if found else {}
        super().__init__(found.step if found else 0, bounds, found.stage if found else 0)
        self._session, self._shelf, self._every, self._agreed = session, shelf, every, agreed
        self._kept = self.start
        self._written: list[Checkpoint] = []
        self._serves = False
        self.note = agreed.note
        session.ledger[:0] = [{**entry, "earlier_run": True} for entry in agreed.revealed]
        if shelf is not None:
            session.on_reveal = partial(shelf.note, agreed.generation, agreed.run)

    def resume(self, state: State) -> tuple[int, dict[str, Share]]:
        """As `Keeper.resume`; the state's shares are random anew and on the disk again when this returns.

        ValueError for a second loop: its state would be taken for that of the first.
        """
        if self._serves:
            raise ValueError("a keeper serves one loop of a run; give the others a Keeper() that keeps nothing")
        self._serves = True
        found, session = self._agreed.found, self._session
        if found is None:
            return 0, dict(state)
        if [part[:3] for part in found.shares] != [part[:3] for part in self._checkpoint(0, state, 0).shares]:
            raise CheckpointError(
                "the checkpoints hold another state than this solver's",
                hint="resume with the version of mpcfl that wrote them, or say resume = false",
            )
        with session.phase("local"):
            rings = self._shelf.read(found) if self._shelf is not None else {}
        fresh = {}
        for name, shape, scale, bound in found.shares:  # in this order everywhere: each draws from the streams
            zero = zero_share(session, shape)
            ring = rings[name].to(zero.device) + zero if rings else zero
            fresh[name] = Share(session, ring, scale=scale, bound=bound)
        self._write(found.step, fresh, found.stage)
        return found.step, fresh

    def offer(self, step: int, state: State, stage: int = 0) -> None:
        """Keep the state if `step` is a multiple of `every`, or the first to be offered after one. OutputError if it
        cannot be written: going on would break the promise, and stopping costs less than what is kept."""
        if step // self._every > self._kept // self._every:
            self._kept = step
            self._write(step, state, stage)

    def settle(self, *, done: bool) -> None:
        """Remove the checkpoints once all parties are `done`; else, or if one cannot be asked any more, they stay."""
        try:
            answers = self._session.publish(b"done" if done else b"")
        except PartyError:
            return
        if self._shelf is not None and set(answers) == {b"done"}:
            self._shelf.keep_only([])
            self._shelf.forget()

    def close(self) -> None:
        self._session.on_reveal = None
        if self._shelf is not None:
            self._shelf.close()

    def _write(self, step: int, state: State, stage: int) -> None:
        if self._shelf is None:
            return
        checkpoint = self._checkpoint(step, state, stage)
        rings: dict[str, torch.Tensor] = {name: share._ring for name, share in state.items()}
        with self._session.phase("local"):
            self._shelf.write(checkpoint, rings)
            self._written = [*self._written, checkpoint][-2:]
            if len(self._written) == 2:
                self._shelf.keep_only(self._written)

    def _checkpoint(self, step: int, state: State, stage: int) -> Checkpoint:
        shares = tuple((name, share.shape, share.scale, share.bound) for name, share in sorted(state.items()))
        agreed, ledger = self._agreed, json.dumps(self._session.ledger)
        return Checkpoint(
            generation=agreed.generation,
            run=agreed.run,
            step=step,
            shares=shares,
            tables=agreed.tables,
            stage=stage,
            ledger=ledger,
        )
