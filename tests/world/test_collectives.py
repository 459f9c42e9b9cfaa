"""CrypTen's collectives over our connections: what each party gets, and what it costs."""

import pytest
import torch
from torch.distributed import ReduceOp

from mpcfl.errors import SetupError
from mpcfl.world.collectives import Collectives
from mpcfl.world.session import Session
from tests.parties import run_parties, run_with_sessions

PARTIES = (2, 3, 5)
every_number = pytest.mark.parametrize("parties", PARTIES)


def at_compute(parties: int, program):
    """Results of `program(collectives, rank)` at the compute parties."""
    results = run_parties(parties, lambda s: program(Collectives(s), s.rank) if s.is_compute else None)
    return results[:parties]


def own(rank: int) -> torch.Tensor:
    return torch.arange(6).reshape(2, 3) * (rank + 1) - (1 << 62)


def whole(parties: int) -> torch.Tensor:
    return sum((own(rank) for rank in range(parties)), torch.zeros(2, 3, dtype=torch.int64))


@every_number
def test_all_reduce_gives_every_party_the_sum_modulo_2_64(parties: int) -> None:
    for result in at_compute(parties, lambda c, rank: c.all_reduce(own(rank))):
        assert torch.equal(result, whole(parties))


@pytest.mark.parametrize(
    ("op", "expected"),
    [(ReduceOp.SUM, 6), (ReduceOp.BXOR, 0), (ReduceOp.PRODUCT, 6), (ReduceOp.MIN, 1), (ReduceOp.MAX, 3)],
)
def test_all_reduce_combines_as_asked(op: ReduceOp, expected: int) -> None:
    results = at_compute(3, lambda c, rank: c.all_reduce(torch.tensor([rank + 1]), op=op))
    assert [result.tolist() for result in results] == [[expected]] * 3


def test_an_unknown_combination_is_refused() -> None:
    with pytest.raises(SetupError, match="cannot combine by"):
        at_compute(2, lambda c, rank: c.all_reduce(torch.ones(1), op=ReduceOp.BAND))


@every_number
def test_a_batch_of_several_shapes_and_types_travels_in_one_message(parties: int) -> None:
    def program(session: Session):
        if not session.is_compute:
            return None
        batch = [own(session.rank), torch.tensor(2.5), torch.ones(0), torch.ones(3, dtype=torch.int32)]
        return Collectives(session).all_reduce(batch, batched=True)

    results, sessions = run_with_sessions(parties, program)
    for result in results[:parties]:
        assert torch.equal(result[0], whole(parties))
        assert [t.tolist() for t in result[1:]] == [2.5 * parties, [], [parties] * 3]
    size = 8 * 6 + 4 + 0 + 12
    expected = {"rounds": 1, "messages": parties - 1, "bytes": size * (parties - 1)}
    assert [s.meter.exact()["setup"]["crypten"] for s in sessions[:parties]] == [expected] * parties


def test_inputs_stay_as_they_are_and_need_not_be_contiguous() -> None:
    def program(c: Collectives, rank: int):
        tensor = own(rank).T
        before = tensor.clone()
        return c.all_reduce(tensor), torch.equal(tensor, before)

    for result, same in at_compute(3, program):
        assert torch.equal(result, whole(3).T)
        assert same


@every_number
def test_reduce_and_gather_reach_one_party_only(parties: int) -> None:
    dst = parties - 1
    results = at_compute(parties, lambda c, rank: (c.reduce(own(rank), dst), c.gather(own(rank), dst)))
    for reduced, gathered in results[:dst]:
        assert reduced is None
        assert gathered == [None]
    reduced, gathered = results[dst]
    assert torch.equal(reduced, whole(parties))
    assert all(torch.equal(gathered[rank], own(rank)) for rank in range(parties))


@every_number
def test_all_gather_gives_all_in_the_order_of_ranks(parties: int) -> None:
    for result in at_compute(parties, lambda c, rank: c.all_gather(own(rank))):
        assert all(torch.equal(result[rank], own(rank)) for rank in range(parties))


@every_number
def test_scatter_gives_each_party_its_tensor(parties: int) -> None:
    def program(c: Collectives, rank: int):
        pieces = [own(k) for k in range(parties)] if rank == 1 else [torch.zeros(2, 3)] * parties
        by_size = c.scatter(pieces if rank == 1 else None, 1, size=(2, 3))
        return c.scatter(pieces, 1), by_size

    for rank, results in enumerate(at_compute(parties, program)):
        assert all(torch.equal(result, own(rank)) for result in results)


@every_number
def test_broadcast_writes_into_the_tensor_that_it_is_given(parties: int) -> None:
    def program(c: Collectives, rank: int):
        tensor, batch = own(rank), [own(rank), torch.full((2,), float(rank))]
        assert c.broadcast(tensor, 1) is tensor
        c.broadcast(batch, 0, batched=True)
        return tensor, batch

    for tensor, batch in at_compute(parties, program):
        assert torch.equal(tensor, own(1))
        assert torch.equal(batch[0], own(0))
        assert batch[1].tolist() == [0.0, 0.0]


def test_broadcast_of_an_object_takes_crypten_s_harmless_classes_only() -> None:
    sizes = at_compute(3, lambda c, rank: c.broadcast_obj(torch.Size([4, 2]) if rank == 0 else None, 0))
    assert sizes == [torch.Size([4, 2])] * 3

    with pytest.raises(ValueError, match="restricted for pickled module tests.parties.run_parties"):
        at_compute(2, lambda c, rank: c.broadcast_obj(run_parties if rank == 0 else None, 0))


def test_one_party_can_send_to_another() -> None:
    def program(c: Collectives, rank: int):
        return c.send(own(0), 2) if rank == 0 else c.recv(own(2), 0) if rank == 2 else None

    results = at_compute(3, program)
    assert torch.equal(results[2], own(0))
    assert results[:2] == [None, None]


@pytest.mark.parametrize("name", ["isend", "irecv", "send_obj", "recv_obj"])
def test_what_is_not_there_says_so(name: str) -> None:
    with pytest.raises(SetupError, match="this method of CrypTen's communicator is not there"):
        at_compute(2, lambda c, rank: getattr(c, name)(torch.ones(1), 1 - rank))


def test_it_knows_who_and_how_many_and_counts() -> None:
    def program(c: Collectives, rank: int):
        c.barrier()
        c.all_reduce(own(rank))
        counted = c.get_communication_stats()
        c.reset_communication_stats()
        return c.get_rank(), c.get_world_size(), c.get_name(), counted, c.get_communication_stats()

    none = {"rounds": 0, "bytes": 0, "time": 0.0}
    counted = {"rounds": 2, "bytes": 2 * (1 + 48), "time": 0.0}
    assert at_compute(3, program) == [(rank, 3, f"p{rank}", counted, none) for rank in range(3)]
