"""Products on CUDA: the same bits as on the CPU, by whichever way the table says, and right where Triton is missing.

Without a device the same code runs on CPU tensors, its kernels interpreted.
"""

import gc
import importlib.util
import weakref

import pytest
import torch

from mpcfl.ring import _cuda, _digits, _kept, _triton, product
from mpcfl.ring._cuda import CHOICES, Choice, choice
from mpcfl.ring.product import gram, keep, matmul, matmul_pair, matmul_pair_t, matmul_t
from tests.ring.interpreted import kernel_devices
from tests.ring.test_product import uniform


@pytest.fixture
def as_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products of CPU tensors go the way of CUDA's, kernels interpreted."""
    from mpcfl.ring import _digits_triton

    if not torch.cuda.is_available():
        for module in (_cuda, _digits):
            monkeypatch.setattr(module, "why_not", lambda kind: None)
        monkeypatch.setattr(_digits, "_kernels", lambda kind: _digits_triton)


WAYS = ["by the table", "skinny", "digits", "tiles"]
SHAPES = [(1, 1, 1), (3, 5, 7), (40, 9, 3), (2, 70, 33), (20, 40, 30), (9, 7, 19)]
SHAPES += [(0, 3, 2), (3, 0, 2), (3, 2, 0), (0, 0, 0)]
CASES = [(*shape, way) for shape in SHAPES for way in WAYS if way != "skinny" or min(shape[0], shape[2]) <= 32]


@kernel_devices
@pytest.mark.parametrize(("n", "k", "m", "way"), CASES)
def test_products_are_those_of_the_cpu(
    n: int, k: int, m: int, way: str, device: str, as_on_cuda: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "by the table":
        monkeypatch.setattr(_cuda, "CHOICES", (Choice(way),))
    a, b, e, f, plus = uniform(n, k), uniform(k, m), uniform(n, k + 1)[:, 1:], uniform(m, k).t(), uniform(m, n).t()
    x, v, y, w, first = (operand.to(device) for operand in (a, b, e, f, plus))
    for mine, theirs in (
        (_cuda.matmul(x, v, first), matmul(a, b, plus)),
        (_cuda.matmul(x, v), matmul(a, b)),
        (_cuda.matmul_t(x.t(), w), matmul_t(a.t(), f)),
        (_cuda.matmul_t(x.t().contiguous(), w), matmul_t(a.t(), f)),
        (_cuda.pair(x, v, y, w, first), matmul_pair(a, b, e, f, plus)),
        (_cuda.pair_t(x.t(), v, y.t().contiguous(), w), matmul_pair_t(a.t(), b, e.t(), f)),
        (_cuda.pair_t(x.t().contiguous(), v, y.t().contiguous(), w, first), matmul_pair(a, b, e, f, plus)),
    ):
        assert mine.is_contiguous() and torch.equal(mine.cpu(), theirs)
    assert torch.equal(first.cpu(), plus)


@kernel_devices
@pytest.mark.parametrize(("n", "d"), [(1, 1), (40, 5), (40, 30), (0, 3)])
def test_gram_is_that_of_the_cpu(n: int, d: int, device: str, as_on_cuda: None) -> None:
    a = uniform(n, d)
    assert torch.equal(_cuda.gram(a.to(device)).cpu(), gram(a))


def test_without_triton_all_is_done_by_limbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU tensor is one for which Triton has no kernels."""
    a, b, plus = uniform(30, 20), uniform(20, 9), uniform(30, 9)
    assert torch.equal(_cuda.matmul(a, b, plus), matmul(a, b, plus))
    assert torch.equal(_cuda.pair_t(a.t(), b, a.t(), b, plus), matmul_pair(a, b, a, b, plus))
    assert torch.equal(_cuda.gram(a), gram(a))


def test_why_triton_does_not_run_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    why_not = _triton.why_not.__wrapped__
    assert why_not("mps") == "Triton has no kernels for mps devices"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert why_not("cuda") == "triton is not installed"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device")
@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_a_kernel_that_does_not_run_is_a_reason_and_no_error() -> None:
    assert "\n" not in str(_triton.why_not.__wrapped__("cuda")) and "does not run" in str(_triton.why_not("cuda"))


def test_the_table_has_a_way_for_every_shape() -> None:
    assert CHOICES[-1] == Choice(CHOICES[-1].way)
    assert choice(10**6, 100, 1) == choice(100, 10**6, 32) == choice(1, 5, 1000) == "skinny"
    assert choice(4096, 4096, 4096) == "digits"
    assert choice(100, 100, 100) == choice(40, 10**6, 40) == choice(32, 32, 32) == "tiles"


def test_cuda_has_what_a_backend_must_have() -> None:
    assert product._load("cuda") is _cuda


# -- digits that are kept ----------------------------------------------------------------------------------------------


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Everything goes by digits; how many digits were asked for at each split."""
    monkeypatch.setattr(_cuda, "why_not", lambda kind: None)
    monkeypatch.setattr(_cuda, "CHOICES", (Choice("digits"),))
    seen, split = [], _digits.digits_of

    def counted(a: torch.Tensor, *, left: bool, digits: int = 8) -> _digits.Digits:
        seen.append(digits)
        return split(a, left=left, digits=digits)

    monkeypatch.setattr(_digits, "digits_of", counted)
    return seen


def test_a_kept_matrix_is_split_once_for_each_way_of_using_it(splits: list[int]) -> None:
    a, b = uniform(20, 20), uniform(20, 3)
    _kept.keep(a)
    for _ in range(3):
        assert torch.equal(_cuda.matmul(a, b), matmul(a, b))
        assert torch.equal(_cuda.matmul_t(a, b), matmul_t(a, b))
        assert torch.equal(_cuda.matmul(b.t(), a), matmul(b.t(), a))
    assert len(splits) == 3 * 3 + 3  # b each time; a as itself, transposed, and on the right


def test_a_kept_matrix_that_changed_is_split_again(splits: list[int]) -> None:
    a, b = uniform(20, 20), uniform(20, 3)
    _kept.keep(a)
    _cuda.matmul(a, b)
    a[3, 4] += 1
    assert torch.equal(_cuda.matmul(a, b), matmul(a, b))
    a.copy_(uniform(20, 21)[:, 1:])
    assert torch.equal(_cuda.matmul(a, b), matmul(a, b))


def test_digits_go_with_their_matrix_and_no_other_one_finds_them(splits: list[int]) -> None:
    b = uniform(20, 3)
    for rows in range(5, 9):  # memory is used again, and so are addresses
        a = uniform(rows, 20)
        _kept.keep(a)
        assert torch.equal(_cuda.matmul(a, b), matmul(a, b))
        kept = weakref.ref(_kept.digits_of(a, _kept.LEFT, False))
        view = a[:5]
        assert torch.equal(_cuda.matmul(view, b), matmul(view, b))
        del a, view
        gc.collect()
        assert kept() is None


def test_a_matrix_known_to_be_short_is_multiplied_by_fewer_digits(splits: list[int]) -> None:
    a, short = uniform(20, 20), uniform(20, 3) >> 41
    _kept.keep(short, 3)
    assert torch.equal(_cuda.matmul(a, short), matmul(a, short))
    assert splits == [8, 3]
    long = uniform(20, 3)
    _kept.keep(long, 3)
    with pytest.raises(ValueError, match="more than 3 digits"):
        _cuda.matmul(a, long)


@pytest.mark.cuda
def test_keep_changes_no_product_on_cuda() -> None:
    a, b = uniform(700, 600), uniform(600, 900)
    there = keep(a.cuda())
    for _ in range(2):
        assert torch.equal(matmul(there, b.cuda()).cpu(), matmul(a, b))
