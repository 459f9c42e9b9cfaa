"""A table read at a secret place gives the entry at that place, for every place and every size."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.lookup import lookup, lookups, select
from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, Given, dry, evaluate, full_range, sum_of_shares

SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def looked_up(table: torch.Tensor):
    return lambda session, index: run(session, lookup(index, table))


def selected(session: Session, words: Share, index: Share) -> Share:
    return run(session, select(words, index))


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("size", SIZES)
def test_lookup_gives_every_entry_of_a_public_table(size: int, parties: int) -> None:
    table = full_range(np.random.default_rng(size), size)
    index = torch.arange(size).repeat(3)
    assert torch.equal(evaluate(parties, looked_up(table), index).ring(), table[index])


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("size", SIZES)
def test_select_gives_every_word_of_shared_words(size: int, parties: int) -> None:
    rng = np.random.default_rng(size)
    words, index = full_range(rng, 2, size, size), torch.arange(size).expand(2, size)
    expected = torch.stack([words[:, k, k] for k in range(size)], dim=1)
    assert torch.equal(evaluate(parties, selected, words, index).ring(), expected)


def test_the_shape_of_the_index_is_kept() -> None:
    index = torch.arange(24).reshape(2, 3, 4) % 8
    table = torch.arange(8) * 100
    outcome = evaluate(2, looked_up(table), index)
    assert [share.shape for share in outcome.results] == [(2, 3, 4)] * 3
    assert torch.equal(outcome.ring(), table[index])


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("size", [2, 32, 256])
def test_lookup_costs_one_round_of_one_byte_each(size: int, parties: int) -> None:
    n, others = 21, parties - 1
    outcome = evaluate(parties, looked_up(torch.arange(size)), torch.zeros(n, dtype=torch.int64))
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"lookup": (1, others, n * others)}
    assert outcome.cost("offline", parties) == {"lookup": (0, 1, size * n * 8)}


def test_several_tables_are_read_from_one_opening() -> None:
    tables = full_range(np.random.default_rng(3), 3, 16)
    index = torch.arange(16).repeat(2)
    outcome = evaluate(2, lambda session, index: tuple(run(session, lookups(index, tables))), index)
    for k in range(3):
        assert torch.equal(sum_of_shares([outcome.results[rank][k] for rank in (0, 1)]), tables[k][index])
    assert outcome.cost("online", 0) == {"lookup": (1, 1, 32)}
    assert outcome.cost("offline", 2) == {"lookup": (0, 1, 16 * 32 * 8)}


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("size", [2, 16])
def test_select_costs_one_round_of_its_words_and_one_byte_each(size: int, parties: int) -> None:
    n, others = 21, parties - 1
    words, index = torch.zeros(n, size, dtype=torch.int64), torch.zeros(n, dtype=torch.int64)
    outcome = evaluate(parties, selected, words, index)
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"select": (1, others, (size * n * 8 + n) * others)}
    assert outcome.cost("offline", parties) == {"select": (0, 1, 2 * size * n * 8)}


def test_the_result_has_the_scale_and_bound_of_the_entries() -> None:
    result = evaluate(2, looked_up(torch.tensor([3, -7])), torch.tensor([1])).results[0]
    assert (result.scale, result.bound) == (0, 7.0)
    words = Given(torch.tensor([[1 << 10, 5 << 10]]), 10, 6.0)
    result = evaluate(2, selected, words, torch.tensor([1])).results[0]
    assert (result.scale, result.bound) == (10, 6.0)


@pytest.mark.parametrize("size", [0, 3, 6, 255, 257, 512])
def test_a_size_that_is_no_power_of_two_up_to_256_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"power of two of entries up to 256, not {size}"):
        next(lookup(dry(1.0), torch.arange(size)))
    with pytest.raises(ValueError, match=f"power of two of entries up to 256, not {size}"):
        next(select(dry(1.0, shape=(3, size)), dry(1.0, shape=(3,))))


@pytest.mark.parametrize("shape", [(1,), (), (2, 3), (4,)])
def test_an_index_that_does_not_fit_its_words_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="does not fit words"):
        next(select(dry(1.0, shape=(3, 8)), dry(1.0, shape=shape)))
