"""What a device can do at most, measured: the roofs under which the figures stand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from measuring.gpu.clock import Clock

_SPINS = 4096  # rounds of additions in the kernel that counts them
_ADDITIONS = 16  # of each round


def short(count: int) -> str:
    mantissa, exponent = f"{count:.0e}".split("e")
    whole = int(mantissa) * 10 ** int(exponent) == count and count >= 10_000
    return f"{mantissa}e{int(exponent)}" if whole else str(count)


@dataclass(frozen=True)
class Size:
    """How large: `square` sides of matrices, `rows` and `columns` of a table, `words` of a long vector."""

    square: int
    rows: int
    columns: int
    words: int
    iterations: int

    @property
    def table(self) -> str:
        return f"{short(self.rows)}x{self.columns}"


FULL = Size(square=4096, rows=1_000_000, columns=100, words=1 << 27, iterations=50)
SMALL = Size(square=64, rows=400, columns=5, words=1 << 12, iterations=4)


class Peaks:
    """Each is measured when it is first asked for; None where this kind of device has no such thing."""

    def __init__(self, clock: Clock, size: Size) -> None:
        self._clock, self._size = clock, size

    @cached_property
    def bandwidth(self) -> float:
        """Bytes a second, read and written, of a large copy."""
        words = torch.zeros(self._size.words, dtype=torch.int64, device=self._clock.device)
        there = torch.empty_like(words)
        return 16 * self._size.words / self._clock.time(lambda: there.copy_(words)).seconds

    @cached_property
    def int8(self) -> float:
        """Multiply-adds of 8-bit integers a second, on random ones."""
        from mpcfl.ring.prg import Stream, fresh_key

        side = 2 * self._size.square
        words = Stream(fresh_key(), self._clock.device).operation(0).elements(side * side // 8)
        a = words.view(torch.int8).reshape(side, side)
        return side**3 / self._clock.time(lambda: torch._int_mm(a, a.t())).seconds

    @cached_property
    def integer(self) -> float | None:
        """Additions of 32-bit integers a second, in registers."""
        if self._clock.device.type != "cuda":
            return None
        from measuring.gpu.spin_triton import spin

        out = torch.zeros(1 << 22, dtype=torch.int32, device=self._clock.device)
        taken = self._clock.time(lambda: spin(out, _SPINS, _ADDITIONS)).seconds
        return out.numel() * _SPINS * _ADDITIONS / taken

    def as_row(self) -> dict[str, float | None]:
        """In 1e12 a second; those that were asked for."""
        known = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {name: None if value is None else round(value / 1e12, 4) for name, value in known.items()}
