"""Gloo in the place of NCCL: groups of real processes on the CPU, as `mpcfl.world.cluster` takes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist

from mpcfl.world.cluster import Cluster
from mpcfl.world.transport import Mesh

CPU = torch.device("cpu")
LIMIT = timedelta(seconds=5)
_kept: list[
    Any
] = []  # Gloo cannot be aborted: a group that goes waits for LIMIT first, so that none goes before the end


def gloo_group(store: Any, rank: int, size: int, limit: timedelta) -> Any:
    """What `nccl_group` makes, of Gloo, on this machine."""
    options = dist.ProcessGroupGloo._Options()
    options._devices = [dist.ProcessGroupGloo.create_device(hostname="127.0.0.1")]
    options._timeout = LIMIT
    _kept.append(dist.ProcessGroupGloo(store, rank, size, options))
    return _kept[-1]


class OnSimulatedGpus:
    """A group of Gloo that takes tensors on the simulated device, and no others, as NCCL would."""

    def __init__(self, *arguments: Any) -> None:
        self._group = gloo_group(*arguments)
        self.shutdown, self.abort = self._group.shutdown, self._group.abort

    def alltoall_base(self, arriving: Any, leaving: Any, *sizes: list[int]) -> Any:
        return self._group.alltoall_base(arriving.inner, leaving.inner, *sizes)


@contextmanager
def gloo_for_nccl() -> Iterator[None]:
    """A party on a simulated GPU takes it for NCCL. GPUs are told apart by their numbers: all are on one machine."""
    with (
        patch("mpcfl.world.join.nccl_group", OnSimulatedGpus),
        patch("torch.distributed.is_nccl_available", lambda: True),
        patch("torch.cuda.get_device_properties", lambda device: SimpleNamespace(uuid=f"GPU {device}")),
    ):
        yield


def cluster_of(
    mesh: Mesh, size: int, make: Any = gloo_group, *, device: torch.device = CPU, tag: bytes | None = None
) -> Cluster:
    """Of the parties of a `tests.world.crew`, ranks 0 to size - 1."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(host, port, len(mesh.names), False, timedelta(seconds=30), wait_for_workers=False)
    cluster = Cluster(mesh, mesh.rank, size, device)
    cluster.start(make, store, "cluster", tag=tag or bytes([mesh.rank] * 32), limit=60.0)
    return cluster
