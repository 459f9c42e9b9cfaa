"""Fixed point, held against Python's fractions: right to the last bit, and nothing out of range gets through."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from mpcfl.errors import DataError, HeadroomError
from mpcfl.ring.fixed import decode, encode, encode_words


def spread(count: int, low: int, high: int) -> np.ndarray:
    """Reals of either sign, 53 random bits each, whose sizes go from 2^(low - 1) to 2^high."""
    generator = np.random.default_rng(7)
    mantissa = generator.integers(2**52, 2**53, count) * generator.choice([-1.0, 1.0], count)
    return np.ldexp(mantissa, generator.integers(low, high + 1, count) - 53)


def wrapped(number: int) -> int:
    """`number` modulo 2^64, as two's complement."""
    return (number + 2**63) % 2**64 - 2**63


# encode


@pytest.mark.parametrize("scale", [0, 1, 16, 31, 32, 53, 62])
def test_encode_rounds_to_nearest_and_ties_to_even(scale: int) -> None:
    values = np.concatenate([spread(500, -80, 62 - scale), np.ldexp([0.5, 1.5, 2.5, -0.5, -1.5, -2.5], -scale)])
    expected = [round(Fraction(value) * 2**scale) for value in values]
    assert encode(values, scale).tolist() == expected


def test_encode_keeps_every_bit_of_numbers_that_fit() -> None:
    largest = float(np.nextafter(2.0**62, 0))
    assert encode(np.array([largest, -largest]), 0).tolist() == [2**62 - 2**9, -(2**62) + 2**9]
    assert encode(largest / 2.0**62, 62).item() == 2**62 - 2**9
    assert encode(np.array([5e-324, -5e-324, -0.0, 2.0**-62]), 62).tolist() == [0, 0, 0, 1]


def test_encode_takes_what_holds_real_numbers() -> None:
    values = np.array([[0.5, -1.25], [2.0, 3.75]])
    read_only = values.copy()
    read_only.flags.writeable = False
    expected = [[8, -20], [32, 60]]
    for same in (
        values,
        read_only,
        np.asfortranarray(values),
        values[::-1, ::-1].copy()[::-1, ::-1],
        values.astype(np.float32),
        values.astype(">f8"),
        torch.from_numpy(values),
        torch.from_numpy(values).to(torch.float32),
        torch.from_numpy(values.T.copy()).t(),
        torch.from_numpy(values).requires_grad_(),
    ):
        ring = encode(same, 4)
        assert ring.dtype == torch.int64
        assert ring.tolist() == expected
    assert encode(np.array([1, -2]), 4).tolist() == [16, -32]
    assert encode(0.3, 4).shape == ()
    assert encode(np.zeros((0, 3)), 4).shape == (0, 3)


def test_encode_leaves_its_input_alone() -> None:
    values = torch.tensor([0.3, -0.7], dtype=torch.float64)
    encode(values, 0)
    assert values.tolist() == [0.3, -0.7]


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("offender", "error", "says"),
    [
        (np.nan, DataError, r"income\[1, 2\] is NaN"),
        (np.inf, DataError, r"income\[1, 2\] is infinite"),
        (-np.inf, DataError, r"income\[1, 2\] is infinite"),
        (2.0**46, HeadroomError, r"income\[1, 2\] at scale 16 does not fit 62 bits: its size must be below 2\^46"),
        (-(2.0**46), HeadroomError, r"income\[1, 2\] at scale 16"),
        (1.7e308, HeadroomError, r"income\[1, 2\] at scale 16"),
    ],
)
def test_what_does_not_fit_is_named_with_its_index(offender: float, error: type[Exception], says: str, kind) -> None:
    values = np.ones((3, 4))
    values[1, 2] = values[2, 0] = offender
    with pytest.raises(error, match=says):
        encode(kind(values), 16, name="income")


def test_the_first_offender_is_named_whatever_its_kind() -> None:
    with pytest.raises(HeadroomError, match=r"y\[1\]"):
        encode(np.array([0.0, 9.0, np.nan]), 16, bound=8, name="y")
    with pytest.raises(DataError, match=r"y\[0\]"):
        encode(np.array([np.nan, 9.0]), 16, bound=8, name="y")
    with pytest.raises(DataError, match="^rate is NaN"):
        encode(float("nan"), 16, name="rate")


def test_a_bound_is_the_largest_value_let_through() -> None:
    assert encode(np.array([-8.0, 8.0]), 16, bound=8.0).tolist() == [-(2**19), 2**19]
    with pytest.raises(HeadroomError, match=r"value\[1\] is outside the bound 8") as refused:
        encode(np.array([0.0, np.nextafter(-8.0, -9.0)]), 16, bound=8.0)
    assert refused.value.hint is not None
    with pytest.raises(HeadroomError, match="at scale 16"):
        encode(2.0**50, 16, bound=2.0**51)
    for bound in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="bound"):
            encode(0.0, 16, bound=bound)


def test_no_refusal_repeats_the_value() -> None:
    for bound in (None, 1000.0):
        with pytest.raises(HeadroomError) as refused:
            encode(np.array([1.0, 123456789.0]), 40, bound=bound)
        for trace in ("123456789", "1.23", "1.2e"):
            assert trace not in str(refused.value)


def test_what_is_not_real_numbers_is_refused_by_name() -> None:
    for values in (np.array(["3"]), np.array([1.0, None]), np.array([1j]), torch.tensor([1j])):
        with pytest.raises(DataError, match="sex holds .*, not real numbers"):
            encode(values, 16, name="sex")


@pytest.mark.parametrize("scale", [-1, 63, 64])
def test_encode_refuses_a_scale_outside_62_bits(scale: int) -> None:
    with pytest.raises(ValueError, match=f"scale {scale}"):
        encode(0.0, scale)


def test_a_scale_is_a_whole_number() -> None:
    for scale in (16.0, True, "16"):
        for call in (encode, lambda x, s: decode(encode(x, 1), s), lambda x, s: encode_words(x, [s])):
            with pytest.raises(TypeError, match="a scale is an int"):
                call(0.0, scale)


# decode


@pytest.mark.parametrize("scale", [-900, -3, 0, 1, 16, 34, 62, 64, 128, 900])
def test_decode_is_the_nearest_float64_for_either_sign(scale: int) -> None:
    generator = np.random.default_rng(3)
    numbers = np.concatenate(
        [
            generator.integers(-(2**63), 2**63 - 1, 500),
            generator.integers(-(2**63), 2**63 - 1, 500) >> generator.integers(0, 63, 500),
            [-(2**63), 2**63 - 1, -(2**53) - 1, 2**53 + 1, 2**53 + 3, -65536, -1, 0, 1],
        ]
    )
    expected = [float(Fraction(int(number)) / Fraction(2) ** scale) for number in numbers]
    real = decode(torch.from_numpy(numbers), scale)
    assert real.dtype == torch.float64
    assert real.tolist() == expected


def test_decode_undoes_encode_within_half_a_unit() -> None:
    values = spread(1000, -20, 20)
    back = decode(encode(values, 30), 30).numpy()
    assert np.abs(back - values).max() <= 2.0**-31
    assert decode(encode(back, 30), 30).tolist() == back.tolist()


def test_decode_leaves_its_input_alone_and_refuses_reals() -> None:
    ring = torch.tensor([3, -3])
    decode(ring, 1)
    assert ring.tolist() == [3, -3]
    with pytest.raises(TypeError, match=r"torch\.float64"):
        decode(torch.zeros(1, dtype=torch.float64), 1)
    for scale in (901, -901):
        with pytest.raises(ValueError, match=f"scale {scale}"):
            decode(ring, scale)


def test_the_meta_device_gives_shapes_alone() -> None:
    ring = encode(torch.empty(3, 2, device="meta"), 16)
    assert (ring.is_meta, ring.dtype, ring.shape) == (True, torch.int64, (3, 2))
    real = decode(ring, 16)
    assert (real.is_meta, real.dtype, real.shape) == (True, torch.float64, (3, 2))


# encode_words

SCALES = [-1200, -1000, -64, -54, -53, -1, 0, 1, 11, 52, 53, 62, 63, 64, 65, 126, 1000, 1074, 1137, 1138, 5000, 10**9]


def test_each_word_is_the_rounded_product_modulo_2_64() -> None:
    values = np.concatenate([spread(60, -1074, 1023), spread(60, -60, 60), [0.0, -0.0, 5e-324, 1.7e308, -1.0, 2.0**63]])
    words = encode_words(values, SCALES)
    assert words.shape == (len(values), len(SCALES))
    for k, scale in enumerate(SCALES):
        exponent = min(scale, 5000)  # 2^5000 and 2^(10^9) times any float64 are both 0 modulo 2^64
        expected = [wrapped(round(Fraction(value) * Fraction(2) ** exponent)) for value in values]
        assert words[:, k].tolist() == expected, f"scale {scale}"


def test_words_round_ties_to_even() -> None:
    ties = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.0**52 + 0.5, -(2.0**52) - 1.5])
    assert encode_words(ties, [0])[:, 0].tolist() == [0, 2, 2, 0, -2, -2, 2**52, -(2**52) - 2]


def test_words_of_values_that_fit_are_what_encode_gives() -> None:
    values = spread(500, -40, 40).reshape(5, 100)
    assert torch.equal(encode_words(values, [20])[..., 0], encode(values, 20))


def test_two_words_hold_what_one_cannot() -> None:
    """Words at scales 48 and 80, both modulo 2^64, determine value * 2^80 up to 2^95."""
    values = spread(200, -40, 14)
    for value, (low, high) in zip(values, encode_words(values, [80, 48]).tolist(), strict=True):
        guess = high << 32
        assert guess + wrapped(low - guess) == round(Fraction(value) * 2**80)


def test_words_keep_the_shape() -> None:
    assert encode_words(3.0, [0, 1]).tolist() == [3, 6]
    assert encode_words(np.zeros((2, 0, 3)), [0, 1]).shape == (2, 0, 3, 2)
    assert encode_words(np.zeros((2, 3)), []).shape == (2, 3, 0)


def test_words_of_what_is_no_number_are_refused_by_name() -> None:
    values = np.zeros((2, 3))
    values[1, 0] = np.nan
    with pytest.raises(DataError, match=r"gram\[1, 0\] is NaN"):
        encode_words(values, [0], name="gram")
    values[0, 2] = -np.inf
    with pytest.raises(DataError, match=r"gram\[0, 2\] is infinite"):
        encode_words(values, [0], name="gram")
