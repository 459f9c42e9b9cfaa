"""exp of integers: right, and made of single IEEE operations, so that no device can give another last bit."""

import math
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
import torch

from mpcfl.ring.exp import LARGEST, exact, exp

SCALES = [0, 8, 20, 32]


def units(scale: int, count: int = 2000) -> torch.Tensor:
    """Over the whole range, its ends, 0, and what is next to the middle between two entries of the table."""
    most = LARGEST << scale
    spread = np.random.default_rng(scale).integers(-most, most, count, endpoint=True)
    between = [round((m + 0.5) * math.log(2) / 32 * 2.0**scale) for m in range(-1400, 1400, 7)]
    return torch.from_numpy(np.r_[spread, between, -most, most, 0, 1, -1])


@pytest.mark.parametrize("scale", SCALES)
def test_it_is_right_to_51_bits(scale: int) -> None:
    with localcontext() as context:
        context.prec = 45
        for x, value in zip(units(scale).tolist(), exp(units(scale), scale).tolist(), strict=True):
            assert abs(Decimal(value) / (Decimal(x) / 2**scale).exp() - 1) < Decimal(2) ** -51


@pytest.mark.parametrize("scale", SCALES)
def test_it_is_what_single_ieee_operations_give(scale: int) -> None:
    """Python computes one float64 operation at a time: no fused or reordered one would agree with it."""
    high, low = 0.693147180369123816490 / 32, 1.90821492927058770002e-10 / 32
    with localcontext() as context:
        context.prec = 40
        roots = [float(Decimal(2) ** (Decimal(j) / 32)) for j in range(32)]
    for x, value in zip(units(scale).tolist(), exp(units(scale), scale).tolist(), strict=True):
        m = (x * round(32 / math.log(2) * 2.0 ** (48 - scale)) + 2**47) >> 48
        rest = (x * 2.0**-scale - m * high) - m * low
        total = 1 / math.factorial(6)
        for k in reversed(range(6)):
            total = total * rest
            total = total + 1 / math.factorial(k)
        assert value == total * math.ldexp(roots[m % 32], m // 32)


def test_it_grows_from_one_unit_to_the_next() -> None:
    line = exp(torch.arange(-(1 << 14), 1 << 14), 20).tolist()
    assert all(low < high for low, high in pairwise(line))


def test_a_constant_is_the_nearest() -> None:
    assert exact(Decimal(0)) == 1.0 and exact(Decimal(1)) == math.e
    assert exact(Decimal("-0.5")) == 0.6065306597126334


def test_shapes() -> None:
    assert exp(torch.zeros(2, 0, 3, dtype=torch.int64), 4).shape == (2, 0, 3)
    assert exp(torch.tensor(0), 4).item() == 1.0


@pytest.mark.cuda
def test_the_bits_of_a_gpu_are_those_of_the_cpu() -> None:
    for scale in SCALES:
        assert torch.equal(exp(units(scale).cuda(), scale).cpu(), exp(units(scale), scale))
