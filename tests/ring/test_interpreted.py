"""A Triton kernel runs here, whatever the machine: what all tests of kernels stand on."""

import pytest
import torch

from tests.ring.interpreted import kernel_devices


@kernel_devices
def test_a_kernel_multiplies_modulo_2_to_the_64(device: str) -> None:
    triton = pytest.importorskip("triton")
    from tests.ring._multiply import multiply

    x = torch.tensor([3, -5, 2**62, -(2**63), 7], device=device)
    y = torch.tensor([4, 6, 5, -1, 2**63 - 1], device=device)
    out = torch.empty_like(x)
    multiply[(triton.cdiv(5, 4),)](x, y, out, 5, WIDTH=4)
    assert out.tolist() == [12, -30, 2**62, -(2**63), 2**63 - 7]
