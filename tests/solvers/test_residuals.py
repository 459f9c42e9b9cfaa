"""R^2 and squared errors from shares of predictions, against scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error, r2_score

from mpcfl.solvers.residuals import squared_error, unexplained
from tests.evaluation import Outcome, dry, evaluate
from tests.solvers.shared_scores import diabetes, given, running

PARTIES = pytest.mark.parametrize("parties", [2, 3])


def value(outcome: Outcome) -> float:
    mantissa, exponent = outcome.ring(0), outcome.ring(1)
    return float(torch.ldexp(mantissa.double() / 2.0**62, exponent)[0])


@PARTIES
@pytest.mark.parametrize(("scale", "target_scale"), [(20, 20), (36, 16), (12, 40)])
def test_the_squared_error_of_a_model_is_sklearns(scale: int, target_scale: int, parties: int) -> None:
    z, y = diabetes()
    found = evaluate(parties, running(squared_error), given(z, scale=scale), given(y, scale=target_scale))
    assert value(found) / len(y) == pytest.approx(mean_squared_error(y, z), rel=1e-5)


@PARTIES
def test_what_a_model_leaves_unexplained_is_sklearns(parties: int) -> None:
    z, y = diabetes()
    found = evaluate(parties, running(unexplained), given(z, scale=30), given(y, scale=20))
    assert value(found) == pytest.approx(1 - r2_score(y, z), rel=1e-5)


@pytest.mark.parametrize(("size", "shift"), [(1e-3, 0.0), (1.0, 400.0), (1e7, 1e9), (1.0, -3.0)])
def test_targets_of_every_size_far_from_their_mean_or_not(size: float, shift: float) -> None:
    rng = np.random.default_rng(3)
    signal, noise = rng.normal(size=(2, 2000))
    z, y = size * signal + shift, size * (signal + 0.5 * noise) + shift
    scale = 20 if size < 100 else 10
    z, y = (np.round(v * 2.0**scale) / 2.0**scale for v in (z, y))
    bound = float(np.abs(y).max()) * 1.1
    both = [given(v, scale=scale, bound=bound) for v in (z, y)]
    assert value(evaluate(2, running(unexplained), *both)) == pytest.approx(1 - r2_score(y, z), rel=2e-3)
    assert value(evaluate(2, running(squared_error), *both)) / 2000 == pytest.approx(mean_squared_error(y, z), rel=2e-3)


def test_a_bound_that_is_a_thousand_times_too_large_costs_few_digits() -> None:
    z, y = diabetes()
    both = [given((v - 150) / 77, bound=1024.0) for v in (z, y)]
    assert value(evaluate(2, running(unexplained), *both)) == pytest.approx(1 - r2_score(y, z), rel=1e-4)


def test_nothing_is_left_unexplained_by_the_targets_themselves() -> None:
    _, y = diabetes()
    assert abs(value(evaluate(2, running(unexplained), given(y, scale=20), given(y, scale=20)))) < 1e-9


def test_a_model_that_is_much_worse_than_the_mean() -> None:
    z, y = diabetes()
    found = value(evaluate(2, running(unexplained), given(z * 50, scale=20), given(y, scale=20)))
    assert found == pytest.approx(1 - r2_score(y, z * 50), rel=1e-4)


def test_scales_that_together_would_leave_the_ring() -> None:
    z, y = diabetes()
    found = evaluate(2, running(squared_error), given(z, scale=50), given(y, scale=10, bound=2.0**12))
    assert value(found) / len(y) == pytest.approx(mean_squared_error(y, z), rel=1e-4)
    assert found.cost("online")["truncation"][0] == 2, "to scale 10 before the difference, and to fit the output"


@PARTIES
def test_cost(parties: int) -> None:
    z, y = diabetes()
    n, others = len(y), parties - 1
    for protocol, rounds, size, elements in ((squared_error, 7, 16, 2), (unexplained, 15, 32, 4)):
        outcome = evaluate(parties, running(protocol), given(z, scale=30), given(y, scale=30))
        online, offline = outcome.cost("online"), outcome.cost("offline", parties)
        assert sum(cost[0] for cost in online.values()) == rounds
        rows = {"truncation", "sum of squares"}
        assert n * size <= sum(online[name][2] for name in rows) / others < n * size + 64
        assert n * elements <= sum(offline[name][2] for name in rows) / 8 < n * elements + 16


def test_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="predictions"):
        next(squared_error(dry(1.0), dry(1.0, shape=(4,))))
