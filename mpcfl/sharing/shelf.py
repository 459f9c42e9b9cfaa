"""One party's checkpoints of one job: a folder that one run at a time uses.

A file is bound to the job, the roster and this party: whatever else lies in the folder under such a name is refused,
and never taken for a checkpoint of this run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mpcfl.errors import CheckpointError, JobError, OutputError
from mpcfl.sharing.checkpoint import Checkpoint
from mpcfl.sharing.ledger_file import Entry, LedgerFile, OfRun
from mpcfl.sharing.sealed import PARTIAL, open_sealed, read_header, write_sealed

_ENDING = ".checkpoint"
_NAME = re.compile(r"(\d{6,})-\d{9,}" + re.escape(_ENDING))
_ELEMENT = np.dtype("<i8")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose checkpoints: party `name`, rank `rank` of `roster`, in the job with digest `job`."""

    name: str
    rank: int
    roster: tuple[str, ...]
    job: str

    def header(self) -> dict[str, Any]:
        return {"party": self.name, "rank": self.rank, "roster": list(self.roster), "job": self.job}

    @property
    def ledger(self) -> str:
        """Name of the file that says what was revealed in this job: those of other jobs lie beside it."""
        return f"ledger-{hashlib.sha256(json.dumps(self.header()).encode()).hexdigest()[:12]}.jsonl"


class Shelf:
    """The checkpoints of `owner` in `folder`, sealed with `key`. OutputError: nothing can be written there.
    JobError: another run is using it."""

    def __init__(self, folder: Path, key: bytes, owner: Owner) -> None:
        self.folder, self.owner, self._key = folder, owner, key
        self._ledger = LedgerFile(folder / owner.ledger)
        with self._writing(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
            _require_alone(self._lock, folder)
            for path in folder.glob(f"*{_ENDING}{PARTIAL}"):
                path.unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"Shelf({self.folder})"

    @property
    def newest_generation(self) -> int:
        """Of the files here, by their names; 0 if there is none."""
        return max((int(path.name.split("-")[0]) for path in self._paths()), default=0)

    def check(self) -> None:
        """CheckpointError, which names the file, unless all files here say that they are of this job and party."""
        for path in self._paths():
            self._check(path, read_header(path))

    def held(self) -> list[Checkpoint]:
        """The checkpoints here, each opened and checked; CheckpointError names the first file that is refused."""
        self.check()
        return [self._open(path)[0] for path in self._paths()]

    def read(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """This party's ring elements of the state, int64, by name."""
        found, content = self._open(self._path(checkpoint))
        if found != checkpoint:
            raise CheckpointError(f"checkpoint {self._path(checkpoint)} changed while this run began")
        flat, rings, start = np.frombuffer(content, dtype=_ELEMENT), {}, 0
        for name, shape, _, _ in checkpoint.shares:
            size = int(np.prod(shape, dtype=np.int64))
            rings[name] = torch.from_numpy(flat[start : start + size].astype(np.int64).reshape(shape))
            start += size
        return rings

    def write(self, checkpoint: Checkpoint, rings: Mapping[str, torch.Tensor]) -> None:
        """Keep the state: on the disk when this returns. OutputError if it cannot be written."""
        parts = [rings[name].cpu().numpy().astype(_ELEMENT).reshape(-1) for name, *_ in checkpoint.shares]
        header = {**self.owner.header(), "checkpoint": checkpoint.to_json()}
        path = self._path(checkpoint)
        with self._writing(path):
            write_sealed(path, self._key, header, np.concatenate(parts).tobytes())

    def keep_only(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Remove all files but those of `checkpoints`."""
        kept = {self._path(checkpoint) for checkpoint in checkpoints}
        with self._writing(self.folder):
            for path in self._paths():
                if path not in kept:
                    path.unlink()

    def note(self, generation: int, run: str, entry: Entry) -> None:
        """Keep that this is revealed: on the disk when this returns. OutputError if it cannot be written."""
        with self._writing(self._ledger.path):
            self._ledger.append(generation, run, entry)

    def noted(self) -> list[OfRun]:
        """What earlier runs of this job revealed."""
        with self._writing(self._ledger.path):
            try:
                return self._ledger.read()
            except ValueError:
                raise CheckpointError(
                    f"{self._ledger.path} is damaged",
                    hint="mend it, or put it aside: the ledger of this run then lacks what only this party had noted",
                ) from None

    def forget(self) -> None:
        """Remove what has been noted."""
        with self._writing(self._ledger.path):
            self._ledger.remove()

    def close(self) -> None:
        """Let another run use the folder; removes it if it is empty."""
        if self._lock >= 0:
            with suppress(OSError):
                self.folder.rmdir()
            os.close(self._lock)
            self._lock = -1

    def _paths(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))

    def _path(self, checkpoint: Checkpoint) -> Path:
        return self.folder / f"{checkpoint.generation:06d}-{checkpoint.step:09d}{_ENDING}"

    def _open(self, path: Path) -> tuple[Checkpoint, bytes]:
        header, content = open_sealed(path, self._key)
        self._check(path, header)
        checkpoint = Checkpoint.from_json(header["checkpoint"])
        if self._path(checkpoint) != path:
            raise CheckpointError(
                f"checkpoint {path} is that of iteration {checkpoint.step}, under the name of another",
                hint="give it back the name that it had, or remove it",
            )
        return checkpoint, content

    def _check(self, path: Path, header: Mapping[str, Any]) -> None:
        wanted = self.owner.header()
        if {name: header.get(name) for name in wanted} == wanted:
            return
        if header.get("party") != self.owner.name:
            fault = f"is of another party, not of {self.owner.name}"
        elif header.get("roster") != wanted["roster"] or header.get("rank") != self.owner.rank:
            fault = (
                f"is of a run with other parties than {', '.join(self.owner.roster)}, and only all of those can go on"
            )
        else:
            fault = "is of another job, or another version of mpcfl"
        raise CheckpointError(
            f"checkpoint {path} {fault}",
            hint="run the job that it is of, or name another [checkpoint] folder, or remove the file to start anew",
        )

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"checkpoint {path}: cannot be written: {error.strerror}",
                hint="make room, or name another [checkpoint] folder; the checkpoints written before are as they were",
            ) from None


def _require_alone(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JobError(
            f"[checkpoint] folder {folder} is in use by another run", hint="wait for it, or name another folder"
        ) from None
    except OSError:  # a file system that knows no locks
        pass
