"""Secrets are brought to a common size by secret powers of two, and leave as mantissa and exponent."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from mpcfl.protocols.leading_power import (
    KEPT_BITS,
    MANTISSA_BITS,
    MAX_BITS,
    leading_power,
    leading_power_signed,
    normalised,
)
from mpcfl.protocols.rounds import run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate, uniformity

THRESHOLDS = [1 << 20, 1 << 17, 1 << 14, 1 << 11]
STEP = 3
LARGE = Fraction(1) + Fraction(1, 1 << KEPT_BITS)  # a mantissa just below 1, plus its noise


def powers(signed: bool, thresholds: list[int] = THRESHOLDS, step: int = STEP):
    protocol = leading_power_signed if signed else leading_power
    return lambda session, x: run(session, protocol(x, torch.tensor(thresholds), step))


def around(values: list[int]) -> list[int]:
    return [value + off for value in values for off in (-1, 0, 1)]


def in_the_clear(x: int, thresholds: list[int], step: int) -> tuple[int, int, int]:
    count = sum(x < theta for theta in thresholds[:-1])
    return 2 ** (step * count), count, int(x >= thresholds[-1])


@pytest.mark.parametrize("parties", PARTIES)
def test_power_count_and_reached_around_every_threshold(parties: int) -> None:
    x = [0, *around(THRESHOLDS), (1 << 22) - 1]
    outcome = evaluate(parties, powers(signed=False), Given(torch.tensor(x), bound=2.0**22))
    rows = [in_the_clear(value, THRESHOLDS, STEP) for value in x]
    assert [outcome.ring(k).tolist() for k in range(3)] == [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("parties", PARTIES)
def test_signed_is_that_of_the_absolute_value(parties: int) -> None:
    x = [0, *around(THRESHOLDS), *around([-theta for theta in THRESHOLDS])]
    outcome = evaluate(parties, powers(signed=True), Given(torch.tensor(x), bound=2.0**22))
    rows = [in_the_clear(abs(value), THRESHOLDS, STEP) for value in x]
    assert [outcome.ring(k).tolist() for k in range(3)] == [list(column) for column in zip(*rows, strict=True)]


def test_times_its_power_a_value_reaches_the_first_threshold() -> None:
    x = torch.arange(THRESHOLDS[-1], 1 << 22, 991)
    power = evaluate(2, powers(signed=False), Given(x, bound=2.0**22)).ring(0)
    assert int((x * power).min()) >= THRESHOLDS[0]


def test_one_threshold_is_a_plain_comparison() -> None:
    outcome = evaluate(2, powers(signed=False, thresholds=[5]), Given(torch.tensor([4, 5]), bound=8.0))
    assert [outcome.ring(k).tolist() for k in range(3)] == [[1, 1], [0, 0], [0, 1]]


def test_bounds_and_scales() -> None:
    power, count, reached = evaluate(2, powers(signed=True), Given(torch.tensor([1]), bound=8.0)).results[0]
    assert [(s.scale, s.bound) for s in (power, count, reached)] == [(0, 2.0**9), (0, 3.0), (0, 1.0)]


@pytest.mark.parametrize(("signed", "k"), [(False, 4), (True, 8)])
def test_cost_is_that_of_its_comparisons(signed: bool, k: int) -> None:
    n = 5
    outcome = evaluate(3, powers(signed), Given(torch.arange(n), bound=2.0**22))
    online = {"comparison": (3, 6, (8 * n + 3 * n * k) * 2)}
    assert [outcome.cost("online", rank) for rank in range(3)] == [online] * 3


# -- mantissa and exponent ---------------------------------------------------------------------------------------------


def normal(session: Session, x: Share, exponent: Share) -> tuple[Share, Share]:
    return run(session, normalised(x, exponent))


def revealed(outcome: Outcome) -> list[tuple[Fraction, int]]:
    mantissas, exponents = outcome.ring(0).tolist(), outcome.ring(1).tolist()
    return [(Fraction(m, 1 << MANTISSA_BITS), e) for m, e in zip(mantissas, exponents, strict=True)]


def spread(bits: int, rng: np.random.Generator) -> list[int]:
    """Values of every size and either sign that a bound of 2^bits in the ring allows."""
    edges = [2**k + off for k in range(bits) for off in (-1, 0, 1) if 0 < 2**k + off <= 2**bits]
    many = np.exp2(rng.uniform(0, bits, 60)).astype(np.int64).tolist()
    return [sign * value for value in [*edges, *many, 2**bits] for sign in (1, -1)]


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bits", "scale"), [(46, 30), (45, 45), (20, 8)])
def test_a_value_is_its_mantissa_times_a_power_of_two(bits: int, scale: int, parties: int) -> None:
    """To half a unit of the value (noise below its last bit) and KEPT_BITS bits of the mantissa."""
    x = spread(bits, np.random.default_rng(bits))
    e = [(k % 41) - 20 for k in range(len(x))]
    given = Given(torch.tensor(x), scale, 2.0 ** (bits - scale)), Given(torch.tensor(e))
    for value, before, (mantissa, after) in zip(x, e, revealed(evaluate(parties, normal, *given)), strict=True):
        unit = Fraction(2) ** (before - scale)
        error = abs(mantissa * Fraction(2) ** after - value * unit)
        assert error <= unit / 2 + Fraction(2) ** (after - KEPT_BITS)


@pytest.mark.parametrize("bits", [46, 45])
def test_the_size_of_a_mantissa_says_nothing_about_the_size_of_its_value(bits: int) -> None:
    """From 2^-2 to 1, apart from the noise: half a unit of the value, which matters where the value is a few units."""
    x = [value for value in spread(bits, np.random.default_rng(1)) if abs(value) > 1]
    outcome = evaluate(
        2, normal, Given(torch.tensor(x), bound=2.0**bits), Given(torch.zeros(len(x), dtype=torch.int64))
    )
    for value, (mantissa, _) in zip(x, revealed(outcome), strict=True):
        noise = Fraction(1, 2 * abs(value))
        assert Fraction(1, 4) * (1 - noise) <= abs(mantissa) + Fraction(1, 1 << KEPT_BITS)
        assert abs(mantissa) <= LARGE


def test_zero_is_zero_to_its_precision() -> None:
    outcome = evaluate(2, normal, Given(torch.zeros(50, dtype=torch.int64), 30, 2.0**10), Given(torch.zeros(50).long()))
    for mantissa, exponent in revealed(outcome):
        assert abs(mantissa * Fraction(2) ** exponent) <= Fraction(1, 1 << 30)


@pytest.mark.parametrize("bits", [46, 34, 20])
def test_below_the_last_bit_of_a_value_there_is_only_noise(bits: int) -> None:
    """However far a value was shifted: zeros down there would tell how far, and so the size of the column."""
    values, n = [0, 1, 5, 1 << 11, 1 << 12, 1 << 13, (1 << 20) - 1], 300
    x = torch.tensor(values).repeat_interleave(n)
    mantissas = evaluate(2, normal, Given(x, bound=2.0**bits), Given(torch.zeros_like(x))).ring(0)
    raw = mantissas.numpy().astype("<i8").view(np.uint8).reshape(len(values), n, 8)
    for value, own in zip(values, raw, strict=True):
        count = sum(value < 1 << k for k in range(bits - 2, 0, -2))
        last = max(MANTISSA_BITS - bits + 2 * count, MANTISSA_BITS - KEPT_BITS)  # the value's last bit, shifted
        assert uniformity([torch.from_numpy(own[:, : last // 8].copy())]) > UNLIKELY, value


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bits", "products"), [(46, 2), (34, 1), (21, 1)])
def test_cost_is_four_rounds(bits: int, products: int, parties: int) -> None:
    n, others, k = 7, parties - 1, 2 * (bits // 2)
    given = Given(torch.arange(n), 10, 2.0 ** (bits - 10)), Given(torch.zeros(n, dtype=torch.int64))
    outcome = evaluate(parties, normal, *given)
    for rank in range(parties):
        assert outcome.cost("online", rank) == {
            "comparison": (3, 3 * others, (8 * n + 3 * n * k) * others),
            "product": (1, others, products * 2 * n * 8 * others),
        }
    of_x, of_a_threshold = (256, 8) if k > 40 else (176, 10) if k > 26 else (96, 13)
    assert outcome.cost("offline", parties) == {
        "comparison": (0, 1, (of_x * n + of_a_threshold * n * k) * 8),
        "noise": (0, 1, 3 * n * 8),
        "product": (0, products, products * n * 8),
    }


def test_a_value_of_too_many_bits_is_refused_in_the_plan() -> None:
    with pytest.raises(ValueError, match=f"takes {MAX_BITS} bits, not 47"):
        next(normalised(dry(2.0**17, scale=30), dry(4.0)))
