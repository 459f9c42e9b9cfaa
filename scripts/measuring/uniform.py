"""Whether bytes are uniform, for tests and for results."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy.stats import chisquare


def uniformity(tensors: Iterable[torch.Tensor]) -> float:
    """p of a chi-square test that the bytes are uniform; for more than a thousand bytes."""
    raw = b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)
    counts = np.bincount(np.frombuffer(raw, np.uint8), minlength=256)
    return float(chisquare(counts).pvalue)
