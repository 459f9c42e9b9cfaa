"""The section [checkpoint] of a job file, in the form of `job_sections.py`."""

from dataclasses import dataclass

from mpcfl.cli.rules import choice, need


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """[checkpoint]: what a run that was cut off goes on from when all start it again. Not for the doubling solver,
    which is done in some fifty rounds."""

    every: int = 0
    """Iterations (with [select]: of cross-validation) between two checkpoints, and the most that a killed party can
    cost; 0: none are written. Where the range of the sigmoid is "auto", they are written at the next look at it. They
    are removed when all parties have the result."""
    resume: bool | str = True
    """true: go on from the newest checkpoint that all compute parties hold, start anew if there is none. "require":
    refuse to start anew. false: start anew."""
    folder: str = "checkpoints"
    """Where each party keeps its own shares, in a folder of its name, sealed with its key; for one job. A killed run
    leaves its ledger there, too (ledger-....jsonl): that of the next begins with it."""
    keys: str = "keys"
    """Where a party's key is, in the file NAME.key: made at first use, for nobody else's eyes, and best not on the disk
    that `folder` is on."""

    def __post_init__(self) -> None:
        need("[checkpoint] every", self.every >= 0, "must be at least 0 (0: none)")
        need("[checkpoint] folder", bool(self.folder), "must not be empty")
        need("[checkpoint] keys", bool(self.keys), "must not be empty")
        if isinstance(self.resume, str):
            choice("[checkpoint] resume", self.resume, ("require",))
