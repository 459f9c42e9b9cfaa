"""CrypTen's own training on a device: the peer of an iteration."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from measuring.gpu import solo
from measuring.gpu.clock import Clock
from measuring.gpu.peaks import Size
from measuring.peers.launch import Places, run

_FITS = [1, 2]  # iterations: the first loads and warms up
_LIMIT = 100.0  # seconds


def iteration(clock: Clock, size: Size) -> float:
    """Milliseconds of an iteration, both parties on the device, rank 0 dealing for itself: CrypTen's quickest way."""
    x, y = solo.problem(size.rows, size.columns)
    with tempfile.TemporaryDirectory(prefix="crypten-") as folder:
        table = Path(folder) / "table.npz"
        np.savez(table, x=x, y=y)
        spec = {"table": str(table), "rate": 0.1, "batch": 0, "provider": "TFP", "fits": _FITS, "waits_for": 2}
        spec |= {"device": str(clock.device)}
        outcome = run("crypten_party", 2, spec, Places(), python=sys.executable, limit=_LIMIT)
    return 1e3 * max(fits[-1]["seconds"] / fits[-1]["iterations"] for fits in outcome.fits)
