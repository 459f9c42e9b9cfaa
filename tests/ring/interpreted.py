"""Where a test of Triton kernels runs: compiled on a CUDA device, or on the CPU in Triton's interpreter.

    from tests.ring.interpreted import kernel_devices      # before anything that imports triton

    @kernel_devices
    def test_something(device: str) -> None: ...           # "cuda", marked cuda; or "cpu", interpreted

Triton decides between the two when a kernel is defined, from the environment, and its own library is made of kernels:
so this module sets TRITON_INTERPRET before triton is imported, at collection, and only where there is no CUDA device.
mpcfl imports triton late, so that no other test module does so first; were one to, this module refuses to load.
With a device the interpreted half is left out: one process cannot have both.
"""

import importlib.util
import os
import sys

import pytest
import torch

CUDA = torch.cuda.is_available()
INSTALLED = importlib.util.find_spec("triton") is not None

if not CUDA:
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
        raise RuntimeError("triton was imported before tests.ring.interpreted: its kernels would not be interpreted")
    os.environ["TRITON_INTERPRET"] = "1"

needs_triton = pytest.mark.skipif(not INSTALLED, reason="triton is not installed: pip install 'mpcfl[dev]', on Linux")

_here = pytest.mark.skipif(CUDA, reason="kernels are compiled where there is a CUDA device")

kernel_devices = pytest.mark.parametrize(
    "device",
    [
        pytest.param("cpu", id="interpreted", marks=[needs_triton, _here]),
        pytest.param("cuda", marks=[needs_triton, pytest.mark.cuda]),
    ],
)
"""Runs a test once with device = "cpu", interpreted, or once with device = "cuda", compiled."""
