"""From [checkpoint] of a job to what the training program keeps its state with."""

from __future__ import annotations

import hashlib
import sys

from mpcfl.cli.job import Job
from mpcfl.errors import DataError
from mpcfl.sharing.checkpoints import agree_on_checkpoints
from mpcfl.sharing.keeper import Keeper
from mpcfl.version import VERSION
from mpcfl.world.session import Session


def keeper_of(session: Session, job: Job) -> Keeper:
    """The keeper that the job asks for, agreed with all parties; says on standard error where the run begins unless
    that is at the start. Errors are those of `agree_on_checkpoints`."""
    section = job.checkpoint
    if not section.every:
        return Keeper()
    keeper = agree_on_checkpoints(
        session,
        folder=job.resolve(section.folder),
        keys=job.resolve(section.keys),
        job=job.task(VERSION),
        every=section.every,
        resume=section.resume,
        table=_digest_of_table(session, job),
    )
    if keeper.note:
        print(f"mpcfl: {keeper.note}", file=sys.stderr)
    return keeper


def _digest_of_table(session: Session, job: Job) -> bytes:
    """SHA-256 of this party's own file, b"" if it has none. It stays here: others get a keyed tag of it."""
    name = job.party(session.name).data
    if name is None:
        return b""
    path = job.resolve(name)
    try:
        with session.phase("local"), open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", hint="see [parties] data") from None
