"""Compiles the Triton kernels of mpcfl for a GPU that need not be there, and says what the compiler made of each.

    python -m tests.ring.hopper

A line of JSON a kernel: name, registers, bytes of stack (spilled registers are there), bytes of its widest load, and
the operations that would change bits: fused ones, and those of 32-bit floats.

The functions that launch kernels run as they are, on CPU tensors; only the launch is left out. It has a process of its
own, since kernels are either interpreted or compiled in one.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

TARGET = ("cuda", 90, 32)  # H100 and H200
compiled: list[Any] = []


def compile_instead_of_launching() -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.runtime.jit import JITFunction

    class Nowhere:
        def get_current_target(self) -> Any:
            return GPUTarget(*TARGET)

        def get_current_device(self) -> int:
            return 0

        def get_current_stream(self, _device: int) -> int:
            return 0

    launch = JITFunction.run

    def run(self: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> Any:
        assert 0 < grid[0] < 2**31 and all(0 < size < 2**16 for size in grid[1:]), (
            f"{self} cannot be launched on {grid}"
        )
        kernel = launch(self, *args, grid=grid, warmup=True, **options)
        compiled.append(kernel)
        return kernel

    triton.runtime.driver.set_active(Nowhere())
    JITFunction.run = run


def facts(kernel: Any) -> dict[str, Any]:
    """What `ptxas` said, and the widest load from global memory in bytes."""
    said = _tool("cuobjdump", "-res-usage", kernel.asm["cubin"])
    registers, stack = (int(number) for number in re.findall(r"REG:(\d+) STACK:(\d+)", said)[0])
    loads = re.findall(r"ld\.global[\w.:]*?(?:\.v(\d))?\.[bsuf](\d+)", kernel.asm["ptx"])
    widest = max((int(many or 1) * int(bits) // 8 for many, bits in loads), default=0)
    inexact = sorted(set(re.findall(r"\b(?:fma|mad)\.\S*f(?:32|64)|\b\w+\.\S*f32\b", kernel.asm["ptx"])))
    inexact += sorted(set(re.findall(r"\b[DF]FMA\b|\bF(?:ADD|MUL)\b", _tool("nvdisasm", "-c", kernel.asm["cubin"]))))
    name = kernel.name
    return {"name": name, "registers": registers, "stack": stack, "widest_load": widest, "inexact": inexact}


def _tool(name: str, option: str, cubin: bytes) -> str:
    """What one of the tools that come with Triton says of a compiled kernel."""
    import triton

    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        path = Path(triton.__file__).parent / "backends/nvidia/bin" / name
        return subprocess.run([path, option, file.name], capture_output=True, text=True, check=True).stdout


def launches() -> None:
    from mpcfl.ring import (
        _chacha_triton,
        _cut_triton,
        _digits,
        _digits_triton,
        _opened_triton,
        _skinny_triton,
        _tiles_triton,
        _waves_triton,
    )
    from mpcfl.ring.cut import Cut, even
    from mpcfl.ring.waves import Coefficients

    def ring(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.int64)

    _chacha_triton.fill(bytes(32), bytes(12), 0, ring(100))
    for m in (1, 2, 4, 8):
        x, e = ring(1000, 100), ring(1000, 100)
        _skinny_triton.rows(x, ring(100, m))
        _skinny_triton.rows(x, ring(100, m), e, ring(100, m), ring(1000, m))
        _skinny_triton.columns(x, ring(1000, m))
        _skinny_triton.columns(x, ring(1000, m), e, ring(1000, m), ring(100, m))
    _tiles_triton.matmul(ring(100, 100), ring(100, 100))
    for a, left in ((ring(64, 128), True), (ring(128, 64).t(), False)):
        planes = torch.empty(_digits.Layout(*a.shape, 8, left).shape, dtype=torch.int8)
        _digits_triton.split(a, planes, reverse=not left)
    _digits_triton.combine(torch.empty(8, 64, 64, dtype=torch.int32), ring(64, 64))
    for public in (True, False):
        _opened_triton.truncated(ring(1024), ring(1024), ring(1024), 20, public)
        _opened_triton.turned(ring(1024), ring(2, 1024), 20, 32, 2, public)
        _opened_triton.extended(ring(1024), ring(1024), ring(1024), 32, public)
        for cut, k in ((Cut(10, (5, 5, 5)), 1), (Cut(0, even(63, 15)), 1), (Cut(0, even(63, 8)), 40)):
            _cut_triton.read(ring(1024), ring(k), [ring(*part) for part in cut.shapes((1024,))], cut, public)
        short, word, table = Cut(10, (5, 5, 5)), ring(1024, 1), ring(1024, 1, 8)
        _cut_triton.settle(word, table, short, public)
        _cut_triton.settle_product(word, table, table, ring(1024), ring(1024), short, public)
    _waves_triton.tables(ring(1024), 32, 20)
    _waves_triton.tables(ring(1024), 32, 20, torch.int32)
    words = torch.empty(2, 32, 1024, dtype=torch.int32)
    for series in (1, 3):
        coefficients = Coefficients(np.ones((series - 1, 32)), np.ones((1, 32)))
        _waves_triton.combine(ring(1024), ring(2, 32, 1024), coefficients)
        _waves_triton.combine(ring(1024), words, coefficients)


def corners() -> None:
    """Lengths that kernels are compiled apart for (1, multiples of 16), and those that make very many programs."""
    from mpcfl.ring import (
        _chacha_triton,
        _cut_triton,
        _digits,
        _digits_triton,
        _opened_triton,
        _skinny_triton,
        _tiles_triton,
        _waves_triton,
    )
    from mpcfl.ring.cut import Cut
    from mpcfl.ring.waves import Coefficients

    def ring(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.int64, device="meta")  # however large

    _chacha_triton.fill(bytes(32), bytes(12), 3, ring(1 << 33))
    for n, k, m in ((1, 1, 1), (33, 7, 3), (1 << 30, 3, 2), (2, 1 << 30, 1)):
        a, b = ring(n, k), ring(k, m)
        _skinny_triton.rows(a, b)
        _skinny_triton.rows(a, b, a, b, ring(n, m))
        if n < 1 << 20:
            _skinny_triton.columns(b, ring(k, m))
        _tiles_triton.matmul(a.as_strided((n, k), (1, n)), b)
    for rows, k in ((1, 1), (1 << 28, 3), (3, 1 << 28)):
        layout = _digits.Layout(rows, k, 8, True)
        _digits_triton.split(ring(rows, k), torch.empty(layout.shape, dtype=torch.int8, device="meta"), reverse=False)
    for n, m in ((1, 1), (1 << 28, 16), (16, 1 << 22)):
        _digits_triton.combine(torch.empty(8, n, m, dtype=torch.int32, device="meta"), ring(n, m))
    for n in (1, 17, 1 << 30):
        _opened_triton.truncated(ring(n), ring(n), ring(n), 1, True)
        _opened_triton.turned(ring(n), ring(4, n), 62, 64, 4, True)
        _opened_triton.extended(ring(n), ring(n), ring(n), 32, True)
        for k in (1, 3):
            cut, table = Cut(58, (2, 2)), ring(n, k, 4)
            _cut_triton.read(ring(n), ring(k), [ring(*part) for part in cut.shapes((n,))], cut, True)
            _cut_triton.settle_product(ring(n, k), table, ring(n, 1, 4), ring(n), ring(n), cut, True)
        _waves_triton.tables(ring(n), 3, 20)
        _waves_triton.combine(ring(n), ring(2, 1, n), Coefficients(np.ones((1, 1)), np.ones((1, 1))))


def main() -> None:
    compile_instead_of_launching()
    launches()
    for kernel in compiled:
        print(json.dumps(facts(kernel)))
    corners()


if __name__ == "__main__":
    main()
