"""Rounds through a torch.distributed group, of Gloo here: they bring what was sent, and nobody waits in silence.

tests/world/test_nccl.py runs NCCL in its place, where there are GPUs.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
import torch

from mpcfl.errors import SetupError
from mpcfl.world.cluster import Cluster
from mpcfl.world.transport import Mesh
from mpcfl.world.wire import Expected
from tests.world.crew import crew
from tests.world.gloo import cluster_of, gloo_group

LIMIT = 2.0
TYPES = (torch.int64, torch.uint8, torch.int16, torch.int32)


def message(sender: int, receiver: int, turn: int) -> torch.Tensor:
    """Of a length, a shape and a type of its own; all are empty in turn 2, and long in turn 3."""
    size = {2: 0, 3: 300_000}.get(turn, 1 + (5 * sender + 3 * receiver + turn) % 11)
    numbers = torch.arange(size) * 7919 + 101 * sender + 13 * receiver + turn
    return numbers.to(TYPES[(sender + receiver + turn) % 4]).reshape(-1, 1)


def expected_of(due: dict[int, torch.Tensor]) -> dict[int, Expected]:
    return {rank: (tuple(tensor.shape), tensor.dtype) for rank, tensor in due.items()}


def all_to_all(mesh: Mesh, say: Any) -> list[bool]:
    size, me = len(mesh.names), mesh.rank
    cluster, others = cluster_of(mesh, size), [rank for rank in range(size) if rank != me]
    right = []
    for turn in range(6):
        due = {rank: message(rank, me, turn) for rank in others}
        got = cluster.exchange({rank: message(me, rank, turn) for rank in others}, expected_of(due))
        right += [got[rank].dtype == due[rank].dtype and torch.equal(got[rank], due[rank]) for rank in others]
        mesh.exchange({rank: torch.tensor([turn]) for rank in others}, dict.fromkeys(others, ((1,), torch.int64)))
    cluster.close()
    return right


@pytest.mark.parametrize("size", [2, 3, 5])
def test_every_message_arrives_exactly_between_rounds_of_the_mesh(size: int) -> None:
    with crew(all_to_all, size) as run:
        assert run.values() == [[True] * (size - 1) * 6] * size


def on_one_gpu(mesh: Mesh, say: Any) -> None:
    cluster_of(mesh, 3, tag=bytes([mesh.rank % 2] * 32))


def test_two_parties_on_one_gpu_are_named_by_all() -> None:
    with crew(on_one_gpu, 3) as run:
        outcomes = [run.outcome(rank) for rank in range(3)]
    for outcome in outcomes:
        assert outcome.error == "SetupError"
        assert outcome.message.startswith('openings = "nccl": north and east are on one GPU, and NCCL needs one for')
        assert 'openings = "tls"' in outcome.message


class Faulty:
    """Gloo whose second round, the first one after the start, meets `fault` once all have arrived for it."""

    def __init__(self, fault: Any, *arguments: Any) -> None:
        self._group, self._fault, self._rounds = gloo_group(*arguments), fault, 0
        self.shutdown, self.abort = self._group.shutdown, self._group.abort

    def alltoall_base(self, *arguments: Any) -> Any:
        self._rounds += 1
        if self._rounds == 2:
            self._fault()
        return self._group.alltoall_base(*arguments)


def once(mesh: Mesh, cluster: Cluster) -> None:
    others = [rank for rank in range(3) if rank != mesh.rank]
    mesh.phase = "online"
    cluster.exchange(dict.fromkeys(others, torch.arange(9)), dict.fromkeys(others, ((9,), torch.int64)))


def killed_inside(mesh: Mesh, say: Any) -> None:
    _hurt(mesh, say, lambda: os.kill(os.getpid(), signal.SIGKILL))


def stopped_inside(mesh: Mesh, say: Any) -> None:
    _hurt(mesh, say, lambda: os.kill(os.getpid(), signal.SIGSTOP))


def hung_inside(mesh: Mesh, say: Any) -> None:
    _hurt(mesh, say, lambda: time.sleep(60))


def _hurt(mesh: Mesh, say: Any, fault: Any) -> None:
    def noted() -> None:
        if mesh.rank == EAST:
            say(time.monotonic())
            fault()

    if mesh.rank == 3:  # west has no part in the group, and waits for north
        mesh.receive(0, (1,), torch.int64)
    once(mesh, cluster_of(mesh, 3, lambda *arguments: Faulty(noted, *arguments)))


EAST, OTHERS = 2, (0, 1, 3)  # the last of the group, whom nobody names just since it is the first that is waited for


def test_a_party_that_is_killed_in_a_round_is_named_by_all_within_two_seconds() -> None:
    with crew(killed_inside, 4) as run:
        at = run.hear(EAST)
        for rank in OTHERS:
            outcome = run.outcome(rank)
            assert outcome.party == "east" and "is gone: its connection closed" in outcome.message
            assert outcome.at - at < 2


def test_a_party_that_is_suspended_in_a_round_is_named_by_all_within_the_limit() -> None:
    with crew(stopped_inside, 4, timeout=LIMIT) as run:
        at = run.hear(EAST)
        outcomes = [run.outcome(rank) for rank in OTHERS]
    for outcome in outcomes:
        assert outcome.party == "east" and "is stalled: no sign of life for" in outcome.message
        assert LIMIT / 2 < outcome.at - at < LIMIT + 1
    assert any("while" not in o.message or "waited for NCCL in round " in o.message for o in outcomes)


def test_a_party_that_lives_and_does_not_begin_a_round_is_named_by_all() -> None:
    """Its peers wait for each other too, in a circle: only who waits for nobody is to blame."""
    with crew(hung_inside, 4, timeout=LIMIT) as run:
        at = run.hear(EAST)
        outcomes = [run.outcome(rank) for rank in OTHERS]
    for outcome in outcomes:
        assert outcome.party == "east" and f"is late: alive but silent for {LIMIT:g} s" in outcome.message
        assert "out of step" not in outcome.message and outcome.at - at < LIMIT + 1


def never_comes(mesh: Mesh, say: Any) -> None:
    cluster = cluster_of(mesh, 3)
    say(time.monotonic())
    if mesh.rank == 1:
        time.sleep(60)
    once(mesh, cluster)


def test_a_party_that_never_comes_to_a_round_is_named_as_in_a_round_of_the_mesh() -> None:
    with crew(never_comes, 3, timeout=LIMIT) as run:
        at = max(run.hear(rank) for rank in range(3))
        outcomes = [run.outcome(rank) for rank in (0, 2)]
    for outcome in outcomes:
        assert outcome.party == "south" and f"is late: alive but silent for {LIMIT:g} s" in outcome.message
        assert outcome.at - at < LIMIT + 1
    assert any("waited for round 2 (online)" in outcome.message for outcome in outcomes)


def stops_at_the_start(mesh: Mesh, say: Any) -> None:
    def make(*arguments: Any) -> Any:
        if mesh.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return gloo_group(*arguments)

    cluster_of(mesh, 3, make)


def test_a_party_that_is_lost_while_groups_are_made_is_named_by_all() -> None:
    """Torch waits half a minute for it then, in a thread of its own."""
    with crew(stops_at_the_start, 3) as run:
        for rank in (0, 2):
            outcome = run.outcome(rank)
            assert outcome.party == "south" and "is gone: its connection closed" in outcome.message


def breaks(mesh: Mesh, say: Any) -> str:
    def broken() -> None:
        raise RuntimeError("unhandled system error\nException raised from nowhere (a stack of C++)")

    cluster = cluster_of(mesh, 3, lambda *arguments: Faulty(broken, *arguments))
    with pytest.raises(SetupError, match="NCCL failed: unhandled system error\n") as caught:
        once(mesh, cluster)
    cluster.abort()
    return str(caught.value.hint)


def test_what_torch_says_is_told_where_nobody_is_lost() -> None:
    with crew(breaks, 3) as run:
        assert all("NCCL_DEBUG=INFO" in hint and 'openings = "tls"' in hint for hint in run.values())
