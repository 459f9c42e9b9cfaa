"""Bits of short words and their products with another secret, both from the same two openings."""

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols import steps as module
from mpcfl.protocols.rounds import run
from mpcfl.protocols.steps import Words, steps, watched_steps
from tests.evaluation import PARTIES, Given, dry, evaluate, full_range

THRESHOLDS = [-1000, 0, 7, 1 << 14]


def stepped(words_of, *, with_factor: bool):
    def program(session, x, factor):
        return run(session, steps(x, THRESHOLDS, words_of(x), factor if with_factor else None))

    return program


def exact(x):
    return Words.of_error(x, THRESHOLDS, 0.5)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize("with_factor", [True, False])
def test_bits_and_products_of_every_value_near_a_threshold(with_factor: bool, parties: int) -> None:
    x = torch.cat([theta + torch.arange(-40, 41) for theta in THRESHOLDS] + [torch.tensor([16383, -16383])])
    factor = full_range(np.random.default_rng(0), len(x))
    outcome = evaluate(parties, stepped(exact, with_factor=with_factor), Given(x, bound=16384.0), Given(factor, 9, 1.0))
    bits = (x[:, None] >= torch.tensor(THRESHOLDS)).to(torch.int64)
    assert torch.equal(outcome.ring(0), bits)
    assert torch.equal(outcome.ring(1), bits * (factor if with_factor else x)[:, None])
    assert [share.scale for share in outcome.results[0]] == [0, 9 if with_factor else 0]


def test_a_doubtful_bit_is_the_same_in_both_results() -> None:
    x = torch.arange(-600, 600)
    coarse = stepped(lambda share: Words.of_error(share, THRESHOLDS, 512.0), with_factor=False)
    outcome = evaluate(2, coarse, Given(x, bound=16384.0), torch.zeros(1200, dtype=torch.int64))
    bits = outcome.ring(0)
    assert torch.equal(outcome.ring(1), bits * x[:, None])
    right = (x[:, None] >= torch.tensor(THRESHOLDS)).to(torch.int64)
    far = (x[:, None] - torch.tensor(THRESHOLDS)).abs() >= 512
    assert torch.equal(bits[far], right[far]) and not torch.equal(bits, right)


@pytest.mark.parametrize("parties", PARTIES)
def test_another_factor_costs_8_bytes_more(parties: int) -> None:
    n, k, others = 6, len(THRESHOLDS), parties - 1
    x, factor = Given(torch.zeros(n, dtype=torch.int64), bound=16384.0), torch.ones(n, dtype=torch.int64)
    for with_factor, size in ((True, 16), (False, 8)):
        outcome = evaluate(parties, stepped(exact, with_factor=with_factor), x, factor)
        assert outcome.cost("online", parties - 1) == {"steps": (2, 2 * others, (size + k) * n * others)}
        words = exact(dry(16384.0))
        assert outcome.cost("offline", parties) == {"steps": (0, 2, (words.elements + 2 * words.half * k) * n * 8)}


@pytest.mark.parametrize("with_factor", [True, False])
def test_more_values_than_are_dealt_at_a_time(with_factor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In stretches, of which the last is shorter; what is away is watched in all of them."""
    monkeypatch.setattr(module, "_STRETCH", 7 * 30)
    x, factor = torch.arange(-1500, 17000, 61), full_range(np.random.default_rng(0), 304)
    n, turn = len(x), 14

    def program(session, x, factor):
        words = exact(x)
        return run(session, watched_steps(x, THRESHOLDS, words, factor if with_factor else None, turn=turn))

    outcome = evaluate(3, program, Given(x.reshape(2, 152), bound=16384.0), Given(factor.reshape(2, 152), 9, 1.0))
    bits = (x[:, None] >= torch.tensor(THRESHOLDS)).to(torch.int64)
    assert torch.equal(outcome.ring(0), bits.reshape(2, 152, 4))
    assert torch.equal(outcome.ring(1), (bits * (factor if with_factor else x)[:, None]).reshape(2, 152, 4))
    gone = outcome.ring(2).reshape(-1)
    assert gone[x.abs() <= 3 << 11].eq(0).all() and gone[x.abs() > 5 << 11].ne(0).all()
    words = exact(dry(16384.0))
    each = [words.elements, words.half * 8 + 4]
    pieces = sum(-(-n // (7 * 30 // elements)) for elements in each)
    assert pieces > 60 and outcome.cost("offline", 3) == {"steps": (0, pieces, sum(each) * n * 8)}


@pytest.mark.parametrize("count", range(len(THRESHOLDS) + 1))
def test_products_of_the_first_thresholds_alone_cost_those_alone(count: int) -> None:
    def program(session, x):
        return run(session, steps(x, THRESHOLDS, words_of(x), products=count))

    def words_of(x):
        return Words.of_error(x, THRESHOLDS, 0.5, products=count)

    x, n, k = torch.arange(-1500, 17000, 61), 304, len(THRESHOLDS)
    outcome, words = evaluate(3, program, Given(x, bound=16999.0)), words_of(dry(16999.0))
    bits = (x[:, None] >= torch.tensor(THRESHOLDS)).to(torch.int64)
    assert torch.equal(outcome.ring(0), bits)
    assert torch.equal(outcome.ring(1), (bits * x[:, None])[:, :count])
    assert outcome.cost("offline", 3) == {"steps": (0, 2, (words.elements + words.half * (k + count)) * n * 8)}
    assert sum(words.digits) == sum(Words.of_error(dry(16999.0), THRESHOLDS, 0.5).digits)


@pytest.mark.parametrize("bits", range(3, 50))
def test_digits_make_up_the_word_and_no_other_number_of_them_is_cheaper(bits: int) -> None:
    words = Words.of_bits(dry(1.0, scale=60), [0], bits)
    assert sum(words.digits) + 1 == bits and words.drop + bits <= 64
    assert 2.0 ** (60 - words.drop) <= 2.0 ** (bits - 1) - 0.5 < 2.0 ** (61 - words.drop)
    for count in range(1, min(7, bits - 1) + 1):
        short, rest = divmod(bits - 1, count)
        tables = -(-((count - rest) * 2**short + rest * 2 ** (short + 1)) // 8)
        assert words.elements + 2 * words.half <= tables + 2 * 2**count


@pytest.mark.parametrize(("error", "drop"), [(0.5, 0), (0.9, 0), (1.0, 1), (1.5, 1), (2.0, 2), (2.0**70, 61)])
def test_words_of_an_error_are_the_coarsest_that_keep_it(error: float, drop: int) -> None:
    assert Words.of_error(dry(2.0**61), [0], error).drop == drop


def test_a_factor_of_another_shape_is_refused() -> None:
    x = dry(8.0)
    with pytest.raises(ValueError, match="does not fit values"):
        next(steps(x, [0], exact(dry(16384.0)), dry(1.0, shape=(4,))))


def test_a_difference_that_might_wrap_is_refused() -> None:
    with pytest.raises(HeadroomError, match="difference to be compared might need 2 bits"):
        Words.of_bits(dry(2.0**63), [1 << 62], 16)
