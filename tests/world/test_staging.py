"""Messages of a party on a GPU: what goes through which memory, when, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from mpcfl.errors import SetupError
from mpcfl.world.session import Session
from mpcfl.world.staging import Staging
from tests.parties import roster
from tests.simulated_cuda import simulated_cuda


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    with simulated_cuda() if request.param == "simulated" else nullcontext():
        yield torch.device("cuda:0")


class Echo:
    """A wire that gives back what it was sent last by each party, and keeps everything, and where it lay."""

    phase = "test"

    def __init__(self) -> None:
        self.sent: list[dict[int, list[int]]] = []
        self.addresses: set[int] = set()

    def exchange(
        self, sends: Mapping[int, torch.Tensor], receives: Mapping[int, Any], into: Any = None
    ) -> dict[int, torch.Tensor]:
        assert all(tensor.device.type == "cpu" for tensor in sends.values())
        self.addresses |= {tensor.data_ptr() for tensor in sends.values() if tensor.is_pinned()}
        self.sent.append({rank: tensor.tolist() for rank, tensor in sends.items()})
        if into is None:
            return {rank: sends[rank].clone() for rank in receives}
        assert all(tensor.is_pinned() for tensor in into.values())
        return {rank: into[rank].copy_(sends[rank]) for rank in receives}

    def advance(self) -> None: ...

    def abort(self, reason: str, culprit: int | None = None) -> None: ...

    def close(self) -> None: ...


def numbers(device: torch.device, *values: int) -> torch.Tensor:
    return torch.tensor(values, device=device)


def test_messages_go_through_buffers_that_are_used_again(device: torch.device) -> None:
    staging, wire = Staging(device), Echo()
    for turn in range(6):
        first, second = numbers(device, 1, 2, turn), numbers(device, turn, 7).to(torch.uint8)
        expected = {1: ((3,), torch.int64), 2: ((2,), torch.uint8)}
        back = staging.exchange(wire, {1: first, 2: second}, expected, on_device=True)
        assert {tensor.device.type for tensor in back.values()} == {"cuda"}
        assert torch.equal(back[1].cpu(), first.cpu()) and torch.equal(back[2].cpu(), second.cpu())
    assert len(wire.addresses) == 4  # two messages, two buffers


def test_buffers_grow_and_what_arrived_stays_what_it_was(device: torch.device) -> None:
    staging, wire = Staging(device), Echo()
    kept = []
    for size in (3, 1, 40, 2, 500, 0, 7):
        sent = torch.arange(size, device=device) + 1000 * size
        kept.append((sent, staging.exchange(wire, {1: sent}, {1: ((size,), torch.int64)}, on_device=True)[1]))
    for sent, arrived in kept:
        assert torch.equal(arrived.cpu(), sent.cpu())


def test_one_message_to_several_parties_is_copied_once(device: torch.device) -> None:
    staging, wire = Staging(device), Echo()
    staging.exchange(wire, dict.fromkeys((1, 2, 3), numbers(device, 4, 5)), {}, on_device=True)
    assert wire.sent == [dict.fromkeys((1, 2, 3), [4, 5])] and len(wire.addresses) == 1


def test_what_is_for_the_host_arrives_there_and_what_is_from_there_goes_as_it_is(device: torch.device) -> None:
    staging, wire = Staging(device), Echo()
    back = staging.exchange(wire, {1: torch.tensor([1])}, {1: ((1,), torch.int64)}, on_device=False)
    assert back[1].device.type == "cpu" and back[1].tolist() == [1] and not wire.addresses


def test_posted_messages_go_in_order_one_behind_and_before_anything_else(device: torch.device) -> None:
    staging, wire = Staging(device), Echo()
    x = numbers(device, 0)
    for turn in range(1, 4):
        staging.post(wire, {1: x + turn})
        assert wire.sent == [{1: [k]} for k in range(1, turn)]
    staging.exchange(wire, {1: x + 9}, {}, on_device=False)
    staging.flush(wire)
    assert wire.sent == [{1: [k]} for k in (1, 2, 3, 9)]


def test_a_dealer_has_sent_everything_when_it_leaves(device: torch.device) -> None:
    wire = Echo()
    session = Session(roster(2), 2, wire, device=device)
    with session.closing(), session.phase("offline"):
        for turn in range(3):
            session.exchange({1: numbers(device, turn)}, {}, rounds=0)
        assert len(wire.sent) == 2
    assert wire.sent == [{1: [k]} for k in range(3)]
    assert session.meter.total("offline").messages == 3


def test_a_gpu_that_is_full_after_all_is_an_error_with_a_hint(device: torch.device) -> None:
    session = Session(roster(2), 0, Echo(), device=device)
    with pytest.raises(SetupError, match="p0 ran out of memory on cuda:0") as caught, session.closing():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert caught.value.exit_code == 4 and 'device = "cpu"' in str(caught.value.hint)


def test_a_dealer_that_does_something_long_holds_nothing_back(device: torch.device) -> None:
    wire = Echo()
    session = Session(roster(2), 2, wire, device=device)
    session.exchange({1: numbers(device, 5)}, {}, rounds=0)
    session.step("reading", 1, 2)
    assert wire.sent == [{1: [5]}]
