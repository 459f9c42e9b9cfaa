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


def test_rank_1_of_crypten_reads_rank_0_also_where_a_helper_deals(scripts: Any) -> None:
    x = np.random.default_rng(1).normal(size=(100, 8))
    row = scripts("attacks.seed").crypten(x, "TTP")
    assert (row["recovered"], row["of"]) == (50, 50) and row["worst"] < 2**-15


@pytest.mark.parametrize("model", ["linear", "logistic"])
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
