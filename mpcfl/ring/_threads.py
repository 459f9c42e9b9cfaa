"""Work on the CPU shared out among threads: how many are worth it, and which stretch each takes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

WORK_PER_THREAD = 1 << 23  # multiply-adds, some 2 ms: less is not worth a thread's start

Span = tuple[int, int]
T = TypeVar("T")


def workers(multiply_adds: int) -> int:
    """How many threads are worth it, at most as many as torch may use."""
    if multiply_adds < 2 * WORK_PER_THREAD:
        return 1
    return min(torch.get_num_threads(), multiply_adds // WORK_PER_THREAD)


def spans(total: int, pieces: int) -> list[Span]:
    """0..total in at most `pieces` spans, cut at multiples of 4: the rows that a kernel takes at once."""
    size = max(4, -(-total // (4 * pieces)) * 4)
    return [(low, min(low + size, total)) for low in range(0, total, size)]


def run(function: Callable[[Span], T], parts: list[Span], threads: int) -> list[T]:
    """The results of `function` for each span, in order."""
    if threads == 1:
        return [function(span) for span in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, parts))
