"""A party's own key: what it seals its checkpoints with. It never leaves the party's disk, and no other party has it.

32 bytes from the operating system, in a file that nobody else may read, made at first use. Whoever has the key and the
checkpoints has this party's shares, so keep one of them where a backup or a stolen disk does not hold the other.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mpcfl.errors import SetupError
from mpcfl.ring.prg import KEY_BYTES, fresh_key

_OTHERS = 0o077


def own_key(path: Path) -> bytes:
    """The 32 bytes in the file at `path`, which is made if there is none (mode 0600, folders 0700).

    SetupError: others may read the file, it holds something else, or it cannot be read or made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _read(path)
        except FileNotFoundError:
            return _make(path)
    except OSError as error:
        raise SetupError(
            f"key file {path}: {error.strerror}", hint="give [checkpoint] keys a folder where this party may write"
        ) from None


def _read(path: Path) -> bytes:
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode  # of what was opened, whatever the name stands for by now
        if not stat.S_ISREG(mode) or mode & _OTHERS:
            raise SetupError(
                f"key file {path} can be read by others (mode {stat.S_IMODE(mode):04o})",
                hint=f"chmod 600 {path}; if somebody may have read it, remove it and the checkpoints instead",
            )
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        raise SetupError(
            f"key file {path} is no key: it does not hold {KEY_BYTES} bytes",
            hint="bring the right one back; without it remove the file and the checkpoints, which nothing can open",
        )
    return key


def _make(path: Path) -> bytes:
    key = fresh_key()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
