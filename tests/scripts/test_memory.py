"""A party that computes needs less than three times the memory of its share of the rows, beyond its own table.

100 columns and 60,000 rows in the place of a million: so stretches are a sixteenth too, and arrays have pages of their
own as large ones have, which are given back as soon as they are not needed. Seen: 2.51, of which X and E are 2.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mpcfl
from mpcfl.protocols import pinned
from mpcfl.world.session import Session

SCRIPTS = Path(__file__).parents[2] / "scripts"
PARTIES = {"north": ["data", "compute"], "south": ["data", "compute"], "helper": ["dealer"]}
STATUS = Path("/proc/self/status")
ROWS, COLUMNS, STRETCH = 60_000, 100, 1 << 19
MOST = 3.0


def memory(what: str) -> int:
    """Bytes, by the kernel's account of this process."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(what + ":")]
    return int(line.split()[1]) * 1024


def trained(session: Session, rows: int, batch: int) -> int:
    """Trains three steps, or one epoch in batches. Bytes at the peak beyond those before, own table in memory."""
    rng = np.random.default_rng(session.rank)
    x, y = rng.normal(size=(rows // 2, COLUMNS)), (rng.random(rows // 2) > 0.5).astype(float)
    data = None if session.rank == 2 else mpcfl.Table.of({"x": x, "y": y})
    solver = mpcfl.Gradient(learning_rate=0.1, iterations=rows // batch if batch else 3, batch=batch)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    mpcfl.LogisticRegression(solver=solver).fit(session, data, target="y")
    return memory("VmHWM") - before


def needed(session: Session, gate: Callable[[], object], batch: int) -> float:
    """In units of this party's share of all rows."""
    pinned.STRETCH = STRETCH
    trained(session, 400, min(batch, 100))  # loads libraries and kernels
    gate()
    return trained(session, ROWS, batch) / (8 * ROWS * (COLUMNS + 1))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's account of memory is Linux's")
@pytest.mark.parametrize("batch", [0, 2_000])
def test_a_party_needs_less_than_three_times_its_share(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(1 << 18))
    monkeypatch.syspath_prepend(str(SCRIPTS))
    found = importlib.import_module("measuring.parties").run_parties(PARTIES, needed, batch)
    assert len(found) == 3 and 2.0 < min(found[:2]) and max(found) < MOST, found  # X and E are two
