"""A draw on another device gives the elements and bytes of the CPU's, wherever in the stream they are asked for.

The device is played by the CPU here: what makes elements there is put in its place, and told from it by what it notes.
"""

import pytest
import torch

from mpcfl.ring import _draw_elsewhere, prg
from mpcfl.ring._draw_elsewhere import DrawElsewhere
from mpcfl.ring.prg import Draw, ReuseError, Stream

KEY = bytes(range(1, 33))
NUMBER = 2**64 + 2**31 + 5
CPU = torch.device("cpu")


class Played:
    """Fills as the CPU would, and notes (first, count) of what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, key: bytes, nonce: bytes, first: int, out: torch.Tensor) -> None:
        self.asked.append((first, out.numel()))
        whole = Draw(key, int.from_bytes(nonce, "little")).elements(first + out.numel())
        out.copy_(whole[first:].reshape(out.shape))


@pytest.fixture(params=["made there", "copied"])
def there(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()
    monkeypatch.setattr(_draw_elsewhere, "filling", lambda kind: played if request.param == "made there" else None)
    return played


def whole(count: int) -> bytes:
    return Draw(KEY, NUMBER).bytes(count)


def test_elements_and_bytes_come_from_one_stream_in_any_order(there: Played) -> None:
    draw, pieces = DrawElsewhere(KEY, NUMBER, CPU), []
    for ask in (5, "16", (2, 3), "3", 4, "5", 1, (), "64", (0, 7), 2, "0", 9):
        piece = draw.bytes(int(ask)) if isinstance(ask, str) else draw.elements(ask).numpy().tobytes()
        pieces.append(piece)
    assert b"".join(pieces) == whole(sum(map(len, pieces)))
    elements = [(0, 5), (7, 6), (18, 1), (19, 1), (28, 2), (30, 9)]  # four after three bytes are the CPU's
    assert there.asked in (elements, [])


def test_fill_takes_memory_of_the_device_only(there: Played) -> None:
    draw, memory = DrawElsewhere(KEY, NUMBER, CPU), torch.zeros(2, 3, dtype=torch.int64)
    assert draw.fill(memory) is memory and memory.numpy().tobytes() == whole(48)
    for wrong in (memory.t(), memory.to(torch.float64), memory.to("meta")):
        with pytest.raises(ValueError, match="contiguous int64"):
            draw.fill(wrong)
    assert draw.elements(2).numpy().tobytes() == whole(64)[48:]


def test_a_fill_that_torch_does_not_see_counts_as_a_change_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def unseen(_key: bytes, _nonce: bytes, _first: int, out: torch.Tensor) -> None:
        out.numpy()[...] = 7

    monkeypatch.setattr(_draw_elsewhere, "filling", lambda kind: unseen)
    memory = torch.zeros(4, dtype=torch.int64)
    before = memory._version
    DrawElsewhere(KEY, NUMBER, CPU).fill(memory)
    assert memory.tolist() == [7] * 4 and memory._version > before


def test_nothing_is_given_twice_there_either(there: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prg, "_BYTES_PER_OPERATION", 128)
    draw = DrawElsewhere(KEY, NUMBER, CPU)
    draw.elements(10)
    draw.bytes(40)
    for ask in (lambda: draw.elements(2), lambda: draw.fill(torch.zeros(2, dtype=torch.int64)), lambda: draw.bytes(9)):
        with pytest.raises(ReuseError, match="with 8 left"):
            ask()
    assert draw.elements(1).numpy().tobytes() == whole(128)[120:]
    with pytest.raises(ValueError, match="cannot draw"):
        draw.elements(-1)


def test_a_stream_makes_its_draws_where_it_is_told() -> None:
    here, there = Stream(KEY).operation(3), Stream(KEY, "meta").operation(3)
    assert type(here) is Draw and here.device == CPU
    assert isinstance(there, DrawElsewhere) and there.device.type == "meta" and there.elements((2, 3)).is_meta
    assert there.bytes(8) == here.bytes(56)[48:]
