"""Opening: every compute party learns the sum of the shares, in one flat message a round, by the cheaper route."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.sharing import opening
from mpcfl.sharing.opening import LONG_MESSAGE, Masked, open_masked
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import EDGES, PARTIES, Outcome, evaluate, full_range, wrapped

WIDTHS = (8, 16, 32, 64)


def opens(*widths: int) -> Any:
    """Opens its shares as they are (what masks them is the business of the protocols), at these widths."""

    def program(session: Session, *shares: Share) -> list[torch.Tensor]:
        return open_masked(session, [Masked(x, width) for x, width in zip(shares, widths, strict=True)])

    return program


def low_bits(x: torch.Tensor, width: int) -> torch.Tensor:
    return x if width == 64 else x & ((1 << width) - 1)


def total_cost(outcome: Outcome, rank: int) -> tuple[int, ...]:
    """(rounds, messages, bytes) online; the protocols that call an opening name it."""
    return outcome.cost("online", rank)["setup"]


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("width", WIDTHS)
def test_opened_is_the_sum_modulo_the_width(width: int, parties: int) -> None:
    x = torch.cat([wrapped(EDGES), full_range(np.random.default_rng(width), 200)])
    outcome = evaluate(parties, opens(width), x)
    for rank in range(parties):
        (opened,) = outcome.results[rank]
        assert opened.dtype == torch.int64
        assert torch.equal(opened, low_bits(x, width))


@pytest.mark.parametrize("parties", PARTIES)
def test_tensors_of_all_widths_and_shapes_travel_in_one_message(parties: int) -> None:
    """Odd sizes first, so that nothing in the buffer is where its type would like it."""
    rng = np.random.default_rng(1)
    shapes, widths = [(3,), (5, 1), (), (0, 2), (2, 2), (7,)], [8, 16, 64, 32, 32, 64]
    values = [full_range(rng, *shape) for shape in shapes]
    outcome = evaluate(parties, opens(*widths), *values)
    for rank in range(parties):
        for value, width, opened in zip(values, widths, outcome.results[rank], strict=True):
            assert opened.shape == value.shape and torch.equal(opened, low_bits(value, width))
    size = sum(math.prod(shape) * width // 8 for shape, width in zip(shapes, widths, strict=True))
    others = parties - 1
    assert [total_cost(outcome, rank) for rank in range(parties)] == [(1, others, size * others)] * parties


def test_views_that_are_not_contiguous_are_opened_as_they_read() -> None:
    x = full_range(np.random.default_rng(2), 4, 6)

    def program(session: Session, x: Share) -> list[torch.Tensor]:
        return open_masked(session, [Masked(x.T), Masked(x[:, ::2], 32), Masked(x[0].expand(3, 6), 8)])

    opened = evaluate(3, program, x).results[0]
    assert torch.equal(opened[0], x.T)
    assert torch.equal(opened[1], low_bits(x[:, ::2], 32))
    assert torch.equal(opened[2], low_bits(x[0].expand(3, 6), 8))


def test_the_shares_themselves_are_left_as_they_were() -> None:
    def program(session: Session, x: Share) -> tuple[torch.Tensor, Share]:
        before = x._ring.clone()
        open_masked(session, [Masked(x)])
        return before, x

    for before, after in evaluate(3, program, torch.arange(5)).results[:3]:
        assert torch.equal(before, after._ring)


def test_parties_without_shares_get_shapes() -> None:
    outcome = evaluate(2, opens(64, 8), torch.ones(2, 3, dtype=torch.int64), torch.ones(4, dtype=torch.int64))
    dealer = outcome.results[2]
    assert all(opened.is_meta for opened in dealer)
    assert [tuple(opened.shape) for opened in dealer] == [(2, 3), (4,)]
    assert not outcome.cost("online", 2)


# -- routes ------------------------------------------------------------------------------------------------------------


def stretch(count: int, index: int, parts: int) -> int:
    """Elements of stretch `index` when `count` elements are cut into `parts`."""
    return count * (index + 1) // parts - count * index // parts


def long_route_bytes(sizes: list[tuple[int, int]], rank: int, parties: int) -> int:
    """Every other party's stretch goes to it, and the sum of the own stretch to every other; sizes: (count, width)."""
    whole = sum(count * width // 8 for count, width in sizes)
    own = sum(stretch(count, rank, parties) * width // 8 for count, width in sizes)
    return whole - own + (parties - 1) * own


@pytest.mark.parametrize("parties", [3, 5])
@pytest.mark.parametrize("sizes", [[(1000, 64)], [(997, 64), (13, 8), (1, 64), (31, 16), (0, 32)]])
def test_long_messages_go_by_two_rounds_and_fewer_bytes(
    sizes: list[tuple[int, int]], parties: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "LONG_MESSAGE", 1000)
    rng = np.random.default_rng(3)
    values = [full_range(rng, count) for count, _ in sizes]
    widths = [width for _, width in sizes]
    outcome = evaluate(parties, opens(*widths), *values)
    for rank in range(parties):
        for value, width, opened in zip(values, widths, outcome.results[rank], strict=True):
            assert torch.equal(opened, low_bits(value, width))
        expected = (2, 2 * (parties - 1), long_route_bytes(sizes, rank, parties))
        assert total_cost(outcome, rank) == expected


@pytest.mark.parametrize(("parties", "extra", "rounds"), [(3, 0, 1), (3, 1, 2), (5, 1, 2), (2, 1, 1)])
def test_the_long_route_is_for_more_than_a_mebibyte_among_three_or_more(parties: int, extra: int, rounds: int) -> None:
    assert LONG_MESSAGE == 2**20
    count = LONG_MESSAGE // 8 + extra
    x = full_range(np.random.default_rng(4), count)
    outcome = evaluate(parties, opens(64), x)
    assert all(torch.equal(outcome.results[rank][0], x) for rank in range(parties))
    for rank in range(parties):
        size = long_route_bytes([(count, 64)], rank, parties) if rounds == 2 else (parties - 1) * count * 8
        assert total_cost(outcome, rank) == (rounds, rounds * (parties - 1), size)


@pytest.mark.parametrize("parties", [3, 5])
def test_the_long_route_sends_two_parts_in_n_of_what_the_short_one_does(parties: int) -> None:
    """2 (N - 1) / N times the bytes instead of N - 1 times, for a length that N divides."""
    count = 15 * 1000
    for rank in range(parties):
        assert long_route_bytes([(count, 64)], rank, parties) * parties == 2 * (parties - 1) * count * 8
