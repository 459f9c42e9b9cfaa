"""A sealed file: no byte of it can be changed, and nothing of its content read, without the key."""

import os
import stat
from pathlib import Path

import pytest

from mpcfl.errors import CheckpointError
from mpcfl.sharing.sealed import open_sealed, read_header, write_sealed

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
HEADER = {"party": "north", "step": 20}
CONTENT = bytes(range(256))
TAG, NONCE = 16, 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "one.checkpoint"
    write_sealed(path, KEY, HEADER, CONTENT)
    return path


def test_what_was_written_is_what_is_read(path: Path) -> None:
    assert open_sealed(path, KEY) == (HEADER, CONTENT)
    assert read_header(path) == HEADER
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_content_is_sealed_too(path: Path) -> None:
    write_sealed(path, KEY, HEADER, b"")
    assert open_sealed(path, KEY) == (HEADER, b"")


def test_the_layout(path: Path) -> None:
    """8 bytes magic, 4 bytes length, header, 12 bytes nonce, content, 16 bytes tag."""
    data = path.read_bytes()
    length = int.from_bytes(data[8:12], "little")
    assert data[:8] == b"mpcfl/s1"
    assert data[12 : 12 + length] == b'{"party":"north","step":20}'
    assert len(data) == 12 + length + NONCE + len(CONTENT) + TAG


def test_every_changed_byte_is_noticed(path: Path) -> None:
    """Magic, length, header, nonce, content and tag: each byte with its lowest and its highest bit turned."""
    data = path.read_bytes()
    for place in range(len(data)):
        for bit in (0x01, 0x80):
            changed = bytearray(data)
            changed[place] ^= bit
            path.write_bytes(changed)
            with pytest.raises(CheckpointError, match=r"one\.checkpoint is (damaged|no checkpoint)"):
                open_sealed(path, KEY)


def test_every_cut_is_noticed(path: Path) -> None:
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match=r"one\.checkpoint"):
            open_sealed(path, KEY)


def test_what_is_added_is_noticed(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="is damaged"):
        open_sealed(path, KEY)


def test_parts_of_two_files_do_not_go_together(path: Path, tmp_path: Path) -> None:
    """Same key, same header: the content of one under the nonce of the other."""
    other = tmp_path / "two.checkpoint"
    write_sealed(other, KEY, HEADER, CONTENT[::-1])
    one, two = path.read_bytes(), other.read_bytes()
    cut = len(one) - len(CONTENT) - TAG
    assert one[: cut - NONCE] == two[: cut - NONCE]
    path.write_bytes(one[:cut] + two[cut:])
    with pytest.raises(CheckpointError, match="is damaged"):
        open_sealed(path, KEY)


def test_another_key_opens_nothing(path: Path) -> None:
    with pytest.raises(CheckpointError, match="sealed with another key") as caught:
        open_sealed(path, OTHER)
    assert "bring it or its key back, or remove it" in str(caught.value)


def test_no_two_files_have_one_nonce_and_no_content_shows(tmp_path: Path) -> None:
    """Else their difference would be that of the contents."""
    files = []
    for index in range(50):
        write_sealed(tmp_path / str(index), KEY, HEADER, CONTENT)
        files.append((tmp_path / str(index)).read_bytes())
    start = len(files[0]) - len(CONTENT) - TAG
    assert len({data[start - NONCE : start] for data in files}) == 50
    assert len({data[start:] for data in files}) == 50
    assert not any(CONTENT[i : i + 8] in data for data in files for i in range(0, 248, 8))


def test_a_write_that_is_cut_off_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    for call in ("fsync", "replace"):
        monkeypatch.setattr(os, call, cut_off)
        with pytest.raises(KeyboardInterrupt):
            write_sealed(path, KEY, HEADER, b"new")
        monkeypatch.undo()
        assert open_sealed(path, KEY) == (HEADER, CONTENT)
    write_sealed(path, KEY, HEADER, b"new")
    assert open_sealed(path, KEY) == (HEADER, b"new")
    assert [entry.name for entry in path.parent.iterdir()] == ["one.checkpoint"]


def test_it_is_on_the_disk_before_it_has_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, name, folder: a crash of the machine between two of them costs the new file at most."""
    calls: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append(kind(number)), sync(number))[1])
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("rename"), replace(old, new))[1])
    write_sealed(path, KEY, HEADER, CONTENT)
    assert calls == ["file", "rename", "folder"]


def kind(descriptor: int) -> str:
    return "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
