"""Chebyshev doublings invert a shared matrix, from nothing or from an inverse that is near, and can do no harm."""

import numpy as np
import pytest
import torch

from mpcfl.protocols.rounds import run
from mpcfl.ring.fixed import encode
from mpcfl.sharing.share import Share
from mpcfl.solvers.preconditioner import MATRIX_SCALE, Sum, doubled, inverse, mixes
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, Given, Outcome, evaluate
from tests.joint import Array

D = 8


def matrix(condition: float, *, largest: float = 0.9, d: int = D, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    return np.asarray((turn * (largest * np.geomspace(1, 1 / condition, d))) @ turn.T)


def given(a: Array, scale: int = MATRIX_SCALE, bound: float = 1.0) -> Given:
    return Given(encode(a, scale, name="a matrix"), scale, bound)


def inverted(a: Array, doublings: int, who: int = 2) -> Outcome:
    def program(session: Session, a: Share) -> Share:
        return run(session, inverse(a, doublings))

    return evaluate(who, program, given(a))


def real(outcome: Outcome, *path: int) -> Array:
    share = outcome.results[0]
    for index in path:
        share = share[index]
    return np.asarray(outcome.ring(*path).double().numpy() / 2.0**share.scale)


@pytest.mark.parametrize("who", PARTIES)
def test_seven_doublings_are_enough_for_a_condition_number_of_a_thousand(who: int) -> None:
    """Degree 2^k reaches what 4^k plain steps would."""
    a = matrix(1e3)
    values = np.linalg.eigvals(real(inverted(a, 7, who)) @ a).real
    assert 0.85 < values.min() and values.max() < 1.02


def test_what_is_out_of_reach_is_taken_for_larger() -> None:
    a = matrix(1e6)
    outcome = inverted(a, 6)
    values = np.sort(np.linalg.eigvals(real(outcome) @ a).real)
    assert values[0] < 0.01 and values[-1] < 1.02 and values[0] > -1e-3
    assert np.abs(real(outcome)).max() < outcome.results[0].bound


def test_a_singular_matrix_does_no_harm() -> None:
    a = matrix(10.0)
    a = a - a[:, :1] @ a[:1] / a[0, 0]  # the first direction is gone
    found = real(inverted(a, 11))
    assert np.abs(found).max() < 2.2 * 4.0**11
    assert np.linalg.norm(a @ found @ a - a, 2) < 0.1


def test_a_doubling_takes_two_rounds_and_three_squares() -> None:
    costs = []
    for doublings in (5, 6):
        outcome = inverted(matrix(10.0), doublings)
        costs.append([sum(part[k] for part in outcome.cost("online").values()) for k in (0, 2)])
    rounds, sent = np.subtract(costs[1], costs[0])
    assert rounds == 2
    assert sent == 8 * (3 * D * D + D)


@pytest.mark.parametrize("who", PARTIES)
def test_a_near_inverse_is_improved_and_so_is_what_it_was_applied_to(who: int) -> None:
    """V H in [1/4, 2.4] before, within a fifth of 1 after two doublings; sums of any shape go along."""
    h = matrix(50.0, largest=4.0)
    root = np.linalg.cholesky(np.linalg.inv(h))
    near = root @ matrix(8.0, largest=2.0, seed=1) @ root.T
    g = np.linspace(-1, 1, D)

    def program(session: Session, residual: Share, v: Share, b: Share) -> list[Share]:
        sums = [Sum(v, 14, lambda _: 1000.0), Sum(b, 20, lambda _: 100.0)]
        return run(session, doubled(residual, sums, mixes(2, 3 / 16)))

    start = 0.75 * near
    residual = np.eye(D) - start @ h
    outcome = evaluate(who, program, given(residual, 22, 10.0), given(start, 14, 1000.0), given(start @ g, 20, 100.0))
    values = np.linalg.eigvals(real(outcome, 0) @ h).real
    assert np.abs(values - 1).max() < 0.2 < 0.7 < np.abs(np.linalg.eigvals(near @ h).real - 1).max()
    assert np.abs(real(outcome, 1) - real(outcome, 0) @ g).max() < 1e-2


def test_factors_are_rounded_down_so_that_no_direction_is_stuck() -> None:
    """With e rounded up, to 1, a residual of 1 would be a fixed point that other directions fall on."""
    assert all(e < 16 for e in mixes(11, 8 / 4.0**11))
    for steps, low in ((mixes(2, 3 / 16), 3 / 16), (mixes(8, 8 / 4.0**8), 8 / 4.0**8)):
        r = np.linspace(low - 1, 1 - low, 20001)
        for e in steps:
            r = (1 + e / 16) * r * r - e / 16
        assert np.abs(r).max() < 0.18


def test_rounding_up_or_not_the_inverse_is_that_of_the_residual() -> None:
    s, h = torch.tensor(0.3), torch.tensor(1.7)
    r = 1 - s * h
    for e in (0.0, 0.4, 0.9):
        s, r = (1 + e) * (s + r * s), (1 + e) * r * r - e
        assert torch.isclose(r, 1 - s * h)
