"""From scaled coefficients to weights on the scale of the data, and to an intercept that cancels little."""

import numpy as np
import pytest
import torch

from mpcfl.data.standardised import MEAN_SCALE, Standardised
from mpcfl.protocols.rounds import run
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.solvers.weights import shared_weights, sparse_weights
from mpcfl.world.session import Session
from tests.evaluation import Outcome, evaluate
from tests.joint import Array

SCALE = 20  # of the coefficients


def weights(
    beta: Array,
    exponent: Array,
    mean: Array | None,
    gap: Array,
    *,
    bound: float = 64.0,
    active: Array | None = None,
) -> Outcome:
    """mean: of column j over 2^(e_j + gap_j), |mean| <= 1; the target's last."""

    def program(session: Session) -> tuple[Share, Share]:
        here = session.rank == 0 and not session.dry_run
        columns = len(exponent)

        def given(name: str, values: Array, scale: int, size: float) -> Input:
            ring = encode(values, scale, name=name) if here else None
            return Input(name, 0, (len(values),), scale, size, ring)

        inputs = [
            given("coefficients", beta, SCALE, bound),
            given("exponents", exponent, 0, 64.0),
            given("powers", np.exp2(gap), 0, 2.0**15),
            given("active", np.ones(columns - 1) if active is None else active, 0, 1.0),
            given("means", np.zeros(columns) if mean is None else mean, MEAN_SCALE, 1.0),
        ]
        shared, exponents, powers, bits, means = share_inputs(session, inputs)
        moments = Standardised(
            rows=10,
            features=columns - 1,
            gram=shared,
            exponent=exponents,
            power=powers,
            mean=None if mean is None else means,
            varies=None,
        )
        if active is not None:
            return run(session, sparse_weights(moments, shared, bits))
        return run(session, shared_weights(moments, shared))

    return evaluate(2, program)


def value(outcome: Outcome) -> Array:
    mantissa, exponent = outcome.ring(0), outcome.ring(1)
    return torch.ldexp(mantissa.double() / 2.0**62, exponent).numpy()


def test_a_weight_is_the_coefficient_times_the_ratio_of_the_sizes() -> None:
    beta, exponent = np.array([0.5, -3.0, 2.0**-10, 40.0]), np.array([-20.0, 0.0, 3.0, 39.0, 10.0])
    found = value(weights(beta, exponent, None, np.zeros(5)))
    ratio = np.exp2(10 - exponent[:4])
    # 30 bits of each are kept, and noise of half a unit of the coefficients
    assert np.all(np.abs(found - beta * ratio) <= ratio * (2.0 ** -(SCALE + 1) + np.abs(beta) * 2.0**-28))


def test_a_coefficient_of_zero_gives_a_weight_of_next_to_nothing() -> None:
    found = value(weights(np.zeros(2), np.array([3.0, 3.0, 3.0]), None, np.zeros(3)))
    assert np.all(np.abs(found) <= 2.0**-SCALE)


@pytest.mark.parametrize("gap", [0, 5, 14])
def test_the_intercept_is_what_the_means_leave(gap: int) -> None:
    """m_y - sum beta_j m_j in units of the target's spread, of which the means are up to 2^15 times as large."""
    rng = np.random.default_rng(gap)
    beta, mean = rng.normal(size=6), rng.uniform(-1, 1, 7)
    exponent, gaps = rng.integers(-9, 9, 7).astype(float), np.full(7, float(gap))
    found = value(weights(beta, exponent, mean, gaps))
    in_units = mean * np.exp2(gaps)
    exact = (in_units[6] - np.sum(beta * in_units[:6])) * np.exp2(exponent[6])
    assert abs(found[6] - exact) < 1e-5 * np.exp2(gap + exponent[6])
    assert np.allclose(found[:6], beta * np.exp2(exponent[6] - exponent[:6]), rtol=1e-5, atol=0)


def test_it_takes_four_rounds_and_with_an_intercept_eight() -> None:
    without = weights(np.ones(3), np.zeros(4), None, np.zeros(4))
    assert without.sessions[0].meter.total("online").rounds == 4
    with_intercept = weights(np.ones(3), np.zeros(4), np.zeros(4), np.zeros(4))
    assert with_intercept.sessions[0].meter.total("online").rounds == 8


@pytest.mark.parametrize("centred", [True, False])
def test_a_sparse_weight_is_zero_with_its_exponent_and_the_others_are_what_they_are(centred: bool) -> None:
    """In the ring: a zero says nothing of the size of its column."""
    beta, exponent = np.array([0.5, 0.0, -3.0, 0.0]), np.array([-20.0, 7.0, 3.0, -30.0, 10.0])
    mean, active = np.full(5, 0.25) if centred else None, (beta != 0).astype(float)
    found = weights(beta, exponent, mean, np.zeros(5), active=active)
    plain = weights(beta, exponent, mean, np.zeros(5))
    for part in (0, 1):
        assert (found.ring(part)[:4][active == 0] == 0).all()
        assert len(found.ring(part)) == 4 + centred
    assert np.allclose(value(found), value(plain) * np.append(active, np.ones(int(centred))), rtol=1e-5)
    extra = found.sessions[0].meter.total("online"), plain.sessions[0].meter.total("online")
    assert extra[0].rounds - extra[1].rounds == 1
    assert extra[0].bytes - extra[1].bytes == 8 * 4 * 4
