"""Rows of the figures that a script chooses, and the file that keeps them. The format is that of `measuring.rows`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from measuring.rows import Book, Row, Stamp, key
from measuring.table import line


def measured(makers: Mapping[str, Callable[[], list[Row]]], names: Sequence[str], seed: int) -> Iterator[Row]:
    """Rows of the chosen figures, with where and how they were made."""
    stamp = Stamp(seed=seed)
    for name in names:
        yield from stamp.each(makers[name])


def keep(path: Path, rows: Iterator[Row], replaced: set[str], order: Sequence[str]) -> list[Row]:
    """Print rows as they come and keep them in `path`; the `replaced` figures then have no others. `order`: of the
    figures in the file. All rows that the file then has."""
    book, made = Book(path, order), set()
    for row in rows:
        print(line(row), flush=True)
        book.keep(row)
        made.add(key(row))
    for figure in replaced:
        book.forget(figure, but=[case for of, case in made if of == figure])
    print(f"written: {path}")
    return book.rows
