"""Thresholds on the scale of the data, and which side of them a value is on."""

import numpy as np
import pytest
import torch

from mpcfl.data.standardised import GRAM_SCALE, Standardised
from mpcfl.protocols.rounds import run
from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.solvers.sparse import sides, thresholds
from mpcfl.world.session import Session
from tests.evaluation import PARTIES, Given, Outcome, evaluate
from tests.solvers.shared import moments_of

EXPONENTS = [0, 1, -1, 5, -8, 20, -35, 40, 63, -63]


def found(l1: float, target: int, who: int = 2, **scaling: int) -> Outcome:
    """Thresholds of columns with EXPONENTS."""
    d = len(EXPONENTS)

    def program(session: Session) -> Share:
        here = session.rank == 0 and not session.dry_run
        ring = encode(np.array([*EXPONENTS, target], dtype=float), 0) if here else None
        (exponent,) = share_inputs(session, [Input("exponent", 0, (d + 1,), 0, 64.0, ring)])
        plain = moments_of(session, np.zeros((d + 1, d + 1)))
        moments = Standardised(d, d, plain.gram, exponent, plain.power, None, None)
        with session.phase("thresholds"):
            return run(session, thresholds(moments, l1, **scaling))

    return evaluate(who, program)


def wanted(l1: float, target: int) -> np.ndarray:
    d = len(EXPONENTS)
    return np.minimum(1.0, l1 * np.exp2(-np.array(EXPONENTS, dtype=float) - target)) / d


@pytest.mark.parametrize("who", PARTIES)
@pytest.mark.parametrize("target", [-63, -7, 0, 9, 63])
@pytest.mark.parametrize("l1", [1e-9, 0.37, 1e12])
def test_a_threshold_is_l1_in_units_of_column_and_target_and_at_most_one_over_d(
    l1: float, target: int, who: int
) -> None:
    ring = found(l1, target, who).ring().numpy()
    assert np.array_equal(ring, np.round(wanted(l1, target) * 2.0**GRAM_SCALE))


def test_a_threshold_may_be_had_larger_and_at_another_scale() -> None:
    ring = found(0.37, 3, scale=20, raised=8).ring().numpy()
    assert np.array_equal(ring, np.round(wanted(0.37, 3) * 2.0**28))


@pytest.mark.parametrize("who", PARTIES)
def test_thresholds_cost_a_round_and_a_byte_each(who: int) -> None:
    outcome, d = found(0.37, 3, who), len(EXPONENTS)
    assert outcome.cost("thresholds") == {"lookup": (1, who - 1, d * (who - 1))}


SCALE = 20


def placed(v: torch.Tensor, t: torch.Tensor, error: float, who: int = 2) -> Outcome:
    def program(session: Session, v: Share, t: Share) -> Share:
        return run(session, sides(v, t, error))

    return evaluate(who, program, Given(v, SCALE, 300.0), Given(t, SCALE, 1.0))


def table() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    near = [sign * (t + off) for t in (0, 1, 1000, 1 << SCALE) for off in (-3, -1, 0, 1, 3) for sign in (1, -1)]
    at = [t for t in (0, 1, 1000, 1 << SCALE) for _ in range(10)]
    v = np.concatenate([near, rng.integers(-(300 << SCALE), 300 << SCALE, 500)])
    t = np.concatenate([at, rng.integers(0, 1 << SCALE, 500)])
    return torch.from_numpy(v), torch.from_numpy(t)


@pytest.mark.parametrize("who", PARTIES)
def test_sides_are_exact_where_the_error_is_below_a_unit(who: int) -> None:
    """But for the side below, which begins a unit late."""
    v, t = table()
    assert torch.equal(placed(v, t, 2.0**-22, who).ring(), torch.stack([v >= t, -v >= t + 1]).long())


def test_a_coarse_side_is_wrong_near_the_threshold_only_and_no_value_is_on_both() -> None:
    v, t = table()
    error = 2.0**-8
    plus, minus = placed(v, t, error).ring()
    assert not (plus * minus).any()
    clear = (v.abs() - t).abs() >= 2 * error * 2**SCALE
    assert torch.equal(plus[clear], (v >= t)[clear].long())
    assert torch.equal(minus[clear], (-v >= t)[clear].long())
    assert not clear.all() and not torch.equal(plus, (v >= t).long()), "there is something that could be wrong"


def test_sides_cost_two_rounds_and_eighteen_bytes_each() -> None:
    v, t = table()
    assert placed(v, t, 2.0**-10).cost("online") == {"steps": (2, 2, 18 * len(v))}
