"""report.html: one page, nothing loaded from elsewhere, in the order in which one asks.

What came out? Who learned what? Who could have read what? What did it cost? How do I use it and do it again?
"""

from __future__ import annotations

from collections import Counter
from importlib import resources
from typing import Any

from mpcfl.report import classes, pictures, words
from mpcfl.report.coefficients import HEAD, rows
from mpcfl.report.markup import bullets, code, figure, paragraph, section, table, text, tile
from mpcfl.report.record import RunRecord
from mpcfl.report.units import count, duration, listed, number, size, small

# Nothing may load and no script may run, whatever a name in the tables says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(record: RunRecord) -> str:
    """The whole page, UTF-8 HTML."""
    style = resources.files("mpcfl.report").joinpath("page.css").read_text(encoding="utf-8")
    body = [_head(record), _model(record), _revealed(record), _threats(record), _costs(record), _again(record)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(record.name)} · mpcfl</title>\n<style>\n{style}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<footer>Written by {text(record.party)} with mpcfl {text(record.version)}. "
        "The same figures for machines: report.json, ledger.json, card.json.</footer>\n</body></html>\n"
    )


def _head(record: RunRecord) -> str:
    parties = list(record.roles or record.at("parties") or [record.party])
    error = record.at("error", "relative")
    sent = _sum(record.at("bytes_online")), _sum(record.at("bytes_offline"))
    seconds = record.at("seconds") or {}
    spent = [value for name, value in seconds.items() if name != "plaintext" and value is not None]
    together = sum(value for value in sent if value is not None) if any(v is not None for v in sent) else None
    plaintext = f"{duration(seconds['plaintext'])} in plaintext" if seconds.get("plaintext") is not None else ""
    metrics = record.at("metrics") or {}
    tiles = [
        tile("rows", count(record.at("rows")), "none of them was shown"),
        tile("parties", str(len(parties)), listed(parties) if len(parties) <= 5 else ""),
        tile("error against plaintext", small(error), "relative"),
        *(tile(words.METRICS.get(name, name), number(value), "on held-out rows") for name, value in metrics.items()),
        tile("rounds online", count(record.at("rounds_online")), "messages that wait for each other"),
        tile("sent by all parties", size(together), f"online {size(sent[0])}" if sent[0] is not None else ""),
        tile("time", duration(sum(spent)) if spent else "", plaintext),
    ]
    title = words.title(record)
    return (
        f"<header><p class=over>mpcfl run report</p><h1>{text(record.name)}</h1>"
        f"<p class=lead>{text(title[0].upper() + title[1:])}, trained under secure multi-party computation. "
        f"{text(words.partition(record))}</p>{paragraph(words.agreement(record), 'good')}"
        f"<dl class=tiles>{''.join(tiles)}</dl></header>"
    )


def _model(record: RunRecord) -> str:
    return section(
        "The model",
        paragraph(words.how_to_use(record)["formula"] + ", on the scale of the data as given."),
        table(HEAD, rows(record)) if record.classes is None else _classes(record),
        paragraph(words.selection(record)),
        figure(
            pictures.agreement(record),
            "Left: a point for each coefficient; on the dashed line both trainings agree. Right: the differences.",
        ),
        figure(
            pictures.loss(record),
            "The mean loss of the training rows, without penalty: all that was revealed of the weights on the way.",
        ),
        figure(
            pictures.convergence(record),
            "Plaintext training on the pooled tables: how far from the optimum after so many steps.",
        ),
    )


def _classes(record: RunRecord) -> str:
    """A line for each class, and all weights to unfold."""
    head, every = classes.weight_table(record)
    names = (0, len(classes.HEAD) - 1)
    return table(classes.HEAD, classes.class_rows(record), words=names) + (
        f"<details><summary>All weights</summary>{table(head, every)}</details>"
        if every
        else paragraph("The weights are too many for a page: they are in model.safetensors.")
    )


def _revealed(record: RunRecord) -> str:
    entries = Counter(
        (
            str(entry.get("what", "")),
            " × ".join(map(str, entry.get("shape", []))) or "one number",
            listed(map(str, entry.get("to", []))),
            str(entry.get("reason", "")),
        )
        for entry in record.ledger
    )
    lines = [(*entry, count(times)) for entry, times in entries.items()]
    if not lines:
        return section("What was revealed", paragraph("The ledger is empty: nothing left the shares."))
    return section(
        "What was revealed",
        paragraph(
            "The ledger of the run: all that left the shares. Besides, every party knows the column names, their types "
            "and the number of rows of each table; any other number that travelled was masked."
        ),
        table(("what", "shape", "to", "why", "times"), lines, words=(0, 1, 2, 3)),
    )


def _threats(record: RunRecord) -> str:
    note = "All tables were on one machine in this run: it shows the computation and its cost, not the separation."
    who = [(name, listed(roles)) for name, roles in record.roles.items()]
    return section(
        "Who could read what",
        bullets(words.threat_model(record)),
        paragraph(note, "muted") if words.simulated(record) else "",
        table(("party", "roles"), who, words=(0, 1)) if who else "",
    )


def _costs(record: RunRecord) -> str:
    sent = {name: record.at(name) or {} for name in ("bytes_offline", "bytes_online", "messages_online")}
    names = list(dict.fromkeys([*record.roles, *(name for by in sent.values() for name in by)]))
    by_party = [
        (
            name,
            *(count(by.get(name)) for by in sent.values()),  # to the byte: the plan can be held against it
        )
        for name in names
        if any(name in by for by in sent.values())
    ]
    if by_party:
        by_party.append(("all parties", *(count(_sum(by)) for by in sent.values())))
    seconds = record.at("seconds") or {}
    times = [(name, duration(value)) for name, value in seconds.items() if value is not None]
    rounds = record.at("rounds_online")
    each = record.at("rounds_per_iteration")
    waiting = f"{count(rounds)} rounds online" if rounds is not None else ""
    waiting += f", {small(each)} an iteration" if waiting and each is not None else ""
    return section(
        "What it cost",
        paragraph(f"{waiting}. A round is a message that must arrive before the next can be made." if waiting else ""),
        table(("sent by", "bytes offline", "bytes online", "messages online"), by_party, total=True)
        if by_party
        else "",
        figure(
            pictures.costs(record),
            "Offline: correlated randomness, which needs no data and can be made ahead. Online: with the data.",
        ),
        table(("time", "duration"), times) if times else "",
    )


def _again(record: RunRecord) -> str:
    use = words.how_to_use(record)
    versions = [(name, str(value)) for name, value in (record.at("versions") or {}).items()]
    machine = record.at("machine") or {}
    here = ", ".join(f"{key.replace('_', ' ')} {_short(value)}" for key, value in machine.items())
    digest = record.at("digest")
    return section(
        "Use it, and do it again",
        "<h3>Apply the model</h3>",
        code(use["command"]),
        code(use["python"]),
        "<h3>Train again</h3>",
        paragraph(
            "All parties put this text into job.toml, each owner with the path of its own table, and start the run as "
            "before; with all tables on one machine: mpcfl simulate job.toml --out NEW_FOLDER. The masks are new in "
            "each run, so the weights agree up to rounding, not to the last digit."
        ),
        f"<details open><summary>job.toml</summary>{code(words.job_text(record))}</details>",
        paragraph(f"Digest on which the parties agreed: {digest}", "muted") if digest else "",
        f"<details><summary>Versions and machine</summary>{table(('package', 'version'), versions, words=(0, 1))}"
        f"{paragraph(here, 'muted')}</details>"
        if versions or here
        else "",
    )


def _sum(by_party: Any) -> int | None:
    return sum(by_party.values()) if by_party else None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
