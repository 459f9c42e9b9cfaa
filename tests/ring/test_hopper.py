"""Kernels compile for a GPU that is not here, keep what they compute with in registers, and read 16 bytes at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.ring.interpreted import needs_triton


@needs_triton
def test_kernels_compile_without_spilling_and_read_matrices_in_wide_pieces() -> None:
    command, root = [sys.executable, "-m", "tests.ring.hopper"], Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    kernels = [json.loads(line) for line in run.stdout.splitlines()]
    assert {kernel["name"] for kernel in kernels} >= {"_elements", "_rows", "_columns", "_matmul", "_split", "_combine"}
    assert all(kernel["stack"] == 0 and 0 < kernel["registers"] <= 255 for kernel in kernels)
    wide = [kernel for kernel in kernels if kernel["name"] in ("_rows", "_columns", "_combine")]
    assert all(kernel["widest_load"] == 16 for kernel in wide)
