"""Which of two words is larger, from tables of digits: the sign of V, for every word, and shares of it that add up."""

import numpy as np
import pytest
import torch

from mpcfl.ring.blank import blank
from mpcfl.ring.cut import MOST, SHORT, Cut, even, read, tables
from tests.ring.test_product import uniform

WORDS = [Cut(0, (3, 3)), Cut(5, (1, 4, 2)), Cut(0, (1,)), Cut(0, even(8, 7)), Cut(3, even(8, 8))]


def shared(whole: list[torch.Tensor], cut: Cut) -> list[list[torch.Tensor]]:
    """Two parties' shares, each entry in its own lane."""
    types = {8: torch.int8, 16: torch.int16}
    one = [uniform(table.numel()).reshape(table.shape) for table in whole]
    two = [
        (table.view(types[lane]) - part.view(types[lane])).view(torch.int64)
        for table, part, lane in zip(whole, one, cut.lanes, strict=True)
    ]
    return [one, two]


def signs(v: torch.Tensor, cut: Cut) -> torch.Tensor:
    """Of V modulo 2^(n + 1)."""
    rest = v & (2 * cut.half - 1)
    return torch.where(rest >= cut.half, -1, (rest > 0).to(torch.int64))


@pytest.mark.parametrize("cut", WORDS)
def test_v_has_the_sign_of_the_difference_of_all_pairs_of_words(cut: Cut) -> None:
    every = torch.arange(1 << sum(cut.digits))
    r = every + (uniform(len(every)) << sum(cut.digits))  # what is above does not count
    r = (r << cut.drop) + (uniform(len(every)) & ((1 << cut.drop) - 1))
    lower = -(every << cut.drop)
    c = torch.zeros_like(every)  # d = c - lower
    v = sum(read(c, lower, part, cut) for part in shared(tables(r, cut), cut))
    assert torch.equal(signs(v, cut), torch.sign(every - every[:, None]))


@pytest.mark.parametrize("count", range(6, MOST + 1))
def test_words_of_63_bits_that_differ_anywhere(count: int) -> None:
    cut = Cut(0, even(63, count))
    rng = np.random.default_rng(count)
    r = torch.from_numpy(rng.integers(0, 2**63, 16))
    other = [r, r ^ 1, r ^ (1 << 62), *(r ^ (1 << int(k)) for k in rng.integers(0, 63, 8)), torch.zeros_like(r)]
    d = torch.stack([*other, torch.full_like(r, 2**63 - 1)])
    whole = tables(r, cut)
    for row in d:
        v = sum(read(row, torch.zeros(1, dtype=torch.int64), part, cut) for part in shared(whole, cut))
        assert torch.equal(signs(v[:, 0], cut), (row > r).to(torch.int64) - (row < r).to(torch.int64))


def test_the_word_that_is_opened_holds_all_that_v_can_be() -> None:
    for count in range(1, MOST + 1):
        cut = Cut(0, (1,) * count)
        assert 2 * cut.half <= 1 << cut.word and len(cut.shapes(())) == len(cut.lanes) == 1 + (count > SHORT)


@pytest.mark.parametrize("count", range(1, 7))
def test_digits_of_a_few_bits_are_cut_as_cheaply_as_can_be(count: int) -> None:
    def compositions(bits: int, parts: int) -> list[tuple[int, ...]]:
        if parts == 1:
            return [(bits,)]
        return [(first, *rest) for first in range(1, bits) for rest in compositions(bits - first, parts - 1) if rest]

    for bits in range(count, 11):
        best = min(Cut(0, digits).elements for digits in compositions(bits, count) if min(digits) > 0)
        assert Cut(0, even(bits, count)).elements == best


def test_without_content_there_are_shapes_alone() -> None:
    cut = Cut(0, (3, 3))
    lower, part = torch.zeros(2, dtype=torch.int64), [blank((3, 2))]
    assert read(blank((3,)), lower, part, cut).shape == (3, 2)
