"""What can go wrong, said so that the reader knows what to do next.

Every error that a user can cause or meet derives from `MpcflError`. Its message names the subject (file, row,
column, setting, party) and its `hint` says what to do. The class decides the exit code of the command line.
No message ever carries a share, a mask, a key, or another party's data.

| exit code | class            | meaning                                                        |
|-----------|------------------|----------------------------------------------------------------|
| 0         |                  | done                                                           |
| 1         | (any other)      | a defect of mpcfl: please report it                            |
| 2         | `JobError`       | the job file or the command line asks for something impossible |
| 3         | `DataError`      | a table was refused                                            |
| 4         | `SetupError`     | the environment lacks something                                |
| 5         | `PartyError`     | a party is late, gone, stalled, or stopped with an error       |
| 6         | `AgreementError` | the parties do not run the same job, version or schema         |
| 7         | `HeadroomError`  | a value might not fit the ring: refused before it is shared    |
| 8         | `GuardError`     | the computation noticed that its result would be wrong         |
| 9         | `OutputError`    | the result could not be written where it was asked for         |
| 10        | `CheckpointError`| a run cannot be resumed from the checkpoints that are there    |
"""


class MpcflError(Exception):
    """Base of all expected errors. `hint` is one sentence that says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  hint: {self.hint}" if self.hint else message


class JobError(MpcflError):
    """The job file, a setting or an argument asks for something impossible."""

    exit_code = 2


class DataError(MpcflError):
    """A table was refused; the message names file, row and column."""

    exit_code = 3


class SetupError(MpcflError):
    """The environment lacks something; the hint is what to type."""

    exit_code = 4


class PartyError(MpcflError):
    """A party is late, gone, stalled, or stopped with an error of its own; `party` is its name."""

    exit_code = 5

    def __init__(self, message: str, *, party: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.party = party


class AgreementError(MpcflError):
    """The parties do not run the same job, version or schema; nothing was shared."""

    exit_code = 6


class HeadroomError(MpcflError):
    """A value might not fit the ring; the message names it and the bits that are missing."""

    exit_code = 7


class GuardError(MpcflError):
    """The computation noticed that its result would be wrong and gave none."""

    exit_code = 8


class OutputError(MpcflError):
    """A result could not be written; the message says where it was kept instead."""

    exit_code = 9


class CheckpointError(MpcflError):
    """A checkpoint is damaged, of another job, or not held by all; the message names the file or the party."""

    exit_code = 10
