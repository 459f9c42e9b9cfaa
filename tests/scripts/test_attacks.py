"""scripts/attacks/: each attack succeeds where it should, and does no better than guessing against mpcfl.

At small sizes, from fixed seeds; what is random in mpcfl itself is random here too, and thresholds follow from that.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SCRIPTS = Path(__file__).parents[2] / "scripts"
UNLIKELY = 1e-9


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`scripts("attacks.seed")`, `scripts("measuring.attacks.twister")`: modules as a script sees them."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def test_a_seed_is_found_from_one_mask_whatever_its_upper_half(scripts: Any) -> None:
    twister = scripts("measuring.attacks.twister")
    mask = twister.elements(torch.Generator().manual_seed((77 << 32) + 4242), 2)
    assert twister.seed_of(mask, 0, 2**13) == 4242
    assert twister.seed_of(mask, 0, 4240) == -1
    assert twister.seed_of(mask + 1, 0, 2**13) == -1


def test_312_masks_foretell_all_that_follow_but_not_those_of_mpcfl(scripts: Any) -> None:
    """ChaCha20 would be foretold by chance once in 2^64."""
    seed, twister = scripts("attacks.seed"), scripts("measuring.attacks.twister")
    masks = twister.elements(torch.Generator().manual_seed(5), 1512)
    assert seed.wound_on("", masks[100:])["recovered"] == 1100
    ours = seed.Stream(seed.fresh_key()).operation(1).elements((1512,))
    assert seed.wound_on("", ours)["recovered"] == 0
    with pytest.raises(ValueError, match="311 elements are known, 312"):
        twister.following(masks[:311], 1)


@pytest.mark.slow
def test_rank_1_of_crypten_reads_rank_0_also_where_a_helper_deals(scripts: Any) -> None:
    x = np.random.default_rng(1).normal(size=(100, 8))
    row = scripts("attacks.seed").crypten(x, "TTP")
    assert (row["recovered"], row["of"]) == (50, 50) and row["worst"] < 2**-15


@pytest.mark.parametrize("model", [pytest.param("linear", marks=pytest.mark.slow), "logistic"])
def test_no_party_tells_two_tables_apart_unless_masks_are_left_out(scripts: Any, model: str) -> None:
    """A correct program fails once in 10^9. Classifiers have too few runs here to be held to more than the control."""
    views, recorded = scripts("attacks.views"), scripts("measuring.attacks.recorded")
    training, tables = recorded.TRAININGS[model], views.tables(model, 1)
    one, *others = recorded.repeated(training, tables, 4)
    for party, other in zip(("north", "south"), others, strict=True):
        row = views.told_apart(model, party, one, other, 1)
        assert row["bytes_p"] > UNLIKELY and row["positions_p"] > UNLIKELY
        assert row["same_start"] and row["same_lengths"] and row["bytes_seen"] > 1000
    dealer = views.told_apart(model, "east", one, others[0], 1)
    assert (dealer["messages"], dealer["bytes_seen"]) == (0, 0)
    bare = recorded.repeated(training, tables[:2], 4, "masks of zeros")
    row = views.told_apart(model, "north", *bare, 1, "masks of zeros")
    assert row["bytes_p"] < UNLIKELY and row["positions_p"] < UNLIKELY
    assert row["told_linear"] == 1


def test_who_gets_the_weights_sees_uniform_shares_of_them(scripts: Any) -> None:
    views = scripts("attacks.views")
    row = views.of_receivers("logistic", views.tables("logistic", 2)[0], 4)
    assert set(row["bytes_p_of"]) == {"north", "south", "east", "west"}
    for name, p in row["bytes_p_of"].items():
        assert p > UNLIKELY, name


def test_an_interval_is_wilsons(scripts: Any) -> None:
    told = scripts("measuring.attacks.telling").Told(40, 80)
    assert told.interval == pytest.approx((0.3929, 0.6071), abs=1e-4)


@pytest.mark.parametrize("model", ["linear", "logistic"])
def test_a_row_is_its_gradient_divided_by_the_intercepts_part(scripts: Any, model: str) -> None:
    (row,) = scripts("attacks.gradients").of_classic(model, "fedsgd", 1, 6, 1)
    assert (row["recovered"], row["of"], row["iterations"]) == (6, 6, 1) and row["error"] < 1e-12


def test_a_single_target_comes_with_its_row(scripts: Any) -> None:
    inverting, rng = scripts("measuring.attacks.inverting"), np.random.default_rng(3)
    x, w = rng.standard_normal(4), rng.standard_normal(5)
    z = x @ w[:-1] + w[-1]
    for model, y, error in (("linear", 1.5, z - 1.5), ("logistic", 1.0, 1 / (1 + np.exp(-z)) - 1)):
        seen = inverting.Seen(model, w[None], error * np.append(x, 1.0)[None], 1)
        found, target = inverting.single_row(seen)
        assert np.allclose(found, x) and target == pytest.approx(y)


@pytest.mark.parametrize("system", ["fedsgd", "masks-sum"])
def test_two_rows_are_found_from_twenty_gradients_or_their_sum(scripts: Any, system: str) -> None:
    (row,) = scripts("attacks.gradients").of_classic("logistic", system, 2, 4, 1)
    assert row["recovered"] >= 6 and row["of"] == 8


def test_four_rows_of_least_squares_are_hidden_by_rotations(scripts: Any) -> None:
    """The known targets leave a turn of one plane, which now and then is hardly one."""
    (row,) = scripts("attacks.gradients").of_classic("linear", "fedsgd", 4, 3, 1)
    assert row["recovered"] <= 3 and row["of"] == 12 and row["error"] > 0.2


def test_the_jacobian_of_the_residual_is_its_derivative(scripts: Any) -> None:
    inverting, rng = scripts("measuring.attacks.inverting"), np.random.default_rng(5)
    for model in ("linear", "logistic"):
        seen = inverting.Seen(model, rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), 2)
        point, step = rng.standard_normal(2 * 3 + 2), 1e-6
        slopes = [
            (inverting._residual(point + move, seen, None, 1.0) - inverting._residual(point - move, seen, None, 1.0))
            / (2 * step)
            for move in step * np.eye(8)
        ]
        assert np.allclose(inverting._jacobian(point, seen, None, 1.0), np.transpose(slopes), atol=1e-7)


def test_what_a_party_of_mpcfl_sees_says_nothing_of_a_row_unless_masks_are_left_out(scripts: Any) -> None:
    """By chance a guess is within 5 % of a row's length once in 10^5."""
    gradients = scripts("attacks.gradients")
    for row in gradients.of_mpcfl("logistic", 1, (15, 8)):
        assert row["recovered"] == 0 and row["error"] > 0.3
    (row,) = gradients.of_mpcfl("logistic", 1, (15, 8), "masks of zeros")
    assert (row["recovered"], row["of"]) == (8, 8)
