"""A mesh moves tensors exactly, counts exactly, never deadlocks, and notices parties that are out of step."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch

from mpcfl.world.transport import Mesh
from tests.world.crew import DEALT, NAMES, crew

BIG = 1 << 23  # elements: 64 MB, far more than all buffers between two parties
SIZES = (3, 128, 0, 5000)
DTYPES = (torch.int64, torch.uint8, torch.bool, torch.float64, torch.bfloat16, torch.int16, torch.complex64)


def message(sender: int, receiver: int, size: int) -> torch.Tensor:
    return torch.arange(size, dtype=torch.int64) * (2 * sender + 1) - receiver * (1 << 62)


def all_to_all(mesh: Mesh, say: Any) -> tuple[dict[int, list[list[int]]], dict[int, int], dict[int, int]]:
    got: dict[int, list[list[int]]] = {peer: [] for peer in mesh.peers}
    for size in SIZES:
        sends = {peer: message(mesh.rank, peer, size) for peer in mesh.peers}
        for peer, tensor in mesh.exchange(sends, dict.fromkeys(mesh.peers, ((size,), torch.int64))).items():
            got[peer].append(tensor.tolist())
    return got, mesh.sent_payload, mesh.sent_messages


@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [2, 3])
def test_every_message_arrives_exactly_and_is_counted(size: int, encrypt: bool) -> None:
    with crew(all_to_all, size, encrypt=encrypt) as run:
        for rank, (got, payload, messages) in enumerate(run.values()):
            peers = [peer for peer in range(size) if peer != rank]
            assert sorted(got) == peers
            for peer in peers:
                assert got[peer] == [message(peer, rank, size).tolist() for size in SIZES]
            assert payload == dict.fromkeys(peers, 8 * sum(SIZES))
            assert messages == dict.fromkeys(peers, len(SIZES))


def swap_big(mesh: Mesh, say: Any) -> bool:
    (peer,) = mesh.peers
    got = mesh.exchange({peer: message(mesh.rank, peer, BIG)}, {peer: ((BIG,), torch.int64)})[peer]
    return torch.equal(got, message(peer, mesh.rank, BIG))


@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "tls"])
def test_64_megabytes_both_ways_at_once_do_not_deadlock(encrypt: bool) -> None:
    with crew(swap_big, 2, encrypt=encrypt) as run:
        assert run.values() == [True, True]


def every_dtype(mesh: Mesh, say: Any) -> list[bool]:
    (peer,) = mesh.peers
    same = []
    for dtype in DTYPES:
        for shape in ((), (0, 3), (2, 3, 5)):
            tensor = torch.arange(1, 1 + torch.Size(shape).numel()).reshape(shape).to(dtype)
            got = mesh.exchange({peer: tensor}, {peer: (shape, dtype)})[peer]
            same.append(got.dtype == dtype and got.shape == tensor.shape and torch.equal(got, tensor))
    return same


def test_any_dtype_and_shape_travels_as_it_is() -> None:
    with crew(every_dtype, 2) as run:
        assert run.values() == [[True] * (3 * len(DTYPES))] * 2


def talk_one_way(mesh: Mesh, say: Any) -> list[int]:
    if mesh.rank == 0:
        for i in range(50):
            mesh.send(1, torch.tensor([i]))
        return []
    time.sleep(0.3)
    return [int(mesh.receive(0, (1,), torch.int64)) for _ in range(50)]


def test_messages_wait_in_order_for_a_party_that_is_not_there_yet_even_if_their_sender_has_left() -> None:
    with crew(talk_one_way, 2) as run:
        assert run.values() == [[], list(range(50))]


def wait_for_one_more(mesh: Mesh, say: Any) -> None:
    if mesh.rank == 1:
        mesh.receive(0, (1,), torch.int64)


def test_a_party_that_left_in_order_is_named_only_by_who_still_waits_for_it() -> None:
    with crew(wait_for_one_more, 3) as run:
        assert run.outcome(0).error is None
        assert run.outcome(2).error is None
        outcome = run.outcome(1)
    assert outcome.party == "north"
    assert "north (rank 0, 127.0.0.1:" in outcome.message
    assert "has left: it did its part and closed while south waited for round 1 (start)" in outcome.message


def other_sizes(mesh: Mesh, say: Any) -> None:
    (peer,) = mesh.peers
    mesh.phase = "online"
    mesh.exchange({peer: torch.zeros(2)}, {peer: ((2,), torch.float32)})
    mine, due = ((2,), (2,)) if mesh.rank == 0 else ((3,), (2,))
    mesh.exchange({peer: torch.zeros(mine)}, {peer: (due, torch.float32)})
    mesh.exchange({peer: torch.zeros(2)}, {peer: ((2,), torch.float32)})


def test_parties_out_of_step_are_named() -> None:
    with crew(other_sizes, 2) as run:
        north, south = run.outcome(0), run.outcome(1)
    assert north.error == "AgreementError"
    assert "north and south (rank 1) are out of step: 12 bytes came where 8 are due" in north.message
    assert "round 2 (online)" in north.message
    assert south.party == "north"
    assert "north stopped: north and south are out of step" in south.message


def send_to_stranger(mesh: Mesh, say: Any) -> None:
    if mesh.rank == 2:
        mesh.send(3, torch.zeros(1))


def test_parties_that_are_not_linked_cannot_exchange() -> None:
    with crew(send_to_stranger, 4, links=DEALT) as run:
        outcomes = [run.outcome(rank) for rank in range(4)]
    assert [o.error for o in outcomes] == [None, None, "ValueError", None]
    assert f"{NAMES[2]} has no link with rank 3" in outcomes[2].message


def go_on_after_closing(mesh: Mesh, say: Any) -> None:
    mesh.close()
    mesh.close()
    mesh.abort("too late")
    mesh.receive(1 - mesh.rank, (1,), torch.int64)


def test_a_closed_mesh_is_of_no_more_use() -> None:
    with crew(go_on_after_closing, 2) as run:
        assert all("is closed" in run.outcome(rank).message for rank in range(2))


def send_a_view(mesh: Mesh, say: Any) -> None:
    mesh.send(1 - mesh.rank, torch.zeros(4, 4).T[1:3])


def test_only_contiguous_tensors_are_sent() -> None:
    with crew(send_a_view, 2) as run:
        assert {run.outcome(rank).error for rank in range(2)} == {"ValueError"}
