"""Waves are right to a few units of float64, and the same to the last bit by every way of computing them."""

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from mpcfl.ring import _threads, _wave_kernels, _waves_cpu, _waves_torch, waves
from mpcfl.ring.prg import Stream
from mpcfl.ring.waves import Coefficients, combine, horner, tables

TURN = 1 << 32
QUARTERS = [q * (TURN // 8) + off for q in range(9) for off in (-2, -1, 0, 1, 2)]  # where a quadrant is chosen
SMALL = [2**k + off for k in range(32) for off in (-1, 0, 1)]
ANGLES = torch.tensor(QUARTERS + SMALL + [TURN // 2 + a for a in SMALL] + [-a for a in SMALL])
HIGHEST = 49  # the largest scale, at which a table shows all but three bits of a float64


def uniform(*shape: int, seed: int = 0) -> torch.Tensor:
    number = sum(size << (15 * place) for place, size in enumerate((seed, *shape)))
    return Stream(b"tests of mpcfl ring waves       ").operation(number).elements(shape)


def coefficients(sines: int, cosines: int, terms: int, size: float = 2.0**16, seed: int = 0) -> Coefficients:
    rng = np.random.default_rng(seed)
    return Coefficients(rng.uniform(-size, size, (sines, terms)), rng.uniform(-size, size, (cosines, terms)))


def exact(angle: int) -> tuple[float, float]:
    """(sin, cos), reduced to an eighth of a turn in integers, where libm is right to one unit."""
    quarter, rest = divmod(angle % TURN + TURN // 8, TURN // 4)
    x = float(rest - TURN // 8) * (2 * math.pi / TURN)
    s, c = math.sin(x), math.cos(x)
    return [(s, c), (c, -s), (-s, -c), (-c, s)][quarter % 4]


# -- right -------------------------------------------------------------------------------------------------------------


def test_sine_and_cosine_are_right_to_two_units_in_the_last_place() -> None:
    angles = torch.cat([ANGLES, uniform(2000)])
    (sine,), (cosine,) = _waves_torch.waves(angles, 1)
    wanted = torch.tensor([exact(a) for a in angles.tolist()], dtype=torch.float64)
    assert (sine - wanted[:, 0]).abs().max() <= 2 * 2.0**-53
    assert (cosine - wanted[:, 1]).abs().max() <= 2 * 2.0**-53


@pytest.mark.parametrize("terms", [16, 32, 256])
def test_the_recurrence_loses_at_most_k_squared_units(terms: int) -> None:
    """Most near half turns, where an error of the recurrence grows with every step."""
    angles = torch.cat([ANGLES, uniform(2000)])
    sines, cosines = _waves_torch.waves(angles, terms)
    for j in sorted({0, 1, 2, terms // 2, terms - 1}):
        k = 2 * j + 1
        (sine,), (cosine,) = _waves_torch.waves((angles * k) % TURN, 1)
        for found, wanted in ((sines[j], sine), (cosines[j], cosine)):
            assert (found - wanted).abs().max() <= k**2 * 2.0**-53


def test_a_table_holds_cosines_then_sines_of_odd_multiples() -> None:
    angles, scale = uniform(50), 20
    cosines, sines = tables(angles, 5, scale)
    for j in range(5):
        wanted = [exact((2 * j + 1) * a) for a in angles.tolist()]
        assert sines[j].tolist() == [round(s * 2**scale) for s, _ in wanted]
        assert cosines[j].tolist() == [round(c * 2**scale) for _, c in wanted]


def test_a_combination_is_the_series_of_the_sum_of_the_angles() -> None:
    """sqrt(terms / 6) units of rounding, eight times at most."""
    terms, table_scale = 12, 24
    a, r, c = uniform(4000, seed=1), uniform(4000, seed=2), coefficients(2, 3, terms, 1000.0)
    found = combine(a, tables(r, terms, table_scale), c)
    k = np.arange(1, 2 * terms, 2)
    z = np.outer((a + r).numpy() % TURN * (2 * np.pi / TURN), k)
    wanted = [*(np.sin(z) @ row for row in c.sines), *(np.cos(z) @ row for row in c.cosines)]
    for one, other in zip(found, wanted, strict=True):
        error = one.numpy() / 2.0**table_scale - other
        assert 0.8 < error.std() / math.sqrt(terms / 6) < 1.2
        assert np.abs(error).max() < 8 * math.sqrt(terms / 6)
        assert abs(error.mean()) < 6 * math.sqrt(terms / 6 / 4000)


def test_a_coefficient_below_half_a_unit_still_counts() -> None:
    """Rounded to nearest it would be 0 at every angle, and the mean over many angles 0 instead of the series."""
    n, z, table_scale = 1 << 16, TURN // 12, 20
    r = uniform(n)
    small = Coefficients(np.array([[0.0, 0.3]]), np.array([[0.0, 0.3]]))
    sine, cosine = combine(z - r, tables(r, 2, table_scale), small)
    for found, wanted in ((sine, 0.3 * math.sin(math.pi / 2)), (cosine, 0.3 * math.cos(math.pi / 2))):
        mean = found.double().mean().item() / 2.0**table_scale
        assert abs(mean - wanted) < 6 * 0.5 / math.sqrt(n)


def test_shares_of_tables_give_shares_of_the_series() -> None:
    a, whole, mask, c = uniform(30), uniform(2, 4, 30), uniform(2, 4, 30, seed=5), coefficients(1, 1, 4)
    parts = zip(combine(a, whole - mask, c), combine(a, mask, c), strict=True)
    assert all(torch.equal(x + y, z) for (x, y), z in zip(parts, combine(a, whole, c), strict=True))


# -- the same bits -----------------------------------------------------------------------------------------------------

SIZES = [0, 1, 2, 255, 256, 257, 600]  # a stretch is 256 angles


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    if request.param > 1:
        monkeypatch.setattr(_threads, "WORK_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)
    return request.param


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("terms", [1, 2, 7, 32])
def test_compiled_tables_are_those_of_torch(terms: int, n: int, threads: int) -> None:
    angles = uniform(n)
    for scale in (0, 16, HIGHEST):
        assert torch.equal(_waves_cpu.tables(angles, terms, scale), _waves_torch.tables(angles, terms, scale))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("sines", "cosines"), [(1, 1), (0, 2), (3, 0), (0, 0)])
def test_compiled_combinations_are_those_of_torch(sines: int, cosines: int, n: int, threads: int) -> None:
    for terms, size in ((1, 1.0), (7, 2.0**16), (32, 2.0**50)):
        angles, shares, c = uniform(n), uniform(2, terms, n), coefficients(sines, cosines, terms, size)
        found, wanted = _waves_cpu.combine(angles, shares, c), _waves_torch.combine(angles, shares, c)
        assert found.shape == (sines + cosines, n) and torch.equal(found, wanted)


@pytest.mark.parametrize("n", [1, 2, 255, 258])
def test_words_are_the_low_halves_of_elements_two_in_one(n: int) -> None:
    angles, shares, c = uniform(n), uniform(2, 7, n + n % 2), coefficients(2, 1, 7)
    dealt = tables(angles, 7, 30, words=True)
    assert dealt.shape == (2, 7, (n + 1) // 2) and dealt.dtype == torch.int64
    assert torch.equal(dealt.view(torch.int32)[..., :n], tables(angles, 7, 30).to(torch.int32))
    halves = shares.to(torch.int32)
    found = combine(angles, halves.view(torch.int64), c, words=True)
    for word, element in zip(found, combine(angles, shares[..., :n], c), strict=True):
        assert word.shape == (n,) and torch.equal(word.to(torch.int32), element.to(torch.int32))


@pytest.mark.parametrize("n", SIZES)
def test_compiled_words_are_those_of_torch(n: int, threads: int) -> None:
    angles, shares, c = uniform(n), uniform(2, 7, n).to(torch.int32), coefficients(2, 2, 7, 2.0**50)
    found = _waves_cpu.tables(angles, 7, 30, torch.int32)
    assert found.dtype == torch.int32 and torch.equal(found, _waves_torch.tables(angles, 7, 30, torch.int32))
    found = _waves_cpu.combine(angles, shares, c)
    assert found.dtype == torch.int32 and torch.equal(found, _waves_torch.combine(angles, shares, c))


def test_compiled_waves_are_those_of_torch_at_every_corner() -> None:
    n = len(ANGLES)
    for terms in (1, 256):
        assert torch.equal(_waves_cpu.tables(ANGLES, terms, HIGHEST), _waves_torch.tables(ANGLES, terms, HIGHEST))
        shares, c = uniform(2, terms, n), coefficients(2, 1, terms, 2.0**50)
        assert torch.equal(_waves_cpu.combine(ANGLES, shares, c), _waves_torch.combine(ANGLES, shares, c))


def test_integers_halfway_go_to_the_even_one() -> None:
    """At angle 0 the cosine is 1 and the die -1/2, exactly."""
    zero, shares = torch.zeros(1, dtype=torch.int64), torch.tensor([[[1]], [[0]]])
    for value, wanted in ((1.0, 0), (2.0, 2), (3.0, 2), (4.0, 4), (-1.0, -2), (-2.0, -2)):
        c = Coefficients(np.empty((0, 1)), np.array([[value]]))
        for backend in (_waves_cpu, _waves_torch):
            assert backend.combine(zero, shares, c).item() == wanted


def test_no_operation_is_fused_with_another() -> None:
    """A fused multiply-add rounds once where two operations round twice: at some angle a table would show it."""
    angles = uniform(300)
    sines, _ = _waves_torch.waves(angles, 8)
    (sine, *_), (cosine, *_) = _waves_torch.waves(angles, 1)
    fused = []
    for s, c in zip(sine.tolist(), cosine.tolist(), strict=True):
        double, before, now = 2 * (c * c - s * s), -s, s
        for _ in range(7):
            before, now = now, float(Fraction(double) * Fraction(now) - Fraction(before))
        fused.append(round(now * 2**HIGHEST))
    _, found = tables(angles, 8, HIGHEST)
    assert found[7].tolist() == [round(s * 2**HIGHEST) for s in sines[7].tolist()]
    assert sum(a != b for a, b in zip(found[7].tolist(), fused, strict=True)) > 10


def test_torch_gives_the_same_bits_with_any_number_of_threads() -> None:
    angles, before = uniform(70_000), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = _waves_torch.tables(angles, 4, HIGHEST)
        torch.set_num_threads(4)
        assert torch.equal(_waves_torch.tables(angles, 4, HIGHEST), alone)
    finally:
        torch.set_num_threads(before)


def test_bits_of_an_angle_above_32_do_not_count() -> None:
    angles, shares, c = uniform(40), uniform(2, 3, 40), coefficients(1, 1, 3)
    low = angles & (TURN - 1)
    assert not torch.equal(low, angles)
    for backend in (_waves_cpu, _waves_torch):
        assert torch.equal(backend.tables(low, 3, HIGHEST), backend.tables(angles, 3, HIGHEST))
        assert torch.equal(backend.combine(low, shares, c), backend.combine(angles, shares, c))


def test_the_bits_are_those_of_other_machines() -> None:
    """The digest that x86-64 gives without vectors, with AVX2 and with AVX-512, and torch with and without them."""
    digest = hashlib.sha256()
    angles = torch.cat([ANGLES, uniform(3000)])
    rows = uniform(4, 64).double().numpy() * 2.0**-14  # up to 2^49
    for backend in (_waves_cpu, _waves_torch):
        digest.update(backend.tables(angles, 64, HIGHEST).numpy().tobytes())
        shares = uniform(2, 64, len(angles))
        digest.update(backend.combine(angles, shares, Coefficients(rows[:2], rows[2:])).numpy().tobytes())
    assert digest.hexdigest()[:16] == "b1f3d714b31b466f"


@pytest.mark.cuda
def test_the_same_bits_on_cuda() -> None:
    angles, shares, c = uniform(1000), uniform(2, 32, 1000), coefficients(1, 2, 32)
    assert torch.equal(tables(angles.cuda(), 32, HIGHEST).cpu(), tables(angles, 32, HIGHEST))
    found = combine(angles.cuda(), shares.cuda(), c)
    assert all(torch.equal(x.cpu(), y) for x, y in zip(found, combine(angles, shares, c), strict=True))


# -- shapes and refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (4, 0), (2, 1, 5)], ids=str)
def test_angles_may_have_any_shape(shape: tuple[int, ...]) -> None:
    angles, shares, c = uniform(*shape), uniform(2, 3, *shape), coefficients(1, 1, 3)
    flat = combine(angles.reshape(-1), shares.reshape(2, 3, angles.numel()), c)
    assert torch.equal(tables(angles, 3, 16), tables(angles.reshape(-1), 3, 16).reshape(2, 3, *shape))
    assert [tuple(one.shape) for one in combine(angles, shares, c)] == [shape] * 2
    assert all(torch.equal(x, y.reshape(shape)) for x, y in zip(combine(angles, shares, c), flat, strict=True))


def test_operands_may_be_views() -> None:
    angles, shares, c = uniform(4, 6), uniform(6, 4, 2, 3), coefficients(1, 1, 3)
    turned = shares.permute(2, 3, 1, 0)[..., ::2]
    assert not turned.is_contiguous()
    found = combine(angles[:, ::2], turned, c)
    wanted = combine(angles[:, ::2].contiguous(), turned.contiguous(), c)
    assert all(torch.equal(x, y) for x, y in zip(found, wanted, strict=True))


def test_without_content_there_are_shapes_alone() -> None:
    meta = torch.empty(5, dtype=torch.int64, device="meta")
    assert tables(meta, 3, 16).is_meta and tables(meta, 3, 16).shape == (2, 3, 5)
    for angles, shares in ((meta, tables(meta, 3, 16)), (uniform(5), tables(meta, 3, 16)), (meta, uniform(2, 3, 5))):
        found = combine(angles, shares, coefficients(2, 1, 3))
        assert [tuple(one.shape) for one in found] == [(5,)] * 3 and all(one.is_meta for one in found)


@pytest.mark.parametrize(("terms", "scale"), [(0, 16), (3, -1), (3, 50)])
def test_tables_that_float64_cannot_hold_are_refused(terms: int, scale: int) -> None:
    with pytest.raises(ValueError, match=f"no tables of {terms} terms at scale {scale}"):
        tables(uniform(3), terms, scale)


@pytest.mark.parametrize("value", [2.0**50 * 1.001, -(2.0**51), math.inf, math.nan])
def test_coefficients_beyond_what_is_rounded_exactly_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="a coefficient is beyond 2\\^50"):
        Coefficients(np.array([[1.0, value]]), np.empty((0, 2)))


def test_shapes_that_do_not_match_are_named() -> None:
    with pytest.raises(ValueError, match=r"coefficients \(1, 3\) and \(1, 2\)"):
        Coefficients(np.ones((1, 3)), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"coefficients \(3,\) and"):
        Coefficients(np.ones(3), np.ones((1, 3)))
    for shares in (uniform(2, 4, 5), uniform(2, 3, 6), uniform(1, 3, 5), uniform(3, 5)):
        with pytest.raises(ValueError, match=r"are not those of 3 terms and angles \(5,\)"):
            combine(uniform(5), shares, coefficients(1, 0, 3))


def test_other_devices_have_torchs_operations() -> None:
    assert waves._load("cpu") is _waves_cpu and waves._load("mps") is _waves_torch
    waves.load("cpu")


def test_kernels_refuse_signed_arrays_whose_overflow_would_be_undefined() -> None:
    signed = uniform(3).numpy()
    with pytest.raises(TypeError, match="No matching definition"):
        _wave_kernels.tables(signed, *_waves_cpu._CONSTANTS, 1.0, np.empty((2, 1, 3), np.uint64), 0, 3)


def test_a_polynomial_is_evaluated_by_single_operations() -> None:
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)
    found = horner(x, (1.0, -2.0, 0.3)).tolist()
    assert found == [(0.3 * v + -2.0) * v + 1.0 for v in x.tolist()]
