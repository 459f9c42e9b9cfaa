"""Pieces of HTML. Every text goes through `text`, so that no name from a table or a job can become markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from mpcfl.report.units import visible


def text(value: Any) -> str:
    """Escaped, on one line, without control characters."""
    return html.escape(visible(value))


def paragraph(words: str | None, kind: str = "") -> str:
    """A paragraph of plain text; nothing if there is none."""
    return f"<p{f' class={kind!r}' if kind else ''}>{text(words)}</p>" if words else ""


def bullets(sentences: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{text(sentence)}</li>" for sentence in sentences) + "</ul>"


def code(lines: str) -> str:
    return "<pre>" + html.escape("\n".join(map(visible, lines.rstrip("\n").split("\n")))) + "</pre>"


def tile(name: str, value: str, note: str = "") -> str:
    """One figure of the headline; nothing if it is not known."""
    if not value:
        return ""
    return (
        f'<div class="tile"><dt>{text(name)}</dt><dd>{text(value)}</dd>'
        f"{f'<dd class=note>{text(note)}</dd>' if note else ''}</div>"
    )


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = (0,), total: bool = False
) -> str:
    """Columns whose position is in `words` are texts, the others numbers; columns without any entry are left out.

    `total`: the last row is a sum.
    """
    kept = [k for k in range(len(head)) if any(row[k] for row in rows)]

    def line(cells: Sequence[str], first: str, sum_row: bool = False) -> str:
        parts = []
        for k in kept:
            tag = first if k == kept[0] else "th" if first == "th scope=col" else "td"
            parts.append(f"<{tag}{'' if k in words else ' class=n'}>{text(cells[k])}</{tag.split()[0]}>")
        return f"<tr{' class=sum' if sum_row else ''}>{''.join(parts)}</tr>"

    body = [line(row, "th scope=row", total and row is rows[-1]) for row in rows]
    return (
        f"<div class=scroll tabindex=0><table><thead>{line(head, 'th scope=col')}</thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def figure(svg: str | None, caption: str) -> str:
    """A picture with its caption; nothing if there is no picture. `svg` is markup already."""
    return f"<figure>{svg}<figcaption>{text(caption)}</figcaption></figure>" if svg else ""


def section(title: str, *parts: str) -> str:
    """A section, unless all its parts are empty."""
    return f"<section><h2>{text(title)}</h2>{''.join(parts)}</section>" if any(parts) else ""
