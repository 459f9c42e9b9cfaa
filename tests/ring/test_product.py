"""Ring products equal those of Python's integers modulo 2^64, for every shape, layout and number of threads."""

import tracemalloc

import numpy as np
import pytest
import torch

from mpcfl.errors import SetupError
from mpcfl.ring import _compiled, _kernels, _threads, product
from mpcfl.ring.prg import Stream
from mpcfl.ring.product import bits_of, gram, keep, matmul, matmul_pair, matmul_pair_t, matmul_t

EXTREMES = [-(2**63), -(2**63) + 1, -(2**32), -1, 0, 1, 2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1]

SHAPES = [
    (1, 1, 1),
    (2, 3, 4),
    (3, 5, 7),
    (5, 4, 63),  # the last width that is done by dot products, and the first that is not
    (5, 4, 64),
    (9, 131, 67),  # deeper than a tile
    (3, 6, 515),  # wider than a tile
    (130, 7, 66),
    (7, 2050, 3),  # longer than a stretch of a dot product
    (1, 9, 80),
    (80, 9, 1),
    (0, 3, 2),
    (3, 0, 2),
    (3, 0, 70),
    (3, 2, 0),
    (0, 0, 0),
]


def uniform(*shape: int) -> torch.Tensor:
    """Full-range elements; the shape is the operation number, so that a failure can be repeated."""
    return Stream(b"tests of mpcfl ring products    ").operation(hash(shape) % 2**64).elements(shape)


def exact(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b in Python's integers, modulo 2^64, as two's complement."""
    n, m = a.shape[0], b.shape[1]
    rows, columns = a.tolist(), b.t().tolist() if b.numel() else [[]] * m
    wrapped = [[sum(x * y for x, y in zip(row, column, strict=True)) % 2**64 for column in columns] for row in rows]
    return torch.tensor([[x - (x >> 63 << 64) for x in row] for row in wrapped], dtype=torch.int64).reshape(n, m)


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"], autouse=True)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every product here is done alone and shared out, whatever its size."""
    if request.param > 1:
        monkeypatch.setattr(_threads, "WORK_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_matmul_is_exact_for_full_range_elements(n: int, k: int, m: int) -> None:
    a, b = uniform(n, k), uniform(k, m)
    assert torch.equal(matmul(a, b), exact(a, b))


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_matmul_t_is_exact_for_full_range_elements(n: int, k: int, m: int) -> None:
    a, b = uniform(k, n), uniform(k, m)
    assert torch.equal(matmul_t(a, b), exact(a.t(), b))


@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 5), (200, 17), (3, 70), (5, 600), (0, 3), (3, 0)])
def test_gram_is_exact_and_symmetric(n: int, d: int) -> None:
    a = uniform(n, d)
    product_ = gram(a)
    assert torch.equal(product_, product_.t())
    columns = slice(None) if d < 100 else slice(508, 520)  # Python's integers are slow: look where two tiles meet
    assert torch.equal(product_[:, columns], exact(a.t(), a[:, columns]))


@pytest.mark.parametrize(("n", "k"), [(1, 1), (6, 5), (131, 9), (9, 131), (0, 4), (4, 0)])
def test_vectors_give_vectors(n: int, k: int) -> None:
    a, right, left = uniform(n, k), uniform(k), uniform(n)
    assert torch.equal(matmul(a, right), exact(a, right[:, None])[:, 0])
    assert torch.equal(matmul_t(a, left), exact(a.t(), left[:, None])[:, 0])


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_a_sum_that_begins_with_something_is_the_sum(n: int, k: int, m: int) -> None:
    a, b, plus = uniform(n, k), uniform(k, m), uniform(m + 1, n).t()[:, 1:]
    kept = plus.clone()
    assert torch.equal(matmul(a, b, plus), exact(a, b) + plus)
    assert torch.equal(matmul_t(a.t().contiguous(), b, plus), exact(a, b) + plus)
    if m:
        assert torch.equal(matmul(a, b[:, 0], plus[:, 0]), exact(a, b[:, :1])[:, 0] + plus[:, 0])
    assert torch.equal(plus, kept)


@pytest.mark.parametrize(("n", "k", "m"), SHAPES)
def test_a_pair_of_products_is_their_sum(n: int, k: int, m: int) -> None:
    a, e, b, f, plus = uniform(n, k), uniform(n, k + 1)[:, 1:], uniform(k, m), uniform(k, m + 1)[:, 1:], uniform(n, m)
    both = exact(a, b) + exact(e, f)
    assert torch.equal(matmul_pair(a, b, e, f), both)
    assert torch.equal(matmul_pair_t(a.t(), b, e.t().contiguous(), f, plus), both + plus)
    if m:
        assert torch.equal(matmul_pair(a, b[:, 0], e, f[:, 0], plus[:, 0]), (both + plus)[:, 0])


def test_the_second_product_of_a_pair_has_the_shapes_of_the_first() -> None:
    a, b = uniform(4, 3), uniform(3, 2)
    with pytest.raises(ValueError, match=r"matmul_pair: \(3, 4\) and \(4, 2\)"):
        matmul_pair(a, b, uniform(3, 4), uniform(4, 2))
    assert matmul_pair(a, b, a.to("meta"), b).shape == (4, 2)


def test_a_matrix_that_is_kept_is_itself() -> None:
    a = uniform(3, 4)
    assert keep(a) is a and keep(a, bits=24) is a
    for bits in (0, 12, 72):
        with pytest.raises(ValueError, match="bits are not a multiple of 8"):
            keep(a, bits)
    with pytest.raises(TypeError, match="float64"):
        keep(a.double())


def test_the_bits_of_a_matrix_are_the_least_that_hold_its_elements() -> None:
    for digits in range(1, 8):
        most = 127 * (256**digits - 1) // 255
        for edge in (most, -most):
            assert bits_of(torch.tensor([[0, edge]])) == 8 * digits
            assert bits_of(torch.tensor([[edge + (1 if edge > 0 else -1), 0]])) == min(64, 8 * digits + 8)
    assert bits_of(torch.tensor([[-(2**63), 0]])) == bits_of(torch.tensor([[2**63 - 1]])) == 64
    assert bits_of(torch.zeros(2, 2, dtype=torch.int64)) == bits_of(torch.zeros(0, 2, dtype=torch.int64)) == 8


def test_numbers_at_the_extremes_are_exact() -> None:
    extremes = torch.tensor(EXTREMES, dtype=torch.int64)
    outer = matmul(extremes[:, None], extremes[None, :])
    assert torch.equal(outer, exact(extremes[:, None], extremes[None, :]))

    generator = np.random.default_rng(0)
    a = torch.from_numpy(generator.choice(EXTREMES, (40, 70)))
    b = torch.from_numpy(generator.choice(EXTREMES, (70, 66)))
    assert torch.equal(matmul(a, b), exact(a, b))
    assert torch.equal(matmul_t(b, a.t()), exact(b.t(), a.t()))
    assert torch.equal(gram(a), exact(a.t(), a))


def test_a_sum_wraps_as_often_as_it_must() -> None:
    ones = torch.ones(1, 4096, dtype=torch.int64)
    assert matmul(ones, ones.t() * 2**62).item() == 0
    assert matmul(ones[:, :4095], ones.t()[:4095] * 2**62).item() == -(2**62)
    assert matmul(ones[:, :3], torch.full((3,), 2**63 - 1)).item() == 2**63 - 3  # 3 (2^63 - 1) - 2^64


@pytest.mark.parametrize("few", [5, 90], ids=["few columns", "many columns"])
def test_any_layout_gives_the_same_product(few: int) -> None:
    a, b = uniform(12, 9), uniform(9, few)
    expected = exact(a, b)
    layouts = {
        "contiguous": lambda x: x.clone(),
        "transposed": lambda x: x.t().contiguous().t(),
        "every second row and column": lambda x: x.repeat_interleave(2, 0).repeat_interleave(2, 1)[::2, ::2],
        "a window": lambda x: torch.nn.functional.pad(x, (3, 2, 1, 4))[1:-4, 3:-2],
    }
    for of_a, lay_a in layouts.items():
        for of_b, lay_b in layouts.items():
            assert torch.equal(matmul(lay_a(a), lay_b(b)), expected), f"a {of_a}, b {of_b}"
            assert torch.equal(matmul_t(lay_a(a).t(), lay_b(b)), expected), f"a {of_a}, b {of_b}"
        assert torch.equal(gram(lay_a(a)), exact(a.t(), a)), f"a {of_a}"


def test_an_expanded_vector_and_a_column_of_a_matrix_are_operands_too() -> None:
    a, b = uniform(8, 6), uniform(6)
    alike = b.expand(5, 6)
    assert torch.equal(matmul(alike, a.t()), exact(alike, a.t()))
    assert torch.equal(matmul_t(alike, alike), exact(alike.t(), alike))
    assert torch.equal(gram(alike.t()), exact(alike, alike.t()))
    assert torch.equal(matmul(a.t(), a[:, 3]), exact(a.t(), a[:, 3:4])[:, 0])


def test_operands_are_left_alone_and_results_are_contiguous_and_their_own() -> None:
    a, b = uniform(70, 8), uniform(8, 70)
    kept_a, kept_b = a.clone(), b.clone()
    results = [matmul(a, b), matmul(b, a), matmul_t(b, b), matmul_t(b, b[:, :3]), gram(a), gram(b), matmul(a, b[:, 0])]
    assert all(result.is_contiguous() for result in results)
    for result in results:
        result.zero_()
    assert torch.equal(a, kept_a)
    assert torch.equal(b, kept_b)


def test_no_product_copies_a_matrix_for_being_transposed() -> None:
    a, vector = uniform(20_000, 50), uniform(20_000)
    for call in (lambda: matmul_t(a, vector), lambda: matmul(a.t(), vector), lambda: matmul_t(a, a), lambda: gram(a)):
        call()
        tracemalloc.start()
        call()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < a.nbytes / 4


def test_large_products_agree_with_python_where_one_looks() -> None:
    a, b = uniform(700, 300), uniform(300, 600)
    products = {
        "matmul": (matmul(a, b), a, b),
        "matmul_t": (matmul_t(b, a.t()), b.t(), a.t()),
        "gram": (gram(a), a.t(), a),
    }
    generator = np.random.default_rng(1)
    for name, (result, left, right) in products.items():
        for i, j in generator.integers(result.shape, size=(40, 2)).tolist():
            assert result[i, j] == exact(left[i : i + 1], right[:, j : j + 1]).item(), f"{name}[{i}, {j}]"


def test_products_distribute_over_shares() -> None:
    """(a0 + a1) @ b = a0 @ b + a1 @ b: what lets each party work on its own share."""
    a, mask, b = uniform(30, 20), uniform(30, 21)[:, :20], uniform(20, 4)
    assert torch.equal(matmul(a - mask, b) + matmul(mask, b), matmul(a, b))


def test_the_meta_device_gives_shapes_alone() -> None:
    def meta(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.int64, device="meta")

    results = {
        matmul(meta(5, 3), meta(3, 2)): (5, 2),
        matmul(meta(5, 3), meta(3)): (5,),
        matmul(meta(5, 3), uniform(3, 2)): (5, 2),
        matmul(uniform(5, 3), meta(3)): (5,),
        matmul_t(meta(5, 3), meta(5, 2)): (3, 2),
        matmul_t(uniform(5, 3), meta(5)): (3,),
        gram(meta(5, 3)): (3, 3),
        matmul(meta(5, 3), meta(3, 2), meta(5, 2)): (5, 2),
        matmul(uniform(5, 3), uniform(3), meta(5)): (5,),
    }
    for result, shape in results.items():
        assert result.is_meta
        assert result.dtype == torch.int64
        assert result.shape == shape


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    ("function", "a", "b"),
    [
        (matmul, (2, 3), (2, 3)),
        (matmul, (2, 3), (2,)),
        (matmul, (3,), (3, 2)),
        (matmul, (2, 3), (3, 2, 1)),
        (matmul, (2, 3), ()),
        (matmul, (1, 2, 3), (3, 2)),
        (matmul_t, (2, 3), (3, 2)),
        (matmul_t, (2, 3), (3,)),
        (matmul_t, (2,), (2, 3)),
    ],
)
def test_shapes_that_do_not_match_are_named(function, a: tuple[int, ...], b: tuple[int, ...], device: str) -> None:
    operands = [torch.zeros(shape, dtype=torch.int64, device=device) for shape in (a, b)]
    with pytest.raises(ValueError, match=function.__name__) as refused:
        function(*operands)
    assert str(a) in str(refused.value)
    assert str(b) in str(refused.value)


@pytest.mark.parametrize("shape", [(2,), (2, 1), (4, 2), (2, 4, 1)])
def test_what_a_sum_begins_with_has_the_shape_of_the_product(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="plus"):
        matmul(uniform(2, 3), uniform(3, 4), torch.zeros(shape, dtype=torch.int64))


def test_gram_of_a_vector_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gram: shape \(3,\)"):
        gram(uniform(3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int32, torch.bool])
def test_other_dtypes_are_refused(dtype: torch.dtype) -> None:
    other = torch.zeros(2, 2, dtype=dtype)
    for call in (lambda: matmul(uniform(2, 2), other), lambda: matmul_t(other, uniform(2, 2)), lambda: gram(other)):
        with pytest.raises(TypeError, match=str(dtype)):
            call()


def test_a_device_without_products_is_refused_with_a_hint() -> None:
    with pytest.raises(SetupError, match="ring products on mps are not built yet") as refused:
        product._load("mps")
    assert refused.value.hint is not None


def test_kernels_compile_where_nothing_can_be_kept_on_disk() -> None:
    namespace: dict = {}
    exec(compile("def double(x):\n    return x + x", "in no folder at all", "exec"), namespace)
    assert _compiled.compiled("uint64(uint64)")(namespace["double"])(np.uint64(2**63 + 1)) == 2


def test_kernels_refuse_signed_arrays_whose_overflow_would_be_undefined() -> None:
    signed = uniform(2, 2).numpy()
    with pytest.raises(TypeError, match="No matching definition"):
        _kernels.accumulate(signed, signed, signed, 0, 2, 0, 2, False)
    with pytest.raises(TypeError, match="No matching definition"):
        _kernels.dots(signed, signed, signed, 0, 2)
