"""Waves on the CPU: which threads take which angles."""

from __future__ import annotations

import numpy as np
import torch

from mpcfl.ring import _wave_kernels
from mpcfl.ring._threads import run, spans, workers
from mpcfl.ring._waves_torch import COSINE, SINE, UNIT
from mpcfl.ring.waves import SCRAMBLE, Coefficients

_CONSTANTS = (SINE, COSINE, UNIT, np.uint64(SCRAMBLE))
_UNSIGNED = {torch.int64: np.uint64, torch.int32: np.uint32}
_WORK = 4  # of an angle and a term, in multiply-adds of a ring product


def tables(angles: torch.Tensor, terms: int, scale: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """See `waves.py`."""
    words, n = _words(angles), len(angles)
    out = np.empty((2, terms, n), _UNSIGNED[dtype])
    threads = workers(_WORK * terms * n)
    run(lambda span: _wave_kernels.tables(words, *_CONSTANTS, 2.0**scale, out, *span), spans(n, threads), threads)
    return torch.from_numpy(out).view(dtype)


def combine(angles: torch.Tensor, tables: torch.Tensor, coefficients: Coefficients) -> torch.Tensor:
    """See `waves.py`."""
    words, shares, n = _words(angles), _words(tables), len(angles)
    out = np.empty((len(coefficients), n), shares.dtype)
    threads = workers(_WORK * len(coefficients) * coefficients.terms * n)
    run(
        lambda span: _wave_kernels.combine(
            words, *_CONSTANTS, shares, coefficients.sines, coefficients.cosines, out, *span
        ),
        spans(n, threads),
        threads,
    )
    return torch.from_numpy(out).view(tables.dtype)


def _words(ring: torch.Tensor) -> np.ndarray:
    """The same memory as unsigned words: see `_kernels.py` for why."""
    return ring.numpy().view(_UNSIGNED[ring.dtype])
