"""Products by digits and by limbs are those of the CPU, to the longest sums and the largest elements that there are."""

from collections.abc import Callable

import pytest
import torch

from mpcfl.ring import _digits, _limbs
from mpcfl.ring._digits import BALANCE, CHUNK, Layout, Plain, digits_of
from mpcfl.ring.product import matmul
from tests.ring.interpreted import kernel_devices
from tests.ring.test_product import EXTREMES, SHAPES, uniform

Way = Callable[..., torch.Tensor]


def by_digits(a: torch.Tensor, b: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    return _digits.matmul(digits_of(a, left=True), digits_of(b.t(), left=False), plus)


ways = pytest.mark.parametrize("way", [by_digits, _limbs.matmul], ids=["digits", "limbs"])


@ways
@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_products_are_exact_in_any_layout(n: int, k: int, m: int, way: Way) -> None:
    a, b, plus = uniform(n, k), uniform(k, m), uniform(m, n).t()
    assert torch.equal(way(a, b, plus), matmul(a, b, plus))
    assert torch.equal(way(a.t().contiguous().t(), b.repeat(1, 2)[:, :m]), matmul(a, b))


@ways
@pytest.mark.parametrize("k", [CHUNK - 1, CHUNK, CHUNK + 1, 32767, 32768])
def test_sums_are_exact_around_the_lengths_at_which_they_are_cut(k: int, way: Way) -> None:
    a, b = uniform(2, k), uniform(k, 3)
    assert torch.equal(way(a, b), matmul(a, b))


@pytest.mark.parametrize(
    ("way", "k"),
    [
        pytest.param(by_digits, 1 << 17, id="digits"),
        pytest.param(by_digits, 1 << 21, id="digits, 2^21", marks=pytest.mark.slow),
        pytest.param(_limbs.matmul, 1 << 21, id="limbs, 2^21"),
    ],
)
def test_sums_of_millions_of_terms_are_exact(way: Way, k: int) -> None:
    a, b = uniform(1, k), uniform(k, 1)
    assert torch.equal(way(a, b), matmul(a, b))


LOWEST_DIGITS = -BALANCE  # all eight digits are -128
HIGHEST_DIGITS = 0x7F7F7F7F7F7F7F7F  # all are 127
LOWEST_LIMBS = -_limbs._BALANCE


@ways
@pytest.mark.parametrize("k", [_limbs.CHUNK, CHUNK // 64 * 64, 32768])
@pytest.mark.parametrize(("x", "y"), [(LOWEST_DIGITS,) * 2, (LOWEST_DIGITS, HIGHEST_DIGITS), (LOWEST_LIMBS,) * 2])
def test_the_largest_digits_and_limbs_do_not_overflow(x: int, y: int, k: int, way: Way) -> None:
    found = way(torch.full((1, k), x), torch.full((k, 1), y)).item()
    assert found % 2**64 == k * x * y % 2**64


def test_the_lengths_are_the_longest_that_are_safe() -> None:
    """The longest sum of digits is of 8 products of 2^14 a term, that of limbs of 3 products of 2^42."""
    assert 8 * CHUNK * 2**14 < 2**31 <= 8 * (CHUNK + 1) * 2**14
    assert 3 * _limbs.CHUNK * 2**42 <= 2**53 < 3 * (_limbs.CHUNK + 1) * 2**42
    for k in (1, 64, 65, CHUNK, CHUNK + 1, 1 << 21):
        layout = Layout(3, k, 8, left=True)
        assert layout.length <= CHUNK and layout.length % 64 == 0 and k <= layout.chunks * layout.length


def test_digits_and_limbs_add_up_to_their_element() -> None:
    elements = torch.tensor([*EXTREMES, LOWEST_DIGITS, HIGHEST_DIGITS, LOWEST_LIMBS, *uniform(50).tolist()])[None]
    planes = digits_of(elements, left=True).planes[0, 0, :, : elements.shape[1]].long()
    assert torch.equal(sum(planes[i] << (8 * i) for i in range(8)), elements[0])
    assert planes.min() == -128 and planes.max() == 127
    limbs = _limbs.limbs(elements)[0, 0].long()
    assert torch.equal(sum(limbs[i] << (22 * i) for i in range(3)), elements[0])
    assert limbs.abs().max() == 2**21


@pytest.mark.parametrize(("digits", "products"), [(8, 36), (3, 21), (2, 15), (1, 8)])
def test_short_operands_take_fewer_products(digits: int, products: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a, short = uniform(3, 70), uniform(70, 5) >> (65 - 8 * digits)
    multiplied = []

    def counted(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        multiplied.append(x.shape[1] // 128)
        return int_mm(x, y, out=out)

    int_mm = torch._int_mm
    monkeypatch.setattr(torch, "_int_mm", counted)
    right = digits_of(short.t(), left=False, digits=digits)
    assert torch.equal(_digits.matmul(digits_of(a, left=True), right), matmul(a, short))
    assert sum(multiplied) == products
    left = digits_of(short.t(), left=True, digits=digits)
    assert torch.equal(_digits.matmul(left, digits_of(a, left=False)), matmul(short.t(), a.t()))
    assert torch.equal(_digits.matmul(left, right), matmul(short.t(), short))


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_what_is_longer_than_it_was_said_to_be_is_refused(digits: int) -> None:
    limit = 127 * (256**digits - 1) // 255
    digits_of(torch.tensor([[limit, -limit, 0]]), left=True, digits=digits)
    for beyond in (limit + 1, -limit - 2 - (256**digits - 1) // 255, 2**63 - 1):
        with pytest.raises(ValueError, match=f"more than {digits} digits"):
            digits_of(torch.tensor([[1, beyond]]), left=True, digits=digits)


def test_views_are_multiplied_and_no_copies() -> None:
    """A copy for each of the eight sums would take longer than the products."""
    found = digits_of(uniform(5, 130), left=True).planes
    for part in (found[0][:, 2:5], found[0][:, :1]):
        flat = part.flatten(1)
        assert flat.data_ptr() == part.data_ptr() and flat.stride(1) == 1


# -- in Triton ---------------------------------------------------------------------------------------------------------


@kernel_devices
@pytest.mark.parametrize(("rows", "k"), [(1, 1), (5, 130), (33, 64), (20, 300)])
@pytest.mark.parametrize(("left", "digits"), [(True, 8), (False, 8), (False, 3)])
def test_the_kernel_splits_as_the_definition_does(
    rows: int, k: int, left: bool, digits: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In up to three chunks."""
    from mpcfl.ring import _digits_triton

    monkeypatch.setattr(_digits, "CHUNK", 128)
    a = uniform(rows, k) if left else uniform(k, rows).t()
    found, wanted = (torch.full(Layout(rows, k, digits, left).shape, 77, dtype=torch.int8) for _ in range(2))
    there = found.to(device)
    _digits_triton.split(a.to(device), there, reverse=not left)
    Plain.split(a, wanted, reverse=not left)
    assert torch.equal(there.cpu(), wanted)


@kernel_devices
@pytest.mark.parametrize(("n", "m", "places"), [(1, 1, 8), (9, 130, 8), (32, 16, 5)])
def test_the_kernel_combines_as_the_definition_does(n: int, m: int, places: int, device: str) -> None:
    from mpcfl.ring import _digits_triton

    sums = uniform(places, n + 3, m + 5).to(torch.int32)
    out, wanted = uniform(n, m).to(device), uniform(n, m)
    _digits_triton.combine(sums.to(device), out)
    Plain.combine(sums, wanted)
    assert torch.equal(out.cpu(), wanted)
