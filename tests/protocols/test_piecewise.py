"""Piecewise linear functions, exact except beside a kink, where they are off by no more than the docstring says."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from mpcfl.errors import HeadroomError
from mpcfl.protocols.piecewise import clip, piecewise_linear, positive_part, soft_threshold
from mpcfl.protocols.rounds import Protocol, run
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, UNLIKELY, Given, Outcome, dry, evaluate, uniformity

SCALE, BOUND, T = 20, 64.0, 1.5
ONE = 1 << SCALE
UNIT_AT_16_BITS = 2.0**-14  # of bound + |kink|
FUNCTIONS: dict[str, tuple[Callable[..., Protocol], Callable[[torch.Tensor], torch.Tensor], list[float]]] = {
    "positive part": (positive_part, lambda x: x.clamp(min=0), [0.0]),
    "soft threshold": (
        lambda x, **k: soft_threshold(x, T, **k),
        lambda x: x.sign() * (x.abs() - int(T * ONE)).clamp(min=0),
        [-T, T],
    ),
    "clip": (lambda x, **k: clip(x, T, **k), lambda x: x.clamp(-int(T * ONE), int(T * ONE)), [-T, T]),
    "absolute value": (lambda x, **k: piecewise_linear(x, [0.0], [-1, 1], **k), torch.abs, [0.0]),
    "a hat": (
        lambda x, **k: piecewise_linear(x, [-1.0, 0.0, 1.0], [0, 1, -1, 0], **k),
        lambda x: (ONE - x.abs()).clamp(min=0),
        [-1.0, 0.0, 1.0],
    ),
}
EVERY = pytest.mark.parametrize("name", FUNCTIONS)


def applied(protocol: Callable[..., Protocol], **settings: float) -> Callable[[Session, Share], Share]:
    return lambda session, x: run(session, protocol(x, **settings))


def values(bound: float = BOUND, kinks: Sequence[float] = (0.0, 1.0, T)) -> torch.Tensor:
    """Both extremes of the bound, every size in between, the neighbourhood of kinks at all distances, and noise."""
    top = int(bound * ONE)
    near = [
        int(kink * ONE) + sign * off
        for kink in kinks
        for k in range(30)
        for off in (2**k, 3 * 2**k)
        for sign in (1, -1)
    ]
    inside = [place for place in near if abs(place) <= top] + [int(kink * ONE) for kink in kinks]
    edges = torch.tensor([*inside, top, -top, top - 1, 1 - top])
    many = torch.from_numpy(np.random.default_rng(0).integers(-top, top, 2000, endpoint=True))
    return torch.cat([edges, -edges, many])


def off(outcome: Outcome, exact: torch.Tensor) -> torch.Tensor:
    return (outcome.ring() - exact).abs()


@EVERY
@pytest.mark.parametrize("parties", PARTIES)
def test_exact_outside_half_a_unit_of_a_kink_and_off_by_no_more_than_the_distance_within(
    name: str, parties: int
) -> None:
    protocol, exact, kinks = FUNCTIONS[name]
    x = values()
    wrong = off(evaluate(parties, applied(protocol), Given(x, SCALE, BOUND)), exact(x))
    distance = torch.stack([(x - int(kink * ONE)).abs() for kink in kinks]).min(0).values
    half = UNIT_AT_16_BITS / 2 * (BOUND + max(map(abs, kinks))) * ONE
    assert (wrong[distance >= half] == 0).all()
    assert (wrong <= 2 * distance).all() and (wrong < 2 * half).all()
    assert half > 2, "there is something that could be wrong"


@EVERY
@pytest.mark.parametrize("error", [2.0**-6, 2.0**-12, 2.0**-17])
def test_an_error_that_is_asked_for_is_kept(name: str, error: float) -> None:
    protocol, exact, kinks = FUNCTIONS[name]
    x = values()
    wrong = off(evaluate(2, applied(protocol, error=error), Given(x, SCALE, BOUND)), exact(x))
    distance = torch.stack([(x - int(kink * ONE)).abs() for kink in kinks]).min(0).values
    assert (wrong[distance >= error * ONE] == 0).all() and (wrong <= 2 * distance).all()


@EVERY
@pytest.mark.parametrize("parties", PARTIES)
def test_exact_where_an_error_below_one_unit_is_asked_for(name: str, parties: int) -> None:
    protocol, exact, _ = FUNCTIONS[name]
    x = values()
    assert not off(evaluate(parties, applied(protocol, error=2.0**-21), Given(x, SCALE, BOUND)), exact(x)).any()


@EVERY
def test_exact_where_all_bits_fit_the_words(name: str) -> None:
    protocol, _, _ = FUNCTIONS[name]
    small, unit = torch.arange(-(1 << 14) + 9, 1 << 14, 7), 4
    exact = {
        "positive part": small.clamp(min=0),
        "soft threshold": small.sign() * (small.abs() - 24).clamp(min=0),
        "clip": small.clamp(-24, 24),
        "absolute value": small.abs(),
        "a hat": (16 - small.abs()).clamp(min=0),
    }[name]
    assert torch.equal(evaluate(3, applied(protocol), Given(small, unit)).ring(), exact)


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("bound", "scale"), [(2.0**62, 0), (2.0**61, 1), (2.0**20, 40), (2.0**-10, 60)])
def test_values_of_the_whole_range(bound: float, scale: int, parties: int) -> None:
    top = int(bound * 2.0**scale)
    many = torch.from_numpy(np.random.default_rng(1).integers(-top, top, 1000, endpoint=True))
    x = torch.cat([many, torch.tensor([top, -top, top - 1, 1 - top, 0])])
    wrong = off(evaluate(parties, applied(positive_part), Given(x, scale, bound)), x.clamp(min=0))
    assert (wrong[x.abs() >= top >> 15] == 0).all() and (wrong <= x.abs()).all()


@pytest.mark.parametrize("parties", PARTIES)
@pytest.mark.parametrize(("name", "elements"), [("positive part", 12 + 16), ("soft threshold", 12 + 32)])
def test_cost_is_two_rounds_and_9_or_10_bytes(name: str, elements: int, parties: int) -> None:
    protocol, _, kinks = FUNCTIONS[name]
    n, others = 15, parties - 1
    outcome = evaluate(parties, applied(protocol), Given(torch.arange(n).reshape(3, 5), SCALE, BOUND))
    for rank in range(parties):
        assert outcome.cost("online", rank) == {"steps": (2, 2 * others, (8 + len(kinks)) * n * others)}
    assert outcome.cost("offline", parties) == {"steps": (0, 2, elements * n * 8)}


@pytest.mark.parametrize(("bits", "elements"), [(12, 20), (16, 28), (20, 46), (24, 60), (32, 112)])
def test_a_smaller_error_is_paid_for_offline(bits: int, elements: int) -> None:
    bound = 1 - 2.0**-11
    x = Given(torch.zeros(4, dtype=torch.int64), 40, bound)
    outcome = evaluate(2, applied(positive_part, error=2.0**-bits), x)
    assert outcome.cost("offline", 2) == {"steps": (0, 2, elements * 4 * 8)}
    assert outcome.cost("online") == {"steps": (2, 2, 9 * 4)}


@EVERY
def test_the_result_keeps_scale_and_shape_and_a_bound_that_holds(name: str) -> None:
    protocol, exact, _ = FUNCTIONS[name]
    x = values()
    outcome = evaluate(2, applied(protocol), Given(x[:24].reshape(2, 3, 4), SCALE, BOUND))
    assert [(share.shape, share.scale) for share in outcome.results] == [((2, 3, 4), SCALE)] * 3
    largest = float(exact(x).abs().max()) / ONE
    assert largest <= outcome.results[0].bound <= largest + 0.02


def test_a_scalar_and_nothing_at_all() -> None:
    assert evaluate(2, applied(positive_part), Given(torch.tensor(-5), 0, 9.0)).ring().tolist() == 0
    empty = Given(torch.empty(0, dtype=torch.int64), 0, 9.0)
    assert evaluate(2, applied(positive_part), empty).ring().shape == (0,)


@pytest.mark.parametrize("value", [0, 12345, -(1 << 25)])
def test_what_a_party_sees_is_uniform_whatever_the_value(value: int) -> None:
    """One value four thousand times: both messages of the other party, their sums, and the dealer's tables."""
    n = 4000
    x = Given(torch.full((n,), value), SCALE, BOUND)
    outcome = evaluate(2, applied(FUNCTIONS["soft threshold"][0]), x)
    views = [[m for m in outcome.sessions[rank].wire.view if m.dtype == torch.uint8][-2:] for rank in (0, 1)]
    for theirs, ours, width in zip(*views, (torch.int64, torch.uint8), strict=True):
        assert uniformity([theirs]) > UNLIKELY and uniformity([ours]) > UNLIKELY
        assert uniformity([theirs.view(width) + ours.view(width)]) > UNLIKELY
    dealt = [m for m in outcome.sessions[1].wire.view if m.dtype == torch.int64]
    assert [m.numel() for m in dealt] == [12 * n, 32 * n]
    for tables in dealt:
        assert uniformity([tables]) > UNLIKELY


@pytest.mark.parametrize(("kinks", "slopes"), [([], [1]), ([0.0], [1]), ([0.0], [0, 1, 0]), ([1.0, -1.0], [0, 1, 0])])
def test_what_is_no_function_is_refused(kinks: list[float], slopes: list[int]) -> None:
    with pytest.raises(ValueError, match="rising kinks and one slope more"):
        next(piecewise_linear(dry(1.0), kinks, slopes))


@pytest.mark.parametrize("protocol", [soft_threshold, clip])
@pytest.mark.parametrize("t", [-1.0, float("inf"), float("nan")])
def test_a_threshold_that_is_none_is_refused(protocol: Callable[..., Protocol], t: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        next(protocol(dry(1.0), t))


@pytest.mark.parametrize("error", [0.0, -1.0, float("nan")])
def test_an_error_that_is_none_is_refused(error: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        next(positive_part(dry(1.0), error=error))


def test_a_difference_that_might_wrap_is_refused_in_the_plan() -> None:
    with pytest.raises(HeadroomError, match="difference to be compared might need 1 bits"):
        next(soft_threshold(dry(2.0**41, scale=20), 2.0**41 + 1))
