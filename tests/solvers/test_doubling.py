"""Doubling gives the iterate of 2^k gradient steps, at the price of section 8 of PROTOCOLS.md."""

import numpy as np
import pytest

from mpcfl.errors import JobError
from mpcfl.protocols.rounds import run
from mpcfl.solvers.doubling import MOST_STEPS, Doubling, reaches_of
from mpcfl.solvers.solution import Solution, converged
from mpcfl.world.session import Session
from tests.evaluation import Outcome, evaluate, sum_of_shares
from tests.joint import distance
from tests.parties import roster
from tests.solvers.shared import Array, gram_of, moments_of


def solved(gram: Array, solver: Doubling, who: int = 2, *, inverse: bool = False) -> Outcome:
    def program(session: Session) -> Solution:
        return solver.solve(session, moments_of(session, gram), inverse=inverse)

    return evaluate(who, program)


def real(outcome: Outcome, what: str) -> Array:
    shares = [getattr(outcome.results[rank], what) for rank in outcome.roster.compute]
    return sum_of_shares(shares).double().numpy() / 2.0 ** shares[0].scale


def iterate(gram: Array, steps: int) -> Array:
    """b_T of gradient descent with step 1 from zero, in float64."""
    d = len(gram) - 1
    b = np.zeros(d)
    for _ in range(steps):
        b = b + gram[:d, d] - gram[:d, :d] @ b
    return b


# ---- what it computes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [2, 3, 5])
@pytest.mark.parametrize("steps", [4, 64, 1024])
def test_it_is_the_iterate_after_so_many_steps(steps: int, who: int) -> None:
    gram = gram_of(6)
    assert (
        distance(
            real(solved(gram, Doubling(steps=steps, accelerated=False), who), "coefficients"), iterate(gram, steps)
        )
        < 2e-6
    )


def test_many_steps_are_the_solution() -> None:
    gram = gram_of(6)
    wanted = np.linalg.solve(gram[:6, :6], gram[:6, 6])
    assert distance(real(solved(gram, Doubling()), "coefficients"), wanted) < 1e-5


def test_the_inverse_comes_with_it() -> None:
    gram = gram_of(6)
    outcome = solved(gram, Doubling(), inverse=True)
    inverse = real(outcome, "inverse")
    assert distance(inverse, np.linalg.inv(gram[:6, :6])) < 1e-4
    assert distance(real(outcome, "coefficients"), np.linalg.solve(gram[:6, :6], gram[:6, 6])) < 1e-5


@pytest.mark.parametrize("refinements", [1, 2])
def test_a_refinement_is_as_many_steps_once_more(refinements: int) -> None:
    gram = gram_of(6, condition=1e4)
    found = real(solved(gram, Doubling(steps=1024, refinements=refinements, accelerated=False)), "coefficients")
    assert distance(found, iterate(gram, (1 + refinements) * 1024)) < 1e-5
    assert distance(found, iterate(gram, refinements * 1024)) > 1e-3


@pytest.mark.parametrize("refinements", [0, 1])
@pytest.mark.parametrize("condition", [1e3, 1e4, 1e5])
def test_what_fixed_point_costs_grows_like_the_condition_number(condition: float, refinements: int) -> None:
    gram = gram_of(6, condition=condition, seed=1)
    wanted = np.linalg.solve(gram[:6, :6], gram[:6, 6])
    solver = Doubling(steps=MOST_STEPS, refinements=refinements)
    error = distance(real(solved(gram, solver), "coefficients"), wanted)
    assert error < 8 * np.linalg.cond(gram[:6, :6]) * 2.0**-30


@pytest.mark.parametrize("d", [1, 10, 100, 1000])
@pytest.mark.parametrize("k", [2, 8, 16, 20])
def test_doublings_that_pull_go_further_and_stay_within_their_bounds(k: int, d: int) -> None:
    """On every eigenvalue x of G: |s(x) sqrt(x)| is below 0.95 sqrt(T), which bounds b, and r = 1 - x s(x) within
    [-1/2, 1]. T sqrt(d) is at most 2^26, unless so many steps were asked for."""
    solver, x = Doubling(steps=1 << k), np.geomspace(1e-10, 1, 20000)
    left, total, reaches = 1 - x, np.ones_like(x), reaches_of(solver.pulls(d))
    for pull, steps in zip(solver.pulls(d), reaches[1:], strict=False):
        growth, half = 1.5 if pull else 1.0, left
        left, total = growth * left**2 - (growth - 1), growth * (total + left * total)
        assert np.abs(left - (1 - x * total)).max() < 1e-8
        assert left.min() >= -0.5 and left.max() <= 1
        assert (total * np.sqrt(x)).max() <= 0.95 * np.sqrt(steps) and total.max() <= steps
    assert not any(solver.pulls(d)[-6:])
    if any(solver.pulls(d)):  # the guard, which is the trace of `half`, lets pass only what `reached_bound` holds for
        assert x[half < 2.0**-8].min() > 10 / reaches[k]
    plain = (1 - x) ** (1 << k)
    reached = plain < 2.0**-16  # what plain steps reach, these reach too
    assert np.abs(left[reached]).max(initial=0.0) < 2.0**-15
    assert reaches[-2] <= max(1 << k, 2**26 / d**0.5)
    assert Doubling().pulls(10) == [True] * 10 + [False] * 6 and reaches_of(Doubling().pulls(10))[16] == 3**10 * 2**6


def test_accelerated_solves_what_plain_doublings_do_not_in_the_same_rounds() -> None:
    gram = gram_of(10, condition=4e3, seed=2)
    wanted = np.linalg.solve(gram[:10, :10], gram[:10, 10])
    assert np.linalg.cond(gram[:10, :10]) > 3.6e3
    fast, plain = (solved(gram, Doubling(accelerated=accelerated)) for accelerated in (True, False))
    assert rounds(fast) == rounds(plain) and elements(fast) == elements(plain)
    assert distance(real(fast, "coefficients"), wanted) < 1e-4 < 1e-3 < distance(real(plain, "coefficients"), wanted)


@pytest.mark.parametrize("d", [1, 2, 40])
def test_any_number_of_features(d: int) -> None:
    gram = gram_of(d)
    wanted = np.linalg.solve(gram[:d, :d], gram[:d, d])
    assert distance(real(solved(gram, Doubling()), "coefficients"), wanted) < 1e-5


def test_bounds_hold_at_the_worst_that_data_can_be() -> None:
    """|b_T| and |S_T| stay below what the scales were chosen by, also where an eigenvalue is as good as zero."""
    solver = Doubling(steps=MOST_STEPS)
    for seed in range(3):
        gram = gram_of(5, condition=1e9, seed=seed)
        outcome = solved(gram, solver, inverse=True)
        for what in ("coefficients", "inverse"):
            bound = getattr(outcome.results[0], what).bound
            assert np.linalg.norm(np.atleast_2d(real(outcome, what)), 2) <= bound


# ---- the guard -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition, steps, reached",
    [(30, 1 << 16, 1), (1e3, 1 << 16, 1), (30, 64, 0), (1e9, 1 << 16, 0), (1e9, MOST_STEPS, 0)],
)
def test_it_knows_whether_the_solution_was_reached(condition: float, steps: int, reached: int) -> None:
    gram = gram_of(6, condition=condition)

    def program(session: Session) -> object:
        left_over = Doubling(steps=steps).solve(session, moments_of(session, gram)).left_over
        assert left_over is not None
        return run(session, converged(left_over))

    assert int(evaluate(2, program).ring()) == reached


def test_what_is_left_is_the_trace_of_the_power_before_the_last() -> None:
    gram = gram_of(4)
    left = real(solved(gram, Doubling(steps=64, accelerated=False)), "left_over")
    assert abs(left - np.trace(np.linalg.matrix_power(np.eye(4) - gram[:4, :4], 32))) < 1e-6


# ---- what it costs ---------------------------------------------------------------------------------------------------


def elements(outcome: Outcome, rank: int = 0) -> int:
    """Opened by this party."""
    return outcome.sessions[rank].meter.total("online").bytes // 8


def rounds(outcome: Outcome) -> int:
    return outcome.sessions[0].meter.total("online").rounds


@pytest.mark.parametrize("d", [1, 5, 10])
@pytest.mark.parametrize("k", [2, 6, 16])
def test_a_doubling_is_two_rounds_and_2_d2_plus_d_elements(k: int, d: int) -> None:
    """P8: 2 (d^2 + d), where the last one needs no square: its truncation is of d alone."""
    outcome = solved(gram_of(d), Doubling(steps=1 << k))
    assert rounds(outcome) == 2 * k
    assert elements(outcome) == k * 2 * (d**2 + d) - d**2


@pytest.mark.parametrize("k", [2, 16])
def test_with_the_inverse_it_is_2_2d2_plus_d(k: int) -> None:
    d = 5
    outcome = solved(gram_of(d), Doubling(steps=1 << k), inverse=True)
    assert rounds(outcome) == 2 * k
    assert elements(outcome) == k * 2 * (2 * d**2 + d) - d**2


def test_a_refinement_is_two_rounds_and_2d_elements_for_each_power_and_the_residual() -> None:
    """Once more d^2 for the Gram matrix, pinned for it, and a round where the scale of the correction is another."""
    d, k = 5, 12
    plain, refined = (solved(gram_of(d), Doubling(steps=1 << k, refinements=n)) for n in (0, 1))
    extra = rounds(refined) - rounds(plain) - 2 * (k + 1)
    assert extra in (0, 1)
    assert elements(refined) - elements(plain) == 2 * d * (k + 1) + d**2 + extra * d


def test_each_party_sends_as_much_to_every_other() -> None:
    d, k = 5, 6
    for who in (2, 3, 5):
        outcome = solved(gram_of(d), Doubling(steps=1 << k), who)
        assert elements(outcome) == (who - 1) * (k * 2 * (d**2 + d) - d**2)


def test_the_dealer_sends_a_square_a_product_and_two_elements_a_truncation() -> None:
    """Offline, to the last compute party: pinned square d^2 and product d, truncations 2 (d^2 + d)."""
    d, k = 5, 6
    outcome = solved(gram_of(d), Doubling(steps=1 << k))
    dealer = outcome.sessions[outcome.roster.dealer]
    assert dealer.meter.total("offline").bytes == 8 * (k * 3 * (d**2 + d) - 3 * d**2)


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 100, 1 << 21, -4])
def test_steps_are_a_power_of_two_from_4_to_2_20(steps: int) -> None:
    with pytest.raises(JobError, match=rf"steps = {steps} "):
        Doubling(steps=steps)


def test_refinements_are_few() -> None:
    for refinements in (-1, 4):
        with pytest.raises(JobError, match=f"refinements = {refinements}"):
            Doubling(refinements=refinements)


@pytest.mark.parametrize("steps", [4, 1 << 16, MOST_STEPS])
@pytest.mark.parametrize("d", [1, 10, 300])
@pytest.mark.parametrize("accelerated", [True, False])
def test_no_setting_that_is_accepted_leaves_the_ring(d: int, steps: int, accelerated: bool) -> None:
    """In a dry run, which finds every HeadroomError that a run could meet."""
    session = Session.dry(roster(2), 0)
    gram = np.zeros((d + 1, d + 1))
    Doubling(steps=steps, refinements=1, accelerated=accelerated).solve(
        session, moments_of(session, gram), inverse=True
    )
    assert session.headroom >= 0
