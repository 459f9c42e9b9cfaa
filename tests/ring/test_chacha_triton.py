"""The generator in Triton gives the key stream of RFC 8439, from any element on."""

import pytest
import torch

from mpcfl.ring.prg import Draw, Stream
from tests.ring.interpreted import kernel_devices
from tests.ring.test_prg import BLOCKS

KEY = bytes(range(200, 232))
NUMBER = 2**95 + 2**64 + 2**31 + 5  # no word of key and nonce is as good as another
LAST = 1 << 35  # elements of an operation


def made(first: int, count: int, device: str, key: bytes = KEY, number: int = NUMBER) -> torch.Tensor:
    """Elements of the stream, in memory that reaches further on both sides and must stay as it is there."""
    from mpcfl.ring._chacha_triton import fill

    memory = torch.full((count + 16,), -7, dtype=torch.int64, device=device)
    fill(key, number.to_bytes(12, "little"), first, memory[8 : 8 + count])
    assert memory[:8].tolist() == memory[8 + count :].tolist() == [-7] * 8
    return memory[8 : 8 + count].cpu()


@kernel_devices
def test_blocks_are_those_of_rfc_8439(device: str) -> None:
    for section, key, nonce, counter, block in BLOCKS:
        number = int.from_bytes(bytes.fromhex(nonce), "little")
        assert made(8 * counter, 8, device, key, number).numpy().tobytes().hex() == block, section


@kernel_devices
def test_elements_are_those_of_the_cpu_from_any_one_on(device: str) -> None:
    """1024 elements are one program's."""
    whole = Draw(KEY, NUMBER).elements(6000)
    for first, count in ((0, 1), (5, 2), (7, 9), (3, 1021), (3, 1022), (1023, 1025), (4001, 1999)):
        assert torch.equal(made(first, count, device), whole[first : first + count])


@kernel_devices
@pytest.mark.parametrize("first", [2**31 - 2, 2**34 + 1, LAST - 5])
def test_elements_far_on_are_right_too(first: int, device: str) -> None:
    """The block counter passes 2^31, and ends at 2^32."""
    from mpcfl.ring._draw_elsewhere import DrawElsewhere

    draw = DrawElsewhere(KEY, NUMBER, torch.device("cpu"))
    draw._left -= 8 * first
    assert made(first, 5, device).numpy().tobytes() == draw.bytes(40)


@pytest.mark.cuda
def test_a_stream_on_cuda_is_that_of_the_cpu() -> None:
    draws = Stream(KEY, "cuda").operation(9), Stream(KEY).operation(9)
    for shape in ((3,), (1 << 20,), (5, 7), (), (0, 2)):
        there, here = (draw.elements(shape) for draw in draws)
        assert there.is_cuda and torch.equal(there.cpu(), here)
        assert draws[0].bytes(len(shape)) == draws[1].bytes(len(shape))  # the next elements start within one
    memory = torch.empty(100, dtype=torch.int64, device="cuda")
    assert torch.equal(draws[0].fill(memory).cpu(), draws[1].elements(100))
