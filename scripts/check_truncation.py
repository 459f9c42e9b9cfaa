"""A hundred million truncations against integers: how many are off by more than one unit? (There must be none.)

    python scripts/check_truncation.py [results/truncation.json]

Two compute parties and a dealer, threads of this process, run `mpcfl.protocols.truncation` on values of either sign
whose size is log-uniform up to 2^61.9, for several numbers of dropped bits t. Each result must be one of the two
neighbours of x / 2^t, and x / 2^t itself where that is an integer. Beside it, on the same values: what CrypTen 0.4.1
does with two parties, each dividing its own share by 2^t, which fails by 2^(64-t). Exit code 1 if one of ours is off.
About a minute.
"""

from __future__ import annotations

import json
import math
import queue
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from mpcfl.protocols.rounds import run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from mpcfl.world.wire import Expected

COUNT = 100_000_000
CHUNK = 500_000
BITS = (1, 8, 16, 20, 24, 30, 32, 40, 48, 60)
LARGEST = 61.9  # log2
SCALE = 61
WHO = Roster([Party.of("a", {"compute", "data"}), Party.of("b", {"compute"}), Party.of("dealer", {"dealer"})])


class ThreadWire:
    """A wire between threads; the short queues make a dealer wait that runs ahead."""

    phase = ""

    def __init__(self, rank: int, queues: dict[tuple[int, int], queue.Queue[torch.Tensor]]) -> None:
        self.rank, self.queues = rank, queues

    def exchange(self, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Expected]) -> dict[int, torch.Tensor]:
        for peer, tensor in sends.items():
            self.queues[self.rank, peer].put(tensor)
        return {peer: self.queues[peer, self.rank].get(timeout=60) for peer in receives}

    def advance(self) -> None: ...

    def abort(self, reason: str, culprit: int | None = None) -> None: ...

    def close(self) -> None: ...


def values(chunk: int) -> torch.Tensor:
    """The data of a chunk: log-uniform sizes, either sign, every 64th divisible by 2^t. (Data, so numpy draws them.)"""
    rng = np.random.default_rng(chunk)
    size = np.exp2(rng.random(CHUNK) * LARGEST).astype(np.int64)
    size = np.where(size >> 52, size ^ rng.integers(0, 1 << 10, CHUNK), size)  # the bits that float64 lacks
    x = torch.from_numpy(np.where(rng.integers(0, 2, CHUNK) == 1, size, -size))
    bits = BITS[chunk % len(BITS)]
    x[::64] = x[::64] >> bits << bits
    return x


def truncate(session: Session, chunks: int, results: queue.Queue[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """One party's program; a compute party hands its shares of each value and of its truncation to `results`."""
    session.agree(b"check_truncation")
    for chunk in range(chunks):
        data = values(chunk) if session.rank == 0 else None
        (x,) = share_inputs(session, [Input("x", 0, (CHUNK,), SCALE, 2.0 ** (LARGEST - SCALE), data)])
        result = run(session, truncation(x, BITS[chunk % len(BITS)]))
        if session.is_compute:
            results.put((x._ring, result._ring))


class Tally:
    """Errors in units of the last kept bit."""

    def __init__(self) -> None:
        self.count = self.off = 0
        self.worst = self.sum = self.variance = 0.0

    def add(self, result: torch.Tensor, x: torch.Tensor, bits: int) -> None:
        """`result` against x / 2^bits: rounded down plus 0 or 1, and plus 0 only where nothing is lost."""
        low = x & ((1 << bits) - 1)
        above = result - (x >> bits)
        right = (above == 0) | ((above == 1) & (low != 0))
        fraction = low.double() / 2.0**bits
        errors = above - fraction
        self.count += len(x)
        self.off += int((~right).sum())
        self.worst = max(self.worst, float(errors.abs().max()))
        self.sum += float(errors.sum())
        self.variance += float((fraction * (1 - fraction)).sum())  # of unbiased rounding


def failures_of_local_truncation(x: torch.Tensor, shares: list[torch.Tensor], bits: int) -> int:
    """How many wrap when each of two parties divides its share (CrypTen's `div_`)."""
    result = sum(share.div(1 << bits, rounding_mode="trunc") for share in shares)
    above = result - (x >> bits)
    return int(((above < -1) | (above > 2)).sum())  # what the roundings of two shares may do is no failure


def main() -> int:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "results/truncation.json")
    torch.set_num_threads(1)
    chunks = math.ceil(COUNT / CHUNK)
    queues = {(i, j): queue.Queue(maxsize=2) for i in range(3) for j in range(3)}
    results = [queue.Queue(maxsize=2) for _ in range(2)]
    sessions = [Session(WHO, rank, ThreadWire(rank, queues)) for rank in range(3)]
    threads = [
        threading.Thread(target=truncate, args=(session, chunks, results[session.rank % 2]), daemon=True)
        for session in sessions
    ]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    ours, theirs = Tally(), 0
    for chunk in range(chunks):
        bits = BITS[chunk % len(BITS)]
        (x0, y0), (x1, y1) = (result.get(timeout=60) for result in results)
        x = values(chunk)
        if not torch.equal(x0 + x1, x):
            raise RuntimeError("the shares are not those of the data")
        ours.add(y0 + y1, x, bits)
        theirs += failures_of_local_truncation(x, [x0, x1], bits)
    seconds = time.perf_counter() - start
    row = {
        "count": ours.count,
        "bits_dropped": list(BITS),
        "largest_log2": LARGEST,
        "off_by_more_than_one_unit": ours.off,
        "worst_error_units": ours.worst,
        "mean_error_units": ours.sum / ours.count,
        "mean_error_standard_deviation": math.sqrt(ours.variance) / ours.count,
        "crypten_local_failures": theirs,
        "seconds": round(seconds, 1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row, indent=2) + "\n")
    print(f"{ours.count:,} truncations of two parties, t in {BITS}, |x| up to 2^{LARGEST}, {seconds:.0f} s")
    print(
        f"  mpcfl          off by more than one unit: {ours.off:,}; worst error {ours.worst:.7f} units, "
        f"mean {row['mean_error_units']:+.1e} (unbiased: 0 +- {row['mean_error_standard_deviation']:.1e})"
    )
    print(f"  CrypTen local  fails by 2^(64-t): {theirs:,} ({theirs / ours.count:.2%})")
    return 1 if ours.off else 0


if __name__ == "__main__":
    sys.exit(main())
