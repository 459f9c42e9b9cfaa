"""scripts/attacks/: each attack succeeds where it should, and does no better than guessing against mpcfl.

At small sizes, from fixed seeds; what is random in mpcfl itself is random here too, and thresholds follow from that.
"""

import importlib
import sys
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
    views, repeated = scripts("attacks.views"), scripts("measuring.attacks.repeated").repeated
    training, tables = scripts("measuring.attacks.recorded").TRAININGS[model], views.tables(model, 1)
    one, *others = repeated(training, tables, 4)
    for party, other in zip(("north", "south"), others, strict=True):
        row = views.told_apart(model, party, one, other, 1)
        assert row["bytes_p"] > UNLIKELY and row["positions_p"] > UNLIKELY
        assert row["same_start"] and row["same_lengths"] and row["bytes_seen"] > 1000
    dealer = views.told_apart(model, "east", one, others[0], 1)
    assert (dealer["messages"], dealer["bytes_seen"]) == (0, 0)
    bare = repeated(training, tables[:2], 4, "masks of zeros")
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


def test_weights_of_few_rows_give_members_away_and_ridge_takes_some_of_it_back(scripts: Any) -> None:
    membership, model = scripts("attacks.membership"), scripts("measuring.attacks.outputs").Model
    rng = np.random.default_rng(7)
    x = rng.standard_normal((300, 8))
    y = x @ rng.standard_normal(8) + 2 * rng.standard_normal(300)
    few, ridge, many = (
        membership.measured(model("linear", l2), x, y, n, 30, 1) for l2, n in ((0.0, 14), (100.0, 14), (0.0, 140))
    )
    assert few["auc"] - few["auc_margin"] > 0.6
    assert few["auc"] > ridge["auc"] + ridge["auc_margin"] and few["auc"] > many["auc"] + many["auc_margin"]
    assert ridge["auc"] > 0.5 and many["auc"] < 0.6


def test_weights_of_mpcfl_give_away_what_those_of_plaintext_training_do(scripts: Any) -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((120, 3))
    row = scripts("attacks.membership").of_mpcfl(x, x @ np.ones(3) + rng.standard_normal(120), 40, 2, 1)
    assert row["auc"] == pytest.approx(row["auc_plaintext"], abs=0.005)


def test_auc_is_the_chance_that_a_member_scores_higher(scripts: Any) -> None:
    auc = scripts("measuring.attacks.outputs").auc
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert auc(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert auc(np.array([0.0, 2.0]), np.array([1.0, 1.0])) == 0.5


@pytest.mark.parametrize("model", ["linear", "logistic"])
def test_who_knows_all_other_rows_has_the_row_in_one_model_and_who_knows_half_has_it_not_in_two(
    scripts: Any, model: str
) -> None:
    differencing = scripts("attacks.differencing")
    made = differencing.published(model, 40, 20, 1)
    row = differencing.measured(model, made, differencing.ALL, 9)
    assert (row["recovered"], row["of"], row["models"]) == (20, 20, 1) and row["error"] < 1e-6 and row["off"] < 1e-6
    row = differencing.measured(model, made, differencing.HALF, 9)
    assert (row["recovered"], row["models"]) == (0, 2) and 0.1 < row["error"] < 1


def test_fewer_digits_hide_single_rows_of_many_but_not_those_that_are_far_out(scripts: Any) -> None:
    differencing = scripts("attacks.differencing")
    few, many, far = (
        differencing.measured("linear", differencing.published("linear", n, 40, 1, far=far), differencing.ALL, 3)
        for n, far in ((40, 1.0), (440, 1.0), (440, 5.0))
    )
    assert few["recovered"] > 15 and many["recovered"] < 4 and far["recovered"] > 20
    assert all(abs(row["score_lost"]) < 1e-4 for row in (few, many, far)), "and cost nothing of R^2"


def test_d_plus_2_runs_with_own_rows_of_ones_choice_give_the_sums_of_squares_of_all_others(scripts: Any) -> None:
    differencing, subtracting = scripts("attacks.differencing"), scripts("measuring.attacks.subtracting")
    (one,) = differencing.published("linear", 40, 1, 1, runs=12)
    others = np.c_[one.x, np.ones(40)]
    for runs, close in ((12, True), (11, False)):
        _, (gram, h) = subtracting.by_own_rows(one.model, one.changed[:runs], one.without)
        assert np.allclose(gram, others.T @ others, atol=1e-6) == np.allclose(h, others.T @ one.y, atol=1e-6) == close
    row = differencing.measured("linear", [one], differencing.NONE, 9)
    assert (row["recovered"], row["models"]) == (1, 13) and row["error"] < 1e-5


def test_rows_of_one_owner_are_hidden_in_their_weighted_mean(scripts: Any) -> None:
    differencing, subtracting = scripts("attacks.differencing"), scripts("measuring.attacks.subtracting")
    (one,) = differencing.published("linear", 40, 1, 1, hidden=3)
    found, _ = subtracting.row_of(
        one.model, one.weights, subtracting.by_rows(one.model, one.weights, one.x[3:], one.y[3:])
    )
    off = one.y[:3] - one.x[:3] @ one.weights[:-1] - one.weights[-1]
    assert np.allclose(found, off @ one.x[:3] / off.sum())
    assert differencing.measured("linear", [one], differencing.ALL, 9)["error"] > 0.1


def test_weights_that_mpcfl_reveals_give_the_row_too(scripts: Any) -> None:
    differencing = scripts("attacks.differencing")
    made = differencing.published("linear", 40, 1, 3, system="mpcfl")
    row = differencing.measured("linear", made, differencing.ALL, 9)
    assert row["recovered"] == 1 and row["error"] < 0.01


def test_a_missing_column_follows_from_weights_where_the_target_does(scripts: Any) -> None:
    """y = 3 x0 + x1 without noise: x0 is what is left of y. With weights of 0 it is what the prior says."""
    outputs, rng = scripts("measuring.attacks.outputs"), np.random.default_rng(2)
    x = rng.standard_normal((50, 2))
    prior, model = outputs.Prior.of(rng.standard_normal((500, 2)), 0), outputs.Model("linear", 0.0)
    y = x @ np.array([3.0, 1.0])
    found = outputs.inverted(model, np.array([3.0, 1.0, 0.0]), 0.05, prior, x, y, 0)
    inside = np.abs(x[:, 0]) < 3
    assert np.abs(found - x[:, 0])[inside].max() < 0.06
    blind = outputs.inverted(model, np.zeros(3), 1.0, prior, x, y, 0)
    assert np.allclose(blind, prior.mean(x, 0), atol=1e-3)


def test_the_key_holder_reads_sums_of_squares_off_gradients(scripts: Any) -> None:
    key_holder, rng = scripts("attacks.key_holder"), np.random.default_rng(4)
    a, y = np.c_[rng.standard_normal((30, 3)), np.ones(30)], rng.standard_normal(30)
    weights = np.r_[np.zeros((1, 4)), rng.standard_normal((6, 4))]
    gram, h = key_holder.sums_of(weights, (a @ weights.T - y[:, None]).T @ a)
    assert np.allclose(gram, a.T @ a) and np.allclose(h, a.T @ y)


def test_dealer_and_compute_party_together_read_the_rows_of_others_and_a_compute_party_alone_does_not(
    scripts: Any,
) -> None:
    key_holder, rng = scripts("attacks.key_holder"), np.random.default_rng(6)
    x, y = rng.standard_normal((24, 3)), rng.standard_normal(24)
    together = key_holder.of_collusion(x, y, "the dealer and a compute party")
    alone = key_holder.of_collusion(x, y, "a compute party")
    assert (together["recovered"], together["of"]) == (18, 18) and alone["recovered"] == 0 and alone["error"] > 1e6


def test_without_tenseal_the_rows_of_the_classic_design_say_so(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    (row,) = scripts("attacks.gradients").of_classic("linear", "ckks-sum", 1, 3, 1)
    assert "tenseal" in row["not_measured"].lower() and "recovered" not in row
