"""NCCL: what is said where it cannot be used, and rounds over it where there are GPUs for it."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import Any

import pytest
import torch
import torch.distributed as dist

import mpcfl
from mpcfl.errors import JobError, SetupError
from mpcfl.world.nccl import gpu_tag, nccl_group, require_nccl
from mpcfl.world.transport import Mesh
from mpcfl.world.wire import DryWire
from tests.world.crew import crew
from tests.world.gloo import cluster_of
from tests.world.test_cluster import expected_of, message

ROSTER = mpcfl.roster({"north": ["data", "compute"], "south": ["data", "compute"], "east": ["data", "dealer"]})
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")


# -- where it cannot be used -------------------------------------------------------------------------------------------


def test_a_party_on_the_cpu_is_refused_before_it_waits_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match='openings = "nccl": south works on the CPU') as caught:
        with mpcfl.join(ROSTER, openings="nccl"):
            pass
    assert 'device = "cuda"' in str(caught.value.hint) and 'openings = "tls"' in str(caught.value.hint)


def test_a_build_of_torch_without_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.is_nccl_available", lambda: False)
    with pytest.raises(SetupError, match='openings = "nccl": this build of torch has no NCCL') as caught:
        require_nccl("north", torch.device("cuda:0"))
    assert 'openings = "tls"' in str(caught.value.hint)


def test_a_way_that_is_not_known_is_refused() -> None:
    with pytest.raises(JobError, match="openings = 'gloo' is not known"), mpcfl.join(ROSTER, openings="gloo"):
        pass


def test_all_agree_on_the_way_before_anybody_opens_a_party_without_shares_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """East deals, and needs neither a GPU nor NCCL."""
    agreed: list[bytes] = []
    monkeypatch.setattr("mpcfl.world.join.store_of_run", lambda *_, **__: (None, "run"))
    monkeypatch.setattr("mpcfl.world.join.Mesh.connect", lambda *_, **__: DryWire())
    monkeypatch.setattr("mpcfl.world.join.Session.agree", lambda _, digest: agreed.append(digest))
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    for way in ("tls", "nccl", "tls"):
        with mpcfl.join(ROSTER, openings=way) as session:
            assert session.cluster is None
    assert agreed[0] == agreed[2] != agreed[1]


def test_a_gpu_has_the_same_tag_in_every_process_and_no_other_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        def __init__(self, device: torch.device) -> None:
            self.uuid = f"GPU-{device.index}"

    monkeypatch.setattr("torch.cuda.get_device_properties", Properties)
    tags = [gpu_tag(torch.device("cuda", index)) for index in (0, 1, 0)]
    assert tags[0] == tags[2] != tags[1] and all(len(tag) == 32 and b"GPU" not in tag for tag in tags)


# -- where it can ------------------------------------------------------------------------------------------------------


def on_gpus(mesh: Mesh, say: Any) -> list[bool]:
    size, me = len(mesh.names), mesh.rank
    device = torch.device("cuda", me)
    torch.cuda.set_device(device)
    cluster, right = cluster_of(mesh, size, nccl_group, device=device, tag=gpu_tag(device)), []
    for turn in range(6):
        due = {rank: message(rank, me, turn) for rank in range(size) if rank != me}
        got = cluster.exchange({rank: message(me, rank, turn).to(device) for rank in due}, expected_of(due))
        right += [torch.equal(got[rank].cpu(), due[rank]) for rank in due]
    cluster.close()
    return right


@pytest.mark.cuda
@two_gpus
def test_every_message_arrives_exactly_from_gpu_to_gpu() -> None:
    size = min(torch.cuda.device_count(), 3)
    with crew(on_gpus, size, timeout=60.0) as run:
        assert run.values() == [[True] * (size - 1) * 6] * size


def killed_inside(mesh: Mesh, say: Any) -> None:
    device = torch.device("cuda", mesh.rank)
    torch.cuda.set_device(device)
    cluster = cluster_of(mesh, 2, nccl_group, device=device, tag=gpu_tag(device))
    if mesh.rank == 1:
        cluster._all_to_all = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    tensor = torch.arange(1 << 20, device=device)
    try:
        cluster.exchange({1 - mesh.rank: tensor}, {1 - mesh.rank: (tuple(tensor.shape), tensor.dtype)})
    finally:
        cluster.abort()
        torch.cuda.synchronize()  # the kernel that waited for the other has ended


@pytest.mark.cuda
@two_gpus
def test_a_round_that_a_party_is_lost_in_is_aborted_and_the_party_named() -> None:
    with crew(killed_inside, 2, timeout=60.0) as run:
        outcome = run.outcome(0)
        run.processes[0].join(30)
        assert run.processes[0].exitcode == 0, "nothing of the round holds the process back"
    assert outcome.party == "south" and "is gone: its connection closed" in outcome.message


def on_the_first_gpu(mesh: Mesh, say: Any) -> None:
    device = torch.device("cuda", 0)
    cluster_of(mesh, 2, nccl_group, device=device, tag=gpu_tag(device))


@pytest.mark.cuda
def test_two_parties_on_one_gpu_are_named() -> None:
    with crew(on_the_first_gpu, 2, timeout=60.0) as run:
        assert all("north and south are on one GPU" in run.outcome(rank).message for rank in range(2))


def alone(mesh: Mesh, say: Any) -> list[int]:
    """What torch's group is asked for, of one party: no round of a cluster, but every call that it makes."""
    device = torch.device("cuda", 0)
    torch.cuda.set_device(device)
    group = nccl_group(dist.HashStore(), 0, 1, timedelta(seconds=60))
    sent, arriving = torch.arange(5, device=device), torch.empty(5, dtype=torch.int64, device=device)
    work = group.alltoall_base(arriving, sent, [5], [5])
    mesh.wait_until(work.is_completed, [1 - mesh.rank], "NCCL")
    work.wait()
    group.shutdown()
    return arriving.tolist()


@pytest.mark.cuda
def test_a_group_of_one_party_does_all_that_a_cluster_asks_of_it() -> None:
    with crew(alone, 2, timeout=60.0) as run:
        assert run.values() == [[0, 1, 2, 3, 4]] * 2
