"""Comparisons on the CPU: which threads take which values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from mpcfl.ring import _cut_kernels
from mpcfl.ring._threads import run, spans, workers
from mpcfl.ring.cut import Cut

_WORK = 4  # of an entry that is looked up, in multiply-adds of a ring product
_NONE = np.empty((0, 0), np.int16)


def read(c: torch.Tensor, lower: torch.Tensor, shared: Sequence[torch.Tensor], cut: Cut, public: bool) -> torch.Tensor:
    """See `cut.py`."""
    words, thresholds, n, k = _flat(c), _flat(lower), c.numel(), len(lower)
    tables = [_flat(table).reshape(n, table.shape[-1]) for table in shared]
    long = tables[0].view(np.int16) if cut.long else _NONE
    out = np.empty((n, k), np.uint64)
    threads = workers(_WORK * n * k * len(cut.digits))
    run(
        lambda span: _cut_kernels.read(
            words, thresholds, long, tables[-1].view(np.int8), _digits(cut), cut.long, cut.end, public, out, *span
        ),
        spans(n, threads),
        threads,
    )
    return torch.from_numpy(out.view(np.int64)).reshape(*c.shape, k)


def settle(word: torch.Tensor, shared: torch.Tensor, cut: Cut, public: bool) -> torch.Tensor:
    """See `cut.py`."""
    words, tables, n = _flat(word), _flat(shared).reshape(-1, cut.half), word.numel()
    out, top, threads = np.empty(n, np.uint64), len(cut.digits), workers(_WORK * n)
    run(lambda span: _cut_kernels.settle(words, tables, top, public, out, *span), spans(n, threads), threads)
    return torch.from_numpy(out.view(np.int64)).reshape(word.shape)


def settle_product(
    word: torch.Tensor,
    shared: torch.Tensor,
    times: torch.Tensor,
    opened: torch.Tensor,
    factor: torch.Tensor,
    cut: Cut,
    public: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `cut.py`."""
    n, k, count, top = opened.numel(), word.shape[-1], times.shape[-2], len(cut.digits)
    words, whole, part = _flat(word).reshape(n, k), _flat(opened), _flat(factor)
    tables, products = _flat(shared).reshape(n, k, cut.half), _flat(times).reshape(n, count, cut.half)
    bits, found = np.empty((n, k), np.uint64), np.empty((n, count), np.uint64)
    threads = workers(_WORK * n * (k + count))
    run(
        lambda span: _cut_kernels.settle_product(words, tables, products, whole, part, top, public, bits, found, *span),
        spans(n, threads),
        threads,
    )
    one, other = (torch.from_numpy(out.view(np.int64)) for out in (bits, found))
    return one.reshape(word.shape), other.reshape(times.shape[:-1])


@cache
def _digits(cut: Cut) -> np.ndarray:
    """(count, 3): place in a word, mask, and first entry in its table of each digit."""
    rows, position = [], cut.drop
    for digits, _, _ in cut.parts():
        start = 0
        for bits in digits:
            rows.append((position, (1 << bits) - 1, start))
            position, start = position + bits, start + (1 << bits)
    return np.array(rows, np.uint64)


def _flat(ring: torch.Tensor) -> np.ndarray:
    """The same memory, if it is contiguous, as unsigned words: see `_kernels.py` for why."""
    return ring.reshape(-1).contiguous().numpy().view(np.uint64)
