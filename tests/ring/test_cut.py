"""Which of two words is larger, from tables of digits: the sign of V, for every word, and shares of it that add up."""

import numpy as np
import pytest
import torch

from mpcfl.ring import _cut_cpu
from mpcfl.ring.blank import blank
from mpcfl.ring.cut import MOST, SHORT, Cut, Plain, answers, even, read, settle, settle_product, tables
from tests.ring.interpreted import kernel_devices
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
    v = sum(read(c, lower, part, cut, public=False) for part in shared(tables(r, cut), cut))
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
        v = sum(read(row, torch.zeros(1, dtype=torch.int64), part, cut, public=False) for part in shared(whole, cut))
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
    assert read(blank((3,)), lower, part, cut, public=True).shape == (3, 2)
    assert settle(blank((3, 2)), blank((3, 2, 4)), cut, public=False).shape == (3, 2)
    word, table, times, factor = blank((3, 2)), blank((3, 2, 4)), blank((3, 1, 4)), blank((3,))
    products = settle_product(word, table, times, factor, factor, cut, public=True)
    assert [part.shape for part in products] == [(3, 2), (3, 1)]


@pytest.mark.parametrize("cut", [Cut(0, (1,)), Cut(5, (3, 3)), Cut(0, (1, 4, 2)), Cut(0, (1,) * 5)])
def test_the_answer_is_the_top_bit_of_v_whatever_its_mask(cut: Cut) -> None:
    """Of every V and every q modulo 2^(n + 1) and with more bits, and times a factor."""
    turn = 2 * cut.half
    v, q = torch.arange(1 - cut.half, cut.half)[:, None], torch.arange(-turn, turn)
    v, q = v.expand(len(v), len(q)).reshape(-1, 1), q.expand(len(v), len(q)).reshape(-1, 1)
    for sign in (0, 1):
        table = answers(torch.full_like(q, sign), q, cut)
        part = uniform(*table.shape)
        bit = sum(settle(v + q, share, cut, public=k == 0) for k, share in enumerate((part, table - part)))
        assert torch.equal(bit, (v >= 0).to(torch.int64) ^ sign)
        factor, mask = uniform(len(v)), uniform(1, len(v))[0]
        times, other = table * mask[:, None, None], uniform(2, *table.shape)[0]
        shares = ((part, other, factor - mask), (table - part, times - other, mask))
        found = [
            settle_product(v + q, one, two, factor + mask, share, cut, public=k == 0)
            for k, (one, two, share) in enumerate(shares)
        ]
        assert torch.equal(found[0][0] + found[1][0], bit)
        assert torch.equal(found[0][1] + found[1][1], bit * factor[:, None])


def test_the_bit_above_the_digits_is_added_once() -> None:
    cut, k = Cut(4, (3, 2)), 3
    c, lower = uniform(40), uniform(k)
    parts = [torch.zeros(40, *shape[1:], dtype=torch.int64) for shape in cut.shapes((40,))]
    found = read(c, lower, parts, cut, public=True) - read(c, lower, parts, cut, public=False)
    assert torch.equal(found, (((c[:, None] - lower) >> 9) & 1) << 2)


# -- kernels -----------------------------------------------------------------------------------------------------------

SHAPES = [((), 1), ((0,), 2), ((5, 3), 2), ((517,), 1), ((130,), 4)]  # some more than a program's
CUTS = [Cut(10, (5, 5, 5)), Cut(0, even(63, 15)), Cut(0, (4, 5)), Cut(40, (9, 9)), Cut(54, (1,) * 9)]


def operands(cut: Cut, shape: tuple[int, ...], k: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Of `read`: c, lower, tables; of `settle_product`: word, answers, times, opened, factor."""
    first = [uniform(1, *shape)[0], uniform(k), *(uniform(2, *part)[1] for part in cut.shapes(shape))]
    small = (*shape, k)
    return first, [uniform(3, *small)[2], *(uniform(4, *small, cut.half)[2:]), *(uniform(5, *shape)[3:])]


def require_same(backend: object, device: str) -> None:
    for cut in CUTS:
        for shape, k in SHAPES:
            (c, lower, *shared), rest = operands(cut, shape, k)
            for public in (True, False):
                found = backend.read(c.to(device), lower.to(device), [t.to(device) for t in shared], cut, public)
                assert torch.equal(found.cpu(), Plain.read(c, lower, shared, cut, public))
                word, table = (part.to(device) for part in rest[:2])
                found = backend.settle(word, table, cut, public)
                assert torch.equal(found.cpu(), Plain.settle(*rest[:2], cut, public))
                for count in {0, 1, k}:
                    some = [*rest[:2], rest[2][..., :count, :], *rest[3:]]
                    both = backend.settle_product(*(part.to(device) for part in some), cut, public)
                    for one, other in zip(both, Plain.settle_product(*some, cut, public), strict=True):
                        assert torch.equal(one.cpu(), other)


def test_compiled_loops_do_what_the_definition_does() -> None:
    require_same(_cut_cpu, "cpu")


@kernel_devices
def test_the_kernels_do_what_the_definition_does(device: str) -> None:
    from mpcfl.ring import _cut_triton

    require_same(_cut_triton, device)


def test_operands_that_do_not_lie_one_after_the_other() -> None:
    """As those of protocols: views, and shares that were expanded."""
    cut, n, k = Cut(10, (5, 5, 5)), 7, 2
    (c, lower, shared), rest = operands(cut, (n,), k)
    wide = c.expand(3, n).t()[:, 1]
    assert torch.equal(_cut_cpu.read(wide, lower, [shared], cut, True), Plain.read(c, lower, [shared], cut, True))
    word, table, times, opened, factor = rest
    stretched = [word, table, times, opened, factor[:1].expand(n)]
    for one, other in zip(
        _cut_cpu.settle_product(*stretched, cut, True), Plain.settle_product(*stretched, cut, True), strict=True
    ):
        assert torch.equal(one, other)
