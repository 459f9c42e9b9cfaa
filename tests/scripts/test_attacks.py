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
