"""A party's folder of checkpoints: what is not of this job and party is refused by name; one run at a time uses it."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mpcfl.errors import CheckpointError, JobError, OutputError
from mpcfl.sharing.checkpoint import Checkpoint
from mpcfl.sharing.shelf import Owner, Shelf

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
OWNER = Owner("north", 0, ("north", "south", "east"), "a" * 64)
SHARES = (("left", (), 32, 1.0), ("weights", (2, 3), 20, 4.0))
RINGS = {"weights": torch.arange(6).reshape(2, 3) - 2**62, "left": torch.tensor(-1)}


def at(step: int, generation: int = 1) -> Checkpoint:
    return Checkpoint(generation=generation, run="r" * 32, step=step, shares=SHARES, tables=("", "", ""))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With iterations 10 and 20, and no run that uses it."""
    shelf = Shelf(tmp_path / "checkpoints" / "north", KEY, OWNER)
    for step in (10, 20):
        shelf.write(at(step), RINGS)
    shelf.close()
    return shelf.folder


def opened(folder: Path, owner: Owner = OWNER, key: bytes = KEY) -> list[Checkpoint]:
    shelf = Shelf(folder, key, owner)
    try:
        return shelf.held()
    finally:
        shelf.close()


def test_what_was_written_is_held_and_read(folder: Path) -> None:
    assert opened(folder) == [at(10), at(20)]
    rings = Shelf(folder, KEY, OWNER).read(at(20))
    assert {name: ring.dtype for name, ring in rings.items()} == dict.fromkeys(RINGS, torch.int64)
    assert all(torch.equal(rings[name], RINGS[name]) for name in RINGS)


def test_nobody_else_may_look(folder: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600} and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_shares_are_not_in_the_file(folder: Path) -> None:
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert not any(int(value).to_bytes(8, "little", signed=True) in content for value in RINGS["weights"].ravel())


def test_what_is_not_kept_is_gone(folder: Path) -> None:
    shelf = Shelf(folder, KEY, OWNER)
    shelf.keep_only([at(20)])
    assert shelf.held() == [at(20)]
    shelf.keep_only([])
    shelf.close()
    assert not folder.exists()


def test_a_file_that_was_cut_off_is_no_checkpoint_and_is_cleared_away(folder: Path) -> None:
    (folder / "000001-000000030.checkpoint.partial").write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    assert opened(folder) == [at(10), at(20)]
    assert sorted(os.listdir(folder))[2:] == ["notes.txt"]


def test_the_generation_is_read_off_the_names(folder: Path) -> None:
    shelf = Shelf(folder, KEY, OWNER)
    assert shelf.newest_generation == 1
    shelf.write(at(5, generation=1234567), RINGS)
    assert shelf.newest_generation == 1234567
    shelf.keep_only([])
    assert shelf.newest_generation == 0


REFUSED = {
    "another job": (replace(OWNER, job="b" * 64), "is of another job"),
    "another party": (replace(OWNER, name="south"), "is of another party, not of south"),
    "another rank": (replace(OWNER, rank=1), "is of a run with other parties than north, south, east"),
    "fewer parties": (replace(OWNER, roster=("north", "south")), "is of a run with other parties than north, south,"),
}


@pytest.mark.parametrize("owner, said", REFUSED.values(), ids=REFUSED.keys())
def test_a_checkpoint_of_something_else_is_refused_by_name(owner: Owner, said: str, folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"000001-000000010\.checkpoint " + said) as caught:
        opened(folder, owner)
    assert "or remove the file to start anew" in str(caught.value)


def test_a_key_that_was_lost_is_named_with_the_file(folder: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"000001-000000010\.checkpoint is damaged, or was sealed with another key"
    ):
        opened(folder, key=OTHER)


def test_a_file_under_another_step_is_refused(folder: Path) -> None:
    """An old checkpoint under the name of a newer one: its true step is inside, and authenticated."""
    os.replace(folder / "000001-000000010.checkpoint", folder / "000001-000000020.checkpoint")
    with pytest.raises(CheckpointError, match="is that of iteration 10, under the name of another"):
        opened(folder)


def test_a_file_that_goes_away_is_named(folder: Path) -> None:
    shelf = Shelf(folder, KEY, OWNER)
    (folder / "000001-000000020.checkpoint").unlink()
    with pytest.raises(CheckpointError, match=r"000000020\.checkpoint cannot be read: No such file"):
        shelf.read(at(20))


def test_a_file_of_another_run_in_its_place_is_noticed(folder: Path) -> None:
    """Same iteration, same name, and yet shares that nobody else has the rest of."""
    shelf = Shelf(folder, KEY, OWNER)
    shelf.write(replace(at(20), run="s" * 32), RINGS)
    with pytest.raises(CheckpointError, match="changed while this run began"):
        shelf.read(at(20))


def test_one_run_at_a_time(folder: Path) -> None:
    first = Shelf(folder, KEY, OWNER)
    with pytest.raises(JobError, match="in use by another run"):
        Shelf(folder, KEY, OWNER)
    first.close()
    Shelf(folder, KEY, OWNER).close()


def test_a_place_that_takes_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/north: cannot be written"):
        Shelf(tmp_path / "file" / "north", KEY, OWNER)


def test_a_full_disk_is_named_and_costs_no_older_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(folder, KEY, OWNER)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"000000030\.checkpoint: cannot be written: No space left on device"):
        shelf.write(at(30), RINGS)
    monkeypatch.undo()
    assert shelf.held() == [at(10), at(20)]


def test_no_share_and_no_key_in_what_is_printed(folder: Path) -> None:
    said = f"{Shelf(folder, KEY, OWNER)!r}"
    assert said == f"Shelf({folder})"
