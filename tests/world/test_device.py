"""Which device a word means here, and what is said where it is not there."""

from __future__ import annotations

import pytest
import torch

from mpcfl.errors import SetupError
from mpcfl.world.device import device_of
from mpcfl.world.session import Session
from mpcfl.world.wire import DryWire
from tests.parties import QueueWire, roster
from tests.simulated_cuda import simulated_cuda


@pytest.fixture(autouse=True)
def nobody_started_this_by_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def without_gpu(monkeypatch: pytest.MonkeyPatch, build: str | None) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", build)


@pytest.mark.parametrize("build", [None, "13.0"])
def test_where_there_is_no_gpu_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch, build: str | None) -> None:
    without_gpu(monkeypatch, build)
    assert device_of("auto") == device_of("cpu") == torch.device("cpu")


@pytest.mark.parametrize("wanted", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    without_gpu(monkeypatch, None)
    with pytest.raises(SetupError, match=f'device = "{wanted}": this build of torch has no CUDA') as caught:
        device_of(wanted)
    assert "TORCH_INDEX=" in str(caught.value.hint) and '"auto"' in str(caught.value.hint)
    without_gpu(monkeypatch, "13.0")
    with pytest.raises(SetupError, match="torch finds no GPU that it can use") as caught:
        device_of(wanted)
    assert "nvidia-smi" in str(caught.value.hint)


def test_each_party_of_a_machine_has_its_own_gpu_as_long_as_they_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with simulated_cuda():  # two of them
        assert device_of("cuda") == device_of("auto") == torch.device("cuda:0")
        for local_rank, index in (("0", 0), ("1", 1), ("2", 0)):
            monkeypatch.setenv("LOCAL_RANK", local_rank)
            assert device_of("cuda") == device_of("auto") == torch.device("cuda", index)
            assert device_of("cuda:1") == torch.device("cuda:1")
            assert device_of("cpu") == torch.device("cpu")


def test_a_number_that_is_too_high_is_an_error_with_the_numbers_there_are() -> None:
    with simulated_cuda(), pytest.raises(SetupError, match='"cuda:2": there is no such GPU') as caught:
        device_of("cuda:2")
    assert caught.value.hint == "torch finds cuda:0 to cuda:1"


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'gpu'"):
        device_of("gpu")


def test_compute_parties_and_dealer_have_a_device_owners_have_none() -> None:
    """What an owner does it does on the CPU; a dealer deals on its device, and has no share there."""
    who = roster(2, owners=4)
    with simulated_cuda():
        sessions = [Session(who, rank, QueueWire(rank, {}, None), device="cuda:1") for rank in range(who.size)]  # type: ignore[arg-type]
    assert [session.own_device.type for session in sessions] == ["cuda", "cuda", "cuda", "cpu"]
    assert [session.device.type for session in sessions] == ["cuda", "cuda", "meta", "meta"]


def test_a_dry_run_is_the_same_whatever_the_device_and_needs_none() -> None:
    session = Session(roster(2), 0, DryWire(), device="cuda")
    assert session.device.type == "meta" and session.exchange({}, {1: ((3,), torch.int64)}, on_device=True)[1].is_meta
