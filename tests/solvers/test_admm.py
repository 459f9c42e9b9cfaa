"""ADMM and its fits give the minimum of scikit-learn, with its zeros, at a price that is known."""

import numpy as np
import pytest

from mpcfl.errors import JobError
from mpcfl.protocols.rounds import run
from mpcfl.solvers.admm import Admm
from mpcfl.solvers.doubling import MOST_STEPS
from mpcfl.solvers.refit import optimal
from mpcfl.world.session import Session
from tests.evaluation import Outcome, evaluate, sum_of_shares
from tests.joint import distance
from tests.parties import roster
from tests.solvers.shared import Array, gram_of, moments_of
from tests.solvers.sparse import minimum

QUICK = Admm(iterations=12, steps=1 << 14)


def solved(gram: Array, l1: float, solver: Admm = QUICK, who: int = 2) -> Outcome:
    """(coefficients, left over, whether it is the minimum)"""

    def program(session: Session) -> tuple:
        moments = moments_of(session, gram)
        with session.phase("solve"):
            fit = solver.solve(session, moments, l1)
        return fit.solution.coefficients, fit.solution.left_over, run(session, optimal(fit))

    return evaluate(who, program)


def coefficients(outcome: Outcome) -> Array:
    shares = [outcome.results[rank][0] for rank in outcome.roster.compute]
    return sum_of_shares(shares).double().numpy() / 2.0 ** shares[0].scale


# ---- what it computes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l1, who", [(0.2, 2), (0.05, 3), (1e-3, 5), (0.01, 2)])
def test_it_is_the_minimum_of_scikit_learn_with_its_zeros(l1: float, who: int) -> None:
    gram = gram_of(8, seed=3)
    outcome = solved(gram, l1, who=who)
    best, found = minimum(gram, l1 / 8), coefficients(outcome)
    assert distance(found, best) < 1e-6
    assert np.array_equal(found == 0, best == 0)
    assert outcome.ring(2).item() == 1


@pytest.mark.parametrize("condition", [1e2, 1e4])
def test_the_default_settings_are_for_columns_that_are_correlated(condition: float) -> None:
    gram = gram_of(30, condition=condition, seed=5)
    outcome = solved(gram, 0.01, Admm())
    best, found = minimum(gram, 0.01 / 30), coefficients(outcome)
    assert outcome.ring(2).item() == 1
    assert distance(found, best) < 1e-5
    assert np.array_equal(found == 0, best == 0)


@pytest.mark.parametrize("l1", [1.0, 1e3, 1e30])
def test_all_is_zero_where_the_penalty_is_large(l1: float) -> None:
    outcome = solved(gram_of(8, seed=3), l1, Admm(iterations=2, steps=64))
    assert not outcome.ring(0).any() and outcome.ring(2).item() == 1


def test_without_a_penalty_it_is_least_squares() -> None:
    gram = gram_of(6)
    outcome = solved(gram, 0.0)
    assert distance(coefficients(outcome), np.linalg.solve(gram[:6, :6], gram[:6, 6])) < 1e-5
    assert outcome.ring(2).item() == 1


@pytest.mark.parametrize("d, iterations", [(1, 4), (2, 8), (100, 48)])
def test_any_number_of_features(d: int, iterations: int) -> None:
    gram = gram_of(d, seed=2)
    outcome = solved(gram, 0.02, Admm(iterations=iterations))
    best = minimum(gram, 0.02 / d)
    assert outcome.ring(2).item() == 1
    assert distance(coefficients(outcome), best) < 1e-5
    assert np.array_equal(coefficients(outcome) == 0, best == 0)


# ---- never silently wrong --------------------------------------------------------------------------------------------


def test_too_few_iterations_are_noticed() -> None:
    gram = gram_of(30, condition=1e3, seed=5)
    outcome = solved(gram, 0.01, Admm(iterations=2, refits=1))
    assert outcome.ring(2).item() == 0
    assert distance(coefficients(outcome), minimum(gram, 0.01 / 30)) > 1e-2


def test_another_refit_mends_what_the_iterations_left() -> None:
    gram = gram_of(30, condition=1e3, seed=1)
    bits = [solved(gram, 0.01, Admm(iterations=6, refits=refits)).ring(2).item() for refits in (1, 3)]
    assert bits == [0, 1]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_settings_a_result_is_right_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gram = gram_of(12, condition=10 ** rng.uniform(1, 5), seed=seed)
    l1 = 10 ** rng.uniform(-4, -0.5)
    iterations, refits, k = (int(rng.integers(low, high)) for low, high in ((1, 24), (1, 3), (8, 21)))
    solver = Admm(iterations=iterations, refits=refits, steps=1 << k)
    outcome = solved(gram, l1, solver)
    best = minimum(gram, l1 / 12)
    reached = outcome.ring(1).item() / 2.0 ** outcome.results[0][1].scale < 2.0**-8
    if outcome.ring(2).item() and reached:
        assert distance(coefficients(outcome), best) < 1e-3


# ---- what it costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [5, 8])
@pytest.mark.parametrize("iterations, refits, k", [(1, 1, 4), (10, 1, 12), (10, 3, 12)])
def test_an_iteration_is_three_rounds(iterations: int, refits: int, k: int, d: int) -> None:
    """After an inverse by doubling (rho = 2^-7 for 5 to 8 features), and before fits of 2 rounds more than theirs."""
    outcome = solved(gram_of(d), 0.01, Admm(iterations=iterations, refits=refits, steps=1 << k))
    cost = outcome.sessions[0].meter.total("solve")
    inverse, fits = 2 * (7 + 3), refits * (2 * k + 2) + 2 * (refits - 1)
    assert cost.rounds == inverse + 1 + 3 * iterations + fits
    doublings = 8 * (10 * 4 * d**2 - d**2)
    start = 8 * (d**2 + d) + 2 * d + 8 * d**2  # the Gram matrix, what pulls, thresholds twice; R
    fit = 8 * (k * 2 * (d**2 + d) - d**2 + d**2 + 10 * d)
    assert cost.bytes == doublings + start + iterations * (8 + 18) * d + refits * fit + (refits - 1) * 18 * d


def test_no_cost_depends_on_the_data() -> None:
    solver = Admm(iterations=3, steps=64)
    costs = [solved(gram_of(4, seed=k), l1, solver).sessions[0].meter.exact() for k, l1 in ((0, 0.5), (1, 1e-4))]
    assert costs[0] == costs[1]


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"refits": 0}, {"refits": 17}, {"iterations": 1 << 17}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(JobError, match="1 to 65536 iterations and 1 to 16 refits"):
        Admm(**wrong)
    with pytest.raises(JobError, match="steps = 100 is no power of two"):
        Admm(steps=100)


@pytest.mark.parametrize("steps", [4, 1 << 16, MOST_STEPS])
@pytest.mark.parametrize("d", [1, 10, 300])
def test_no_setting_that_is_accepted_leaves_the_ring(d: int, steps: int) -> None:
    """In a dry run, which finds every HeadroomError that a run could meet."""
    session = Session.dry(roster(2), 0)
    moments = moments_of(session, np.zeros((d + 1, d + 1)))
    fit = Admm(iterations=2, steps=steps).solve(session, moments, 0.1)
    run(session, optimal(fit))
    assert session.headroom >= 0
