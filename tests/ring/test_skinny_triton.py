"""Products of few columns and of small matrices in Triton are those of the CPU."""

import pytest
import torch

from mpcfl.ring.product import matmul, matmul_pair, matmul_pair_t, matmul_t
from tests.ring.interpreted import kernel_devices
from tests.ring.test_product import EXTREMES, exact, uniform


def on(device: str, *operands: torch.Tensor) -> list[torch.Tensor]:
    """There, and strided as here."""
    return [torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=device).copy_(x) for x in operands]


@kernel_devices
@pytest.mark.parametrize("m", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (129, 16), (40, 33)])
def test_rows_times_few_columns(n: int, d: int, m: int, device: str) -> None:
    """129 rows are one more than those of whole programs; 33 columns one more than a warp reads, and odd."""
    from mpcfl.ring import _skinny_triton

    x, e, v, w, plus = uniform(n, d), uniform(n, d + 2)[:, 1:-1], uniform(d, m), uniform(m, d).t(), uniform(m, n).t()
    of_x, of_e, of_v, of_w, first = on(device, x, e, v, w, plus)
    assert torch.equal(_skinny_triton.rows(of_x, of_v).cpu(), matmul(x, v))
    assert torch.equal(_skinny_triton.rows(of_x, of_v, of_e, of_w, first).cpu(), matmul_pair(x, v, e, w, plus))


@kernel_devices
@pytest.mark.parametrize("m", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (129, 16), (70, 33)])
def test_transposed_rows_times_few_columns(n: int, d: int, m: int, device: str) -> None:
    from mpcfl.ring import _skinny_triton

    x, e, v, w, plus = uniform(n, d), uniform(n, d + 2)[:, 1:-1], uniform(n, m), uniform(m, n).t(), uniform(m, d).t()
    of_x, of_e, of_v, of_w, first = on(device, x, e, v, w, plus)
    assert torch.equal(_skinny_triton.columns(of_x, of_v).cpu(), matmul_t(x, v))
    assert torch.equal(_skinny_triton.columns(of_x, of_v, of_e, of_w, first).cpu(), matmul_pair_t(x, v, e, w, plus))
    assert torch.equal(first.cpu(), plus)


@kernel_devices
def test_programs_that_share_a_sum_add_up(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpcfl.ring import _skinny_triton, _tiles_triton

    monkeypatch.setattr(_skinny_triton, "_PROGRAMS", 9)
    monkeypatch.setattr(_tiles_triton, "_LEAST", 16)
    x, v = uniform(1200, 20), uniform(1200, 2)
    assert torch.equal(_skinny_triton.columns(*on(device, x, v)).cpu(), matmul_t(x, v))
    a, b, plus = uniform(3, 130), uniform(130, 5), uniform(3, 5)
    assert torch.equal(_tiles_triton.matmul(*on(device, a, b, plus)).cpu(), matmul(a, b, plus))


@kernel_devices
@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (33, 9, 31), (5, 70, 65), (3, 8, 2)])
def test_small_products_in_any_layout(n: int, k: int, m: int, device: str) -> None:
    from mpcfl.ring import _tiles_triton

    a, b, plus = uniform(n, 2 * k)[:, ::2], uniform(m, k).t(), uniform(m, n).t()
    assert torch.equal(_tiles_triton.matmul(*on(device, a, b, plus)).cpu(), matmul(a, b, plus))


@kernel_devices
def test_numbers_at_the_extremes_are_exact(device: str) -> None:
    from mpcfl.ring import _skinny_triton, _tiles_triton

    column = torch.tensor(EXTREMES)[:, None]
    (there,) = on(device, column)
    outer = exact(column, column.t())
    assert torch.equal(_tiles_triton.matmul(there, there.t()).cpu(), outer)
    for j, value in enumerate(EXTREMES):
        factor = torch.tensor([[value]], device=device)
        assert torch.equal(_skinny_triton.rows(there, factor).cpu(), outer[:, j : j + 1])
