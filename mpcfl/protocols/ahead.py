"""Uses of a pinned matrix that are prepared together, ahead of the online path (PROTOCOLS.md, section 1).

E [b] + [C] depends on nothing that is opened later. For one column it costs as much as the product online; eight
columns cost two to four times one, and one message of the dealer, whose A @ b gets cheaper alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

_MOST = 8  # uses at a time: more columns gain little
_PART = 12  # of the matrix: no more is prepared of it at a time, beside _SPARE
_SPARE = 1 << 20  # elements that matter to nobody
LONGEST = 1 << 21  # elements of a message that the others wait for


@dataclass(slots=True)
class Ahead:
    """`left`: uses of each kind that are still to come, the next one included; whoever iterates says so. `rows`: of the
    whole matrix, for one batch of it, whose other batches are prepared too; 0: those of the matrix itself. `longest`:
    elements of a message, at most."""

    left: int = 1
    rows: int = 0
    longest: int = LONGEST
    _ready: dict[Hashable, list[Any]] = field(default_factory=dict, repr=False)  # shares

    def take(self, kind: Hashable, shape: tuple[int, int], columns: int, prepare: Callable[[int], list[Any]]) -> Any:
        """The next use of its `kind`, of so many columns, of a matrix of this shape; where there is none, prepare(m)
        gives the next m."""
        ready = self._ready.setdefault(kind, [])
        if not ready:
            ready += prepare(self._together(shape, columns))
        return ready.pop(0)

    def _together(self, shape: tuple[int, int], columns: int) -> int:
        rows, width = shape
        spared = _SPARE // (2 * max(self.rows, rows) * columns)
        fitting = min(max(width // (_PART * columns), spared), self.longest // max(rows * columns, 1))
        return max(1, min(_MOST, self.left, fitting))
