"""Error on held-out rows and variances of the coefficients, from shared moments alone."""

import numpy as np
import pytest
import torch

from mpcfl.data.standardised import GRAM_SCALE, TEST_SLACK, Standardised
from mpcfl.protocols.rounds import run
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.solvers.doubling import Doubling
from mpcfl.solvers.quality import mean_squared_error, squared_error, unexplained, variances
from mpcfl.solvers.solution import Solution
from mpcfl.world.session import Session
from tests.evaluation import Outcome, evaluate
from tests.joint import Array
from tests.solvers.shared import gram_of, moments_of

TEST_SCALE = GRAM_SCALE - TEST_SLACK // 4


def value(outcome: Outcome) -> Array:
    mantissa, exponent = outcome.ring(0), outcome.ring(1)
    return torch.ldexp(mantissa.double() / 2.0**62, exponent).numpy()


def on_held_out(gram: Array, test: Array, beta: Array, spread: float, what: str) -> Outcome:
    d = len(beta)
    bound = 2.0**TEST_SLACK / d

    def program(session: Session) -> object:
        here = session.rank == 0 and not session.dry_run

        def given(name: str, values: Array, scale: int, size: float) -> Input:
            return Input(name, 0, values.shape, scale, size, encode(values, scale, name=name) if here else None)

        train = moments_of(session, gram)
        shared, held_out, own = share_inputs(
            session,
            [
                given("coefficients", beta, 26, 16.0),
                given("test", test, TEST_SCALE, bound),
                given("spread", np.array([spread]), TEST_SCALE, bound),
            ],
        )
        moments = Standardised(
            rows=train.rows,
            features=d,
            gram=train.gram,
            exponent=train.exponent,
            power=train.power,
            mean=None,
            varies=None,
            test=held_out,
            test_target=own,
        )
        error = run(session, squared_error(moments, shared))
        if what == "error":
            return error
        return run(session, mean_squared_error(moments, error) if what == "mse" else unexplained(moments, error))

    return evaluate(2, program)


def quadratic(test: Array, beta: Array) -> float:
    c = np.append(-beta, 1.0)
    return float(c @ test @ c)


@pytest.mark.parametrize("d", [1, 4, 12])
def test_the_squared_error_is_a_quadratic_form(d: int) -> None:
    gram, test = gram_of(d), gram_of(d, seed=9)
    beta = np.linalg.solve(gram[:d, :d], gram[:d, d])
    found = value(on_held_out(gram, test, beta, test[d, d], "mse"))
    assert abs(found[0] - quadratic(test, beta)) < 2.0**-14 * test[d, d]


def test_the_part_unexplained_is_relative_to_the_spread_of_the_held_out_target() -> None:
    d = 4
    gram, test = gram_of(d), gram_of(d, seed=9)
    beta = np.linalg.solve(gram[:d, :d], gram[:d, d])
    for spread in (test[d, d], test[d, d] / 3, test[d, d] * 40):
        found = value(on_held_out(gram, test, beta, spread, "r2"))
        assert abs(found[0] - quadratic(test, beta) / spread) < 2.0**-13 * test[d, d] / spread


def test_the_squared_error_costs_four_rounds_and_d2_plus_5d_elements() -> None:
    d = 5
    gram, test = gram_of(d), gram_of(d, seed=9)
    outcome = on_held_out(gram, test, np.ones(d), 0.1, "error")
    cost = outcome.sessions[0].meter.total("online")
    columns = d + 1
    # truncation of c, opening of T with that of c, truncation of T c, product of both: D + (D^2 + D) + D + 2 D
    assert cost.rounds == 4
    assert cost.bytes == 8 * (columns**2 + 5 * columns)


@pytest.mark.parametrize("d", [1, 6])
def test_variances_are_the_residual_times_the_diagonal_of_the_inverse(d: int) -> None:
    gram = gram_of(d)

    def program(session: Session) -> tuple[Share, Share]:
        moments = moments_of(session, gram)
        return run(session, variances(moments, Doubling().solve(session, moments, inverse=True)))

    inverse = np.linalg.inv(gram[:d, :d])
    rest = gram[d, d] - gram[:d, d] @ inverse @ gram[:d, d]
    assert np.allclose(value(evaluate(2, program)), rest * np.diag(inverse), rtol=1e-3, atol=0)


def test_what_was_not_prepared_is_a_defect_that_says_so() -> None:
    def program(session: Session) -> None:
        moments = moments_of(session, gram_of(3))
        solution = Solution(coefficients=moments.gram[0, :3])
        for protocol, words in (
            (squared_error(moments, solution.coefficients), "no rows were held out"),
            (unexplained(moments, solution.coefficients), "no rows were held out"),
            (variances(moments, solution), "variances need the inverse"),
        ):
            with pytest.raises(ValueError, match=words):
                run(session, protocol)

    evaluate(2, program)
