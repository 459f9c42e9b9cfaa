"""What a person sees at the end of a run, in 80 columns."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mpcfl.report import classes, words
from mpcfl.report.coefficients import HEAD, rows
from mpcfl.report.record import RunRecord
from mpcfl.report.units import count, duration, listed, shortened, size, visible, width

COLUMNS = 80
MOST_ROWS = 24
NAME_COLUMNS = 24


def summary(record: RunRecord, files: Sequence[Path] = (), *, bold: bool | None = None) -> str:
    """Coefficients, error, cost, who learned what, and where the `files` of `write_run` are. Ends with a line end.

    bold: emphasise with terminal codes; None: if standard output is a terminal and NO_COLOR is not set.
    """
    if bold is None:
        bold = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    title = f"{visible(record.name)}: {words.title(record)}"
    parts = [f"\033[1m{title}\033[0m" if bold else title, "", *_table(record), ""]
    lines = (
        words.selection(record),
        words.metrics(record),
        words.agreement(record),
        _resumed(record),
        _cost(record),
        _revealed(record),
    )
    parts += [line for line in lines if line]
    if files:
        folder = files[0].parent
        parts.append(f"written to {folder}: {listed(path.name for path in files)}")
    return "\n".join(wrapped for part in parts for wrapped in _wrap(part)) + "\n"


def _table(record: RunRecord) -> list[str]:
    """The first columns that fit in 80, in the order of the head. Of many classes a line each, not their weights."""
    head, table = (HEAD, rows(record)) if record.classes is None else (classes.HEAD, classes.class_rows(record))
    hidden = len(table) - MOST_ROWS
    shown = table if hidden <= 0 else [*table[: MOST_ROWS - 1], table[-1]]
    lines = [head, *((shortened(row[0], NAME_COLUMNS), *row[1:]) for row in shown)]
    kept = [k for k in range(len(head)) if any(row[k] for row in table)]
    sizes = {k: max(width(line[k]) for line in lines) for k in kept}
    while sum(sizes[k] + 2 for k in kept) - 2 > COLUMNS:
        kept.pop()
    texts = []
    for line in lines:
        first = line[0] + " " * (sizes[0] - width(line[0]))
        texts.append("  ".join([first, *(line[k].rjust(sizes[k]) for k in kept[1:])]))
    if hidden > 0:
        texts.insert(-1, f"... {count(hidden)} more in model.safetensors and report.html")
    if record.classes is not None:
        texts.append(f"all {count(record.coef.size)} weights: model.safetensors and report.html")
    return texts


def _resumed(record: RunRecord) -> str:
    done, whole = record.at("resumed_after"), record.at("iterations")
    return f"Resumed after iteration {done} of {whole}; the cost is that of the rest." if done else ""


def _cost(record: RunRecord) -> str:
    rounds, online, offline = (record.at(name) for name in ("rounds_online", "bytes_online", "bytes_offline"))
    seconds = record.at("seconds") or {}
    spent = [value for name, value in seconds.items() if name != "plaintext" and value is not None]
    parts = [
        f"{count(rounds)} rounds" if rounds is not None else "",
        f"{size(sum(online.values()))} online" if online else "",
        f"{size(sum(offline.values()))} offline" if offline else "",
        duration(sum(spent)) if spent else "",
        f"plaintext {duration(seconds['plaintext'])}" if seconds.get("plaintext") is not None else "",
    ]
    line = ", ".join(part for part in parts if part)
    return f"Cost: {line}." if line else ""


def _revealed(record: RunRecord) -> str:
    names = list(dict.fromkeys(visible(entry.get("what")) for entry in record.ledger))
    receivers = list(dict.fromkeys(visible(name) for entry in record.ledger for name in entry.get("to", [])))
    return f"Revealed: {listed(names)}, to {listed(receivers)}." if names else ""


def _wrap(line: str) -> list[str]:
    """Break at blanks; a word that is longer than a line (a path) keeps its own."""
    if width(line) <= COLUMNS or line.startswith("\033"):
        return [line]
    lines = [""]
    for word in line.split(" "):
        if lines[-1] and width(lines[-1]) + 1 + width(word) > COLUMNS:
            lines.append("  " + word)
        else:
            lines[-1] += f" {word}" if lines[-1] else word
    return lines
