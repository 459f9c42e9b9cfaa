"""How much memory a party needs on its device: counted in a dry run, from the shapes that it meets.

Not to the byte, as rounds and messages are: what protocols make in passing is taken for a multiple of what is dealt to
them. tests/models/test_memory.py holds the estimate above what trainings have really held, and to at
most five times of it beside a fixed part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ELEMENT = 8  # bytes
_PASSING = 5  # times the tuples of a step: with what is computed of them, the message and its copy
_DIGITS = 2  # copies of a matrix in digits: for products from either side
_NARROW = 32  # columns that need no digits
_BASE = 64 << 20  # bytes that do not depend on the table: rotations of a histogram, workspaces of libraries


@dataclass(slots=True)
class Footprint:
    """Ring elements. inputs: shares of what the owners bring; pinned: of matrices that stay beside their openings;
    largest: tuples and openings of the step that takes the most; dealt: tuples of the longest message of a dealer, who
    makes those of a step one after the other; wide: pinned matrices are multiplied by so many
    columns at a time that a GPU keeps their digits."""

    inputs: int = 0
    pinned: int = 0
    largest: int = 0
    dealt: int = 0
    wide: bool = False
    _whole: int = 0  # of the step under way: tuples that are there at once
    _piece: int = 0  # and the longest of those that come piece by piece

    def deals(self, name: str, masks: Sequence[tuple[int, ...]], count: int, derived: int) -> None:
        """Tuples are dealt. Those without masks of their own come one after the other in long protocols."""
        if name == "pin":
            self.pinned += count
        if name == "pinned gram" or (name == "pinned product" and masks and _columns(masks[0]) > _NARROW):
            self.wide = True
        self.dealt = max(self.dealt, count + derived)
        if masks:
            self._whole += count + derived
        else:
            self._piece = max(self._piece, derived)

    def opens(self, count: int) -> None:
        """A message of `count` bytes to each other party, which ends a step."""
        self.largest = max(self.largest, self._whole + self._piece + count // ELEMENT)
        self._whole = self._piece = 0

    def bytes(self, *, computes: bool, on_gpu: bool = True) -> int:
        """At a compute party, or at the dealer, who has neither inputs nor openings but every mask."""
        largest = max(self.largest, self._whole + self._piece)
        if not computes:
            return _BASE + ELEMENT * (self.pinned + largest + (_PASSING - 1) * self.dealt)
        copies = 2 + (2 * _DIGITS if self.wide and on_gpu else 0)
        return _BASE + ELEMENT * (self.inputs + copies * self.pinned + _PASSING * largest)


def _columns(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) > 1 else 1
