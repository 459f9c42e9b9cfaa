"""The run folder: written as a whole or not at all, and a model that is never lost to a full disk.

`check_folder` asks before the run what can be asked, `write_run` comes at its end. Everything is made in memory, then
written and fsynced under a temporary name beside the folder, then renamed, so that a reader sees all files or none.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mpcfl.errors import GuardError, JobError, OutputError
from mpcfl.report.card import model_card
from mpcfl.report.html import page
from mpcfl.report.record import RunRecord
from mpcfl.report.units import json_text

MODEL_FILE = "model.safetensors"
FALLBACK_ENDING = ".model.json"


def check_folder(folder: str | Path) -> None:
    """JobError unless a run can be written to `folder`: new or empty, at a place where a folder can be made."""
    path = Path(os.path.realpath(folder))
    place = path
    try:
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise JobError(f"--out {folder}: {place} is a file", hint="name a folder that does not exist yet")
        if place == path and any(path.iterdir()):
            raise JobError(
                f"--out {folder}: is not empty, and a run never writes over another",
                hint="name a folder that does not exist yet, or remove this one",
            )
        os.rmdir(tempfile.mkdtemp(prefix=".mpcfl-", dir=place))  # the one sure way to know
    except OSError as error:
        raise JobError(
            f"--out {folder}: nothing can be written there: {_words(error)}",
            hint="name a folder where you may write, on a disk that is not full",
        ) from None


def write_run(folder: str | Path, record: RunRecord) -> list[Path]:
    """Write model, card, ledger, report and page to `folder`, which is new or empty; the paths, model first.

    If that fails, whatever the reason, the model goes to the first of the current directory, the home directory and
    the system's temporary directory that takes it, else to standard output as one line; OutputError says where.
    GuardError if a weight is not a finite number: no such model is ever written.
    """
    if not record.has_weights:
        raise GuardError("the weights are not finite numbers, so none is written", hint="please report this run")
    path = Path(os.path.realpath(folder))
    try:
        return _write(path, _contents(record))
    except Exception as error:  # a defect in the page must not cost the model either
        kept = keep_model(record)
        raise OutputError(
            f"--out {folder}: the run could not be written: {_words(error)}. The model is kept: {kept}",
            hint="`mpcfl predict` reads that file as it is; move it where it belongs",
        ) from error


def keep_model(record: RunRecord) -> str:
    """Save the model and its ledger outside the run folder, for `load_model`; where it is, in words."""
    document = {
        "mpcfl": record.version,
        "job": record.name,
        "model": record.kind,
        "target": record.target,
        "features": record.features,
        "coef": record.coef,
        "intercept": record.intercept,
        "ledger": record.ledger,
    }
    line = json_text(document, indent=None) + "\n"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    stem = f"mpcfl-{re.sub(r'[^A-Za-z0-9_-]+', '-', record.name)[:64]}-{stamp}"
    for directory in _directories():
        for again in ("", "-2", "-3", "-4", "-5"):  # several parties may be in need in the same second
            path = directory / f"{stem}{again}{FALLBACK_ENDING}"
            try:
                _write_file(path, line.encode(), mode=0o600)
            except FileExistsError:
                continue
            except OSError:
                break
            return str(path)
    for stream, name in ((sys.stdout, "standard output"), (sys.stderr, "standard error")):
        try:
            print(line, end="", file=stream, flush=True)
        except (OSError, ValueError):
            continue
        return f"no directory takes it, so it is the line of JSON on {name}; save it as NAME{FALLBACK_ENDING}"
    return "nowhere: neither a directory nor standard output takes it"


def _contents(record: RunRecord) -> dict[str, bytes]:
    from safetensors.numpy import save

    metadata = {
        "features": json_text(record.features, indent=None),
        "target": record.target,
        "mpcfl": record.version,
        "job": record.name,
        "model": record.kind,
    }
    tensors = {"coef": record.coef, "intercept": np.atleast_1d(record.intercept)}
    report = {"party": record.party, "mpcfl": record.version, **record.report, "job": record.job}
    return {
        MODEL_FILE: save(tensors, metadata),
        "card.json": _file(model_card(record)),
        "ledger.json": _file(record.ledger),
        "report.json": _file(report),
        "report.html": page(record).encode(),
    }


def _file(value: object) -> bytes:
    return (json_text(value) + "\n").encode()


def _write(folder: Path, contents: dict[str, bytes]) -> list[Path]:
    # A mounted folder cannot be renamed over, nor one in a parent that belongs to someone else: then the files are
    # made in a hidden folder inside it and moved up, the model last.
    inside = folder.is_dir() and (os.path.ismount(folder) or not os.access(folder.parent, os.W_OK))
    if inside and any(folder.iterdir()):
        raise FileExistsError(None, "is not empty any more")
    place = folder if inside else folder.parent
    place.mkdir(parents=True, exist_ok=True)
    made = place / f".{folder.name}-{secrets.token_hex(4)}.partial"
    made.mkdir()
    try:
        for name, content in contents.items():
            _write_file(made / name, content)
        _sync(made)
        if inside:
            for name in reversed(contents):
                os.rename(made / name, folder / name)
        else:
            os.rename(made, folder)
        _sync(place)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return [folder / name for name in contents]


def _write_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """A new file, on the disk when this returns; none if it fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _directories() -> Iterator[Path]:
    places: list[Callable[[], Path]] = [Path.cwd, Path.home, lambda: Path(tempfile.gettempdir())]
    for place in places:
        try:
            yield place()
        except (OSError, RuntimeError):  # deleted, without a home, no usable temporary directory
            continue


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"
