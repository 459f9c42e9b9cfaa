"""The simulated device is as strict as CUDA: a test that passes on it would notice a tensor left on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from mpcfl.ring import product, waves
from mpcfl.ring.blank import indices
from mpcfl.ring.prg import Stream
from tests.simulated_cuda import MEMORY, OnDevice, simulated_cuda


@pytest.fixture(autouse=True)
def cuda() -> Iterator[None]:
    with simulated_cuda():
        yield


def here() -> torch.Tensor:
    return torch.arange(6).reshape(2, 3)


def there() -> torch.Tensor:
    return here().to("cuda")


def test_tensors_are_made_on_it_and_stay_on_it() -> None:
    made = [
        torch.zeros(2, 3, device="cuda"), torch.tensor([1], device="cuda:0"), torch.arange(3, device="cuda"),
        there(), there() + 1, there()[0], there().T, torch.zeros_like(there()), there().to(torch.float64),
        there().reshape(-1).view(torch.uint8), torch.cat([there(), there()]), there().sum(0), indices(3, there()),
    ]  # fmt: skip
    assert {tensor.device for tensor in made} == {torch.device("cuda:0")}
    assert torch.zeros(1, device="cuda:1").device == torch.device("cuda:1")
    assert there().shape == (2, 3) and there().is_cuda and not there().is_meta


def test_content_comes_back_by_a_copy_only() -> None:
    x = there()
    assert torch.equal(x.cpu(), here()) and torch.equal(x.to("cpu"), here()) and x.tolist() == here().tolist()
    assert x.sum().item() == 15 and int(x[1, 2]) == 5
    back = x.cpu()
    back[0, 0] = 9
    assert x[0, 0] == 0
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu\(\)"):
        x.numpy()


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, c: x + c,
        lambda x, c: c + x,
        lambda x, c: x == c,
        lambda x, c: torch.where(x > 1, x, c),
        lambda x, c: torch.cat([x, c]),
        lambda x, c: torch.stack([x[0, 0], c[0, 0]]),
        lambda x, c: torch.gather(x, 1, c % 3),
        lambda x, c: torch.index_select(x, 0, c[0, :1]),
        lambda x, c: x.index_add_(0, c[0, :1], x[:1] + 0),
        lambda x, c: x.__setitem__(c[0, :1], c[:1]),
        lambda x, c: c[x[0, :1]],
        lambda x, c: product.matmul(x, c.T),
    ],
)
def test_what_cuda_refuses_is_refused(mix: Callable[[torch.Tensor, torch.Tensor], object]) -> None:
    with pytest.raises((RuntimeError, ValueError), match="device|on cpu"):
        mix(there(), here())
    mix(there(), there())  # nothing else is wrong with it


def test_two_devices_are_two() -> None:
    with pytest.raises(RuntimeError, match="cuda:0 and cuda:1"):
        there().to("cuda:1") + there()


def test_torch_has_no_products_of_integers_there() -> None:
    with pytest.raises(RuntimeError, match="not implemented for"):
        there() @ there().T
    assert torch.equal(product.matmul(there(), there().T).cpu(), here() @ here().T)


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, c: x + c[1, 2],
        lambda x, c: x[c[0, :2]],
        lambda x, c: x[:, c[0]],
        lambda x, c: x.__setitem__(0, c[1]),
        lambda x, c: x.__setitem__(c[0, :1], c[1, 1]),
        lambda x, c: x.copy_(c),
    ],
)
def test_what_cuda_allows_is_allowed(mix: Callable[[torch.Tensor, torch.Tensor], object]) -> None:
    x, c = there(), here()
    found, wanted = mix(x, here()), mix(c, here())
    assert torch.equal(x.cpu(), c)
    if isinstance(wanted, torch.Tensor):
        assert isinstance(found, OnDevice) and torch.equal(found.cpu(), wanted)


def test_streams_and_waves_are_those_of_the_cpu() -> None:
    key = bytes(range(32))
    ours, theirs = Stream(key, "cuda").operation(5), Stream(key).operation(5)
    assert [torch.equal(ours.elements(n).cpu(), theirs.elements(n)) for n in (3, 0, 17)] == [True] * 3
    angles = torch.arange(5) << 28
    assert torch.equal(waves.tables(angles.to("cuda"), 4, 20).cpu(), waves.tables(angles, 4, 20))


# -- copies that do not block ----------------------------------------------------------------------------------------


def pinned(*values: int) -> torch.Tensor:
    memory = torch.empty(len(values), dtype=torch.int64, pin_memory=True)
    return memory.copy_(torch.tensor(values))


def test_a_late_copy_to_the_host_is_there_after_waiting_and_not_before() -> None:
    memory = pinned(0, 0, 0)
    memory.copy_(torch.arange(3, device="cuda"), non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    assert memory.tolist() != [0, 1, 2]
    event.synchronize()
    assert memory.tolist() == [0, 1, 2]


def test_memory_that_is_copied_from_must_not_change_before_somebody_has_waited() -> None:
    memory = pinned(1, 2)
    assert memory.to("cuda", non_blocking=True).tolist() == [1, 2]  # which waits
    memory.fill_(7)
    memory.to("cuda", non_blocking=True)
    memory.fill_(8)
    with pytest.raises(RuntimeError, match="pinned memory was changed"):
        torch.cuda.synchronize()


def test_a_stream_waits_for_another_before_it_uses_what_that_one_makes() -> None:
    copies = torch.cuda.Stream()
    with torch.cuda.stream(copies):
        x = pinned(1, 2).to("cuda", non_blocking=True)
        event = copies.record_event()
    with pytest.raises(RuntimeError, match="has not waited"):
        x + 1
    torch.cuda.current_stream().wait_event(event)
    with pytest.raises(RuntimeError, match="record_stream"):
        x + 1
    x.record_stream(torch.cuda.current_stream())
    assert (x + 1).tolist() == [2, 3]


def test_memory_is_what_it_says() -> None:
    assert torch.cuda.mem_get_info() == (MEMORY, MEMORY)


def test_a_matrix_of_which_digits_are_kept_is_not_changed_in_place() -> None:
    with torch.inference_mode():
        free, kept = there(), product.keep(there())
        free += 1
        for change in (lambda: kept.add_(1), lambda: kept.__setitem__(0, 1)):
            with pytest.raises(RuntimeError, match="changes in place a matrix of which digits are kept"):
                change()
