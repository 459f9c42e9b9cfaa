"""Speed of the ring on one core, beside what one would use instead.

    python scripts/bench_ring.py [results/ring.jsonl]

Prints a table and writes one JSON line a row: name, value, unit, peer (its name and value), ratio (value / peer),
cores, load, versions. Each row takes three seconds on one thread, both sides in turns, and keeps the best call of each.
`load` is the machine's load average after the row: above the 1 that is ours, others were using its cores and memory.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cryptography
import numba
import numpy as np
import torch

from mpcfl.ring.fixed import decode, encode
from mpcfl.ring.prg import Stream, fresh_key
from mpcfl.ring.product import gram, matmul, matmul_t

_SECONDS = 3.0
_SCALE = 20


def best(*functions: Callable[[], object]) -> list[float]:
    """Seconds of the fastest call of each, taken in turns, so that what else the machine does falls on all alike."""
    for function in functions:
        function()  # compiles, loads, touches the memory
    fastest = [float("inf")] * len(functions)
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        for k, function in enumerate(functions):
            start = time.perf_counter()
            function()
            fastest[k] = min(fastest[k], time.perf_counter() - start)
    return fastest


def rows() -> list[tuple[str, float, str, Callable[[], object], str, Callable[[], object]]]:
    """(name, work in units, unit, ours, peer's name, peer): `work` / seconds is what is reported."""
    square, tall = _uniform(1000, 1000), _uniform(100_000, 100)
    long, short, few, small = _uniform(100_000), _uniform(100), _uniform(100, 8), _uniform(100, 100)
    real = torch.randn(1000, 1000, dtype=torch.float64)
    ring, array = encode(real, _SCALE), real.numpy()
    words = torch.empty(100_000_000 // 8, dtype=torch.int64)
    stream, fresh = Stream(fresh_key()), iter(range(1 << 30))
    macs, bytes_, low, high = "1e9 multiply-adds/s", "GB/s", -(2**63), 2**63 - 1
    return [
        ("matmul 1000^3", 1.0, macs, lambda: matmul(square, square), "torch.matmul", lambda: square @ square),
        ("gram 1e5x100", 1.0, macs, lambda: gram(tall), "torch.matmul", lambda: tall.T @ tall),
        ("matmul_t 1e5x100", 1.0, macs, lambda: matmul_t(tall, tall), "torch.matmul", lambda: tall.T @ tall),
        ("matmul 1e5x100, 8 columns", 0.08, macs, lambda: matmul(tall, few), "torch.matmul", lambda: tall @ few),
        ("matvec 1e5x100", 0.01, macs, lambda: matmul(tall, short), "torch.matmul", lambda: tall @ short),
        ("matvec_t 1e5x100", 0.01, macs, lambda: matmul_t(tall, long), "torch.matmul", lambda: tall.T @ long),
        ("matvec 100x100", 1e-5, macs, lambda: matmul(small, short), "torch.matmul", lambda: small @ short),
        ("ChaCha20 100 MB, same memory", 0.1, bytes_, lambda: stream.operation(next(fresh)).fill(words),
         "torch.Tensor.random_", lambda: words.random_(low, high)),
        ("ChaCha20 100 MB, new memory", 0.1, bytes_, lambda: stream.operation(next(fresh)).elements(words.shape),
         "torch.randint", lambda: torch.randint(low, high, words.shape)),
        ("ChaCha20 800 bytes", 8e-7, bytes_, lambda: stream.operation(next(fresh)).elements(100),
         "torch.randint", lambda: torch.randint(low, high, (100,))),
        ("encode 1000x1000", 0.008, bytes_, lambda: encode(real, _SCALE),
         "numpy, unchecked", lambda: np.rint(array * 2.0**_SCALE).astype(np.int64)),
        ("decode 1000x1000", 0.008, bytes_, lambda: decode(ring, _SCALE),
         "numpy, unchecked", lambda: ring.numpy() / 2.0**_SCALE),
    ]  # fmt: skip


def _uniform(*shape: int) -> torch.Tensor:
    return Stream(fresh_key()).operation(0).elements(shape)


def main(path: Path) -> None:
    torch.set_num_threads(1)
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "cryptography": cryptography.__version__,
        "numpy": np.__version__,
        "cpu": _cpu_name(),
    }
    lines = []
    print(f"{'':30} {'mpcfl':>9} {'peer':>9} {'ratio':>7}")
    for name, work, unit, ours, peer_name, peer in rows():
        value, other = (work / seconds for seconds in best(ours, peer))
        print(f"{name:30} {value:9.3f} {other:9.3f} {value / other:7.2f}  {unit} (peer: {peer_name})")
        line = {
            "name": name,
            "value": round(value, 4),
            "unit": unit,
            "peer": {"name": peer_name, "value": round(other, 4)},
            "ratio": round(value / other, 3),
            "cores": 1,
            "load": round(os.getloadavg()[0], 1),
            "versions": versions,
        }
        lines.append(json.dumps(line))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    print(f"written: {path}")


def _cpu_name() -> str:
    """LLVM's name of the processor, e.g. sapphirerapids: it decides which instructions the kernels use."""
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "results" / "ring.jsonl")
