"""For the right signs a fit is the minimum, and the guard knows whether it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mpcfl.protocols.rounds import run
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.refit import Fit, next_signs, optimal, refit
from mpcfl.world.session import Session
from tests.evaluation import Outcome, evaluate, sum_of_shares
from tests.joint import distance
from tests.solvers.shared import Array, gram_of
from tests.solvers.sparse import bits_of, minimum, problem_of

D, T = 8, 0.02
GRAM = gram_of(D, seed=3)
BEST = minimum(GRAM, T)
SIGNS = np.sign(BEST)
SOLVER = Doubling(steps=1 << 12, accelerated=False)


def fitted(signs: Array, gram: Array = GRAM, t: float = T, who: int = 2, guard: bool = True) -> Outcome:
    """(coefficients, bit or signs for another fit)"""

    def program(session: Session) -> tuple:
        problem, bits = problem_of(session, gram, t), bits_of(session, signs)
        with session.phase("fit"):
            fit = run(session, refit(problem, bits, SOLVER))
        with session.phase("after"):
            after = run(session, optimal(fit) if guard else next_signs(fit, 7))
        return fit.solution.coefficients, after

    return evaluate(who, program)


def coefficients(outcome: Outcome) -> Array:
    shares = [outcome.results[rank][0] for rank in outcome.roster.compute]
    return sum_of_shares(shares).double().numpy() / 2.0 ** shares[0].scale


def test_the_example_has_weights_of_both_signs_and_zeros() -> None:
    assert {-1.0, 0.0, 1.0} == set(SIGNS)


@pytest.mark.parametrize("who", [2, 3, 5])
def test_for_the_right_signs_it_is_the_minimum_and_is_known_to_be(who: int) -> None:
    outcome = fitted(SIGNS, who=who)
    assert distance(coefficients(outcome), BEST) < 1e-6
    assert outcome.ring(1).item() == 1


def test_what_is_not_active_is_zero_to_the_last_bit() -> None:
    assert (fitted(SIGNS).ring(0).numpy()[SIGNS == 0] == 0).all()


def test_without_any_active_column_all_is_zero() -> None:
    outcome = fitted(np.zeros(D), t=1.0 / D)
    assert not outcome.ring(0).any() and outcome.ring(1).item() == 1


@pytest.mark.parametrize("column", range(D))
def test_one_wrong_sign_is_no_minimum(column: int) -> None:
    for wrong in {-1.0, 0.0, 1.0} - {SIGNS[column]}:
        signs = SIGNS.copy()
        signs[column] = wrong
        assert fitted(signs).ring(1).item() == 0


@pytest.mark.parametrize("d", [85, 86])
def test_the_guard_counts_any_number_of_columns(d: int) -> None:
    gram = gram_of(d, seed=1)
    best = minimum(gram, 1e-3)
    signs = np.sign(best)
    right = fitted(signs, gram, 1e-3)
    assert distance(coefficients(right), best) < 1e-5 and right.ring(1).item() == 1
    assert fitted(-signs, gram, 1e-3).ring(1).item() == 0  # every condition that can be hurt is
    assert right.sessions[0].meter.total("after").rounds == (4 if d < 86 else 6)


def test_a_fit_that_was_not_reached_is_no_minimum() -> None:
    gram = gram_of(D, condition=1e6, seed=1)
    signs = np.sign(minimum(gram, 1e-4))
    assert fitted(signs, gram, 1e-4).ring(1).item() == 0


@pytest.mark.parametrize("ring", [1 << 40, -(1 << 40), (1 << 63) - 1, -(1 << 63), 1 << 62])
@pytest.mark.parametrize("column", [0, D - 1])
def test_a_coefficient_beyond_its_bound_is_noticed_wherever_in_the_ring_it_is(ring: int, column: int) -> None:
    """All other conditions hold: this is what tells of a fit that has left the ring."""

    def program(session: Session) -> object:
        fit = run(session, refit(problem_of(session, GRAM, T), bits_of(session, SIGNS), SOLVER))
        beside = torch.zeros(D, dtype=torch.int64)
        beside[column] = ring
        here = session.rank == 0 and not session.dry_run
        (far,) = share_inputs(session, [Input("far", 0, (D,), 0, 1.0, beside if here else None)])
        outward = fit.outward._like(fit.outward._ring + far._ring, fit.outward.bound)
        return run(session, optimal(replace(fit, outward=outward)))

    assert evaluate(2, program).ring().item() == 0


@pytest.mark.parametrize("column", range(D))
def test_another_fit_takes_the_signs_of_a_step_from_this_one(column: int) -> None:
    signs = SIGNS.copy()
    signs[column] = 0.0 if SIGNS[column] else 1.0
    active, b = signs != 0, np.zeros(D)
    b[active] = np.linalg.solve(GRAM[:D, :D][np.ix_(active, active)], (GRAM[:D, D] - T * signs)[active])
    place = b / 2**7 + GRAM[:D, D] - GRAM[:D, :D] @ b
    found = fitted(signs, guard=False).ring(1).numpy()
    assert np.array_equal(found[0] - found[1], np.sign(place) * (np.abs(place) > T))


@pytest.mark.parametrize("who", [2, 3])
def test_a_fit_costs_two_rounds_more_than_doubling(who: int) -> None:
    outcome, k = fitted(SIGNS, who=who), SOLVER.doublings
    cost = outcome.sessions[0].meter.total("fit")
    assert cost.rounds == 2 * k + 2
    doubling = 2 * k * (D**2 + D) - D**2
    assert cost.bytes == 8 * (who - 1) * (doubling + D**2 + D + 6 * D + 3 * D)


def test_a_fit_has_what_the_guard_needs() -> None:
    def program(session: Session) -> Fit:
        return run(session, refit(problem_of(session, GRAM, T), bits_of(session, SIGNS), SOLVER))

    outcome = evaluate(2, program)

    def real(what: str) -> Array:
        shares = [getattr(outcome.results[rank], what) for rank in (0, 1)]
        return sum_of_shares(shares).double().numpy() / 2.0 ** shares[0].scale

    gradient = GRAM[:D, D] - GRAM[:D, :D] @ BEST
    assert np.allclose(real("gradient"), gradient, atol=1e-7)
    assert np.allclose(real("signed"), gradient - T * SIGNS, atol=1e-7)
    assert np.allclose(real("free"), np.where(SIGNS == 0, T, 0), atol=1e-9)
    assert np.allclose(real("outward"), np.abs(BEST), atol=1e-6)
    assert np.array_equal(real("active"), np.abs(SIGNS))
