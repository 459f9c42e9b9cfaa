"""What is made of opened elements: right against integers, and the same in Triton for every element."""

import pytest
import torch

from mpcfl.ring.blank import blank
from mpcfl.ring.opened import SCRAMBLE, Plain, extended, logical_shift, truncated, turned
from tests.ring.interpreted import kernel_devices
from tests.ring.test_product import EXTREMES, uniform

N = 1030  # a few more than a program's


@pytest.mark.parametrize("bits", [1, 16, 61])
def test_shares_of_a_truncation_add_up_to_the_value_or_one_less(bits: int) -> None:
    x = torch.tensor([*(value for value in EXTREMES if abs(value) < 2**62), *(uniform(200) >> 2).tolist()])
    rho, one, two = uniform(len(x)), uniform(len(x), 2)[:, 0], uniform(len(x), 3)[:, 0]
    c, wrap, high = x + 2**62 + rho, logical_shift(rho, 63), logical_shift(rho, bits)
    share = truncated(c, one, two, bits, public=True) + truncated(c, wrap - one, high - two, bits, public=False)
    assert set((share - (x >> bits)).tolist()) <= {0, 1}


@pytest.mark.parametrize("cases", [2, 4])
def test_shares_of_turns_add_up_to_a_multiple_of_a_public_number(cases: int) -> None:
    delta, shared, mask = uniform(300) & (2**32 - 1), uniform(cases, 300), uniform(cases, 300, 2)[..., 0]
    low, width = 20, 32
    parts = [
        turned(delta, part, low=low, width=width, cases=cases, public=public)
        for part, public in ((shared - mask, True), (mask, False))
    ]
    for word, column, share in zip(delta.tolist(), shared.t().tolist(), (parts[0] + parts[1]).tolist(), strict=True):
        wanted = column[word % 2**low * cases >> low]
        assert share % 2**64 == (word * SCRAMBLE | 1) * ((word >> low) - wanted) % 2**64


def test_shares_of_a_word_add_up_to_the_value_it_is_of() -> None:
    x = torch.tensor([-(2**30), -1, 0, 1, 2**30 - 1, *(uniform(200) >> 33).tolist()])
    q, one, two = uniform(len(x)) & (2**32 - 1), uniform(len(x), 2)[:, 0], uniform(len(x), 3)[:, 0]
    c = (x + 2**30 + q) & (2**32 - 1)
    share = extended(c, one, two, 32, public=True) + extended(c, (q >> 31) - one, q - two, 32, public=False)
    assert torch.equal(share, x)


def test_without_content_there_are_shapes_alone() -> None:
    assert truncated(blank((3, 2)), blank((3, 2)), blank((3, 2)), 5, public=True).shape == (3, 2)
    assert extended(blank((3, 2)), blank((3, 2)), blank((3, 2)), 32, public=True).shape == (3, 2)
    assert turned(blank((3,)), blank((2, 3)), low=5, width=32, cases=2, public=False).shape == (3,)


@kernel_devices
@pytest.mark.parametrize("public", [True, False])
@pytest.mark.parametrize("shape", [(), (0,), (5, 3), (N,)])
def test_the_kernels_do_what_the_definition_does(shape: tuple[int, ...], public: bool, device: str) -> None:
    from mpcfl.ring import _opened_triton

    c, wrap, high = (uniform(k, *shape)[0] for k in (1, 2, 3))
    for bits in (1, 20, 61):
        found = _opened_triton.truncated(*(part.to(device) for part in (c, wrap, high)), bits, public)
        assert torch.equal(found.cpu(), Plain.truncated(c, wrap, high, bits, public))
    for width in (16, 32):
        word = c & ((1 << width) - 1)
        found = _opened_triton.extended(*(part.to(device) for part in (word, wrap, high)), width, public)
        assert torch.equal(found.cpu(), Plain.extended(word, wrap, high, width, public))
    for cases, low, width in ((2, 20, 32), (4, 40, 64), (2, 31, 32)):
        delta, shared = (c & (2**32 - 1) if width == 32 else c), uniform(cases, *shape)
        found = _opened_triton.turned(delta.to(device), shared.to(device), low, width, cases, public)
        assert torch.equal(found.cpu(), Plain.turned(delta, shared, low, width, cases, public))
