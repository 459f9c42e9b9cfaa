"""Which checkpoint a run resumes from: shares of different runs never go together."""

from dataclasses import replace

import pytest

from mpcfl.sharing.checkpoint import Checkpoint, newest_common, who_holds_what

ONE = Checkpoint(generation=1, run="a" * 32, step=10, shares=(("w", (3,), 20, 4.0),), tables=("t", ""))


def at(step: int, run: str = "a", generation: int = 1) -> Checkpoint:
    return replace(ONE, step=step, run=run * 32, generation=generation)


def test_the_newest_step_that_all_hold() -> None:
    assert newest_common([[at(10), at(20)], [at(20), at(30)], [at(20)]]) == at(20)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_none_if_one_party_holds_none(missing: int) -> None:
    held = [[at(10), at(20)] for _ in range(3)]
    held[missing] = []
    assert newest_common(held) is None


def test_one_step_of_two_runs_is_not_common() -> None:
    """Equal steps, even equal generations: the shares have other masks, and would add up to nonsense."""
    assert newest_common([[at(20, "a")], [at(20, "b")]]) is None
    assert newest_common([[at(10, "a"), at(20, "a")], [at(10, "a"), at(20, "b")]]) == at(10, "a")


def test_a_later_run_counts_more_than_a_later_step() -> None:
    """A run that was started anew on purpose is not overtaken by what an older one left behind."""
    both = [at(90, "a", 1), at(10, "b", 2)]
    assert newest_common([both, both[::-1]]) == at(10, "b", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"step": 11}, {"run": "b" * 32}, {"generation": 2}, {"tables": ("u", "")},
        {"shares": (("v", (3,), 20, 4.0),)}, {"shares": (("w", (4,), 20, 4.0),)},
        {"shares": (("w", (3,), 21, 4.0),)}, {"shares": (("w", (3,), 20, 5.0),)},
    ],
    ids=str,
)  # fmt: skip
def test_checkpoints_that_differ_in_anything_do_not_go_together(change: dict) -> None:
    assert newest_common([[ONE], [replace(ONE, **change)]]) is None


def test_text_and_back_is_the_same() -> None:
    scalar = replace(ONE, shares=(("guard", (), 32, 0.1), ("w", (3, 2), 20, float("inf"))))
    assert Checkpoint.from_json(scalar.to_json()) == scalar


def test_who_holds_what_in_words() -> None:
    said = who_holds_what(["north", "south"], [[at(4), at(8)], []])
    assert said == "north holds iterations 8, 4; south holds none"
