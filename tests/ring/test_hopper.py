"""Kernels compile for a GPU that is not here, compute in registers, read wide pieces, and fuse no operation."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.ring.interpreted import needs_triton


@needs_triton
def test_kernels_compile_to_what_they_were_written_for() -> None:
    command, root = [sys.executable, "-m", "tests.ring.hopper"], Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    kernels = [json.loads(line) for line in run.stdout.splitlines()]
    names = {"_elements", "_rows", "_columns", "_matmul", "_split", "_combine", "_tables", "_series"}
    names |= {"_truncated", "_turned", "_extended", "_read", "_settle"}
    assert {kernel["name"] for kernel in kernels} == names
    assert all(kernel["stack"] == 0 and 0 < kernel["registers"] <= 255 for kernel in kernels)
    narrow = {"_elements", "_matmul", "_split", "_read"}
    assert all(kernel["widest_load"] == 16 for kernel in kernels if kernel["name"] not in narrow)
    assert not any(kernel["inexact"] for kernel in kernels)
