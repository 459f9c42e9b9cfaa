"""A party's own key file: made once, for nobody else's eyes, and refused when others may have seen it."""

import stat
from pathlib import Path

import pytest

from mpcfl.errors import SetupError
from mpcfl.sharing.own_key import own_key


def test_a_key_is_made_at_first_use_and_is_the_same_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "north.key"
    key = own_key(path)
    assert len(key) == 32 and path.read_bytes() == key
    assert own_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_every_party_has_another(tmp_path: Path) -> None:
    assert own_key(tmp_path / "north.key") != own_key(tmp_path / "south.key")


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o620, 0o601, 0o610, 0o644, 0o777])
def test_a_key_that_others_can_read_or_change_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "north.key"
    own_key(path)
    path.chmod(mode)
    with pytest.raises(SetupError, match=rf"north\.key can be read by others \(mode 0{mode:o}\)\n.*chmod 600"):
        own_key(path)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_file_that_is_no_key_is_refused_and_left_alone(size: int, tmp_path: Path) -> None:
    path = tmp_path / "north.key"
    path.touch(0o600)
    path.write_bytes(b"k" * size)
    with pytest.raises(SetupError, match=r"north\.key is no key") as caught:
        own_key(path)
    assert "kk" not in str(caught.value)
    assert path.read_bytes() == b"k" * size


def test_a_place_where_no_key_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(SetupError, match=r"keys/north\.key: .*\n.*\[checkpoint\] keys"):
        own_key(tmp_path / "keys" / "north.key")
