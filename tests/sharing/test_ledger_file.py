"""What was revealed is on the disk before it leaves; a kill in the middle of a line costs that line."""

import stat
from pathlib import Path

import pytest

from mpcfl.sharing.ledger_file import LedgerFile, OfRun, longest

ENTRIES = [{"what": f"look {i}", "shape": [], "to": ["north"], "reason": "to look"} for i in range(4)]


@pytest.fixture
def file(tmp_path: Path) -> LedgerFile:
    """Of a run that revealed twice, and one that revealed once."""
    file = LedgerFile(tmp_path / "ledger.jsonl")
    for generation, run, entry in ((1, "b", ENTRIES[0]), (1, "b", ENTRIES[1]), (2, "a", ENTRIES[2])):
        file.append(generation, run, entry)
    return file


def test_entries_are_read_by_run_and_by_nobody_else(file: LedgerFile) -> None:
    assert file.read() == [OfRun(1, "b", ENTRIES[:2]), OfRun(2, "a", ENTRIES[2:3])]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.remove()
    assert file.read() == [] and not file.path.exists()


@pytest.mark.parametrize("lost", [1, 20])
def test_a_line_that_was_cut_off_is_taken_out(file: LedgerFile, lost: int) -> None:
    file.path.write_bytes(file.path.read_bytes()[:-lost])
    assert file.read() == [OfRun(1, "b", ENTRIES[:2])]
    file.append(3, "c", ENTRIES[3])
    assert file.read() == [OfRun(1, "b", ENTRIES[:2]), OfRun(3, "c", ENTRIES[3:])]


@pytest.mark.parametrize("line", [b"nothing\n", b"[]\n", b'{"generation": 1, "run": "b"}\n'])
def test_a_line_that_is_none_is_noticed(file: LedgerFile, line: bytes) -> None:
    file.path.write_bytes(line + file.path.read_bytes())
    with pytest.raises(ValueError, match="is none of a ledger"):
        file.read()


def test_of_each_run_the_longest_counts_and_the_oldest_comes_first() -> None:
    held = [[OfRun(1, "b", ENTRIES[:1])], [OfRun(1, "b", ENTRIES[:2]), OfRun(2, "a", ENTRIES[3:])], []]
    assert longest(held) == [*ENTRIES[:2], ENTRIES[3]]
