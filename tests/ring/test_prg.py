"""The stream of masks is ChaCha20 as RFC 8439 has it, and no stretch of it is given out twice."""

import copy
import hashlib
import hmac
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from mpcfl.ring import prg
from mpcfl.ring.prg import Draw, ReuseError, Stream, derive, fresh_key

COUNTING = bytes(range(32))

# RFC 8439: (section, key, nonce, block counter, that block of the key stream)
BLOCKS = [
    ("2.3.2", COUNTING, "000000090000004a00000000", 1,
     "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
     "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"),
    ("A.1 #1", bytes(32), "000000000000000000000000", 0,
     "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
     "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"),
    ("A.1 #2", bytes(32), "000000000000000000000000", 1,
     "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
     "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"),
    ("A.1 #3", bytes(31) + b"\x01", "000000000000000000000000", 1,
     "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a"
     "8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"),
    ("A.1 #4", b"\x00\xff" + bytes(30), "000000000000000000000000", 2,
     "72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca"
     "13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096"),
    ("A.1 #5", bytes(32), "000000000000000000000002", 0,
     "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
     "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"),
]  # fmt: skip


def drawing(key: bytes = COUNTING, number: int = 0) -> Draw:
    return Stream(key).operation(number)


# RFC 8439


@pytest.mark.parametrize(("section", "key", "nonce", "counter", "block"), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_a_draw_is_the_key_stream_of_rfc_8439(section: str, key: bytes, nonce: str, counter: int, block: str) -> None:
    draw = drawing(key, int.from_bytes(bytes.fromhex(nonce), "little"))
    draw.bytes(64 * counter)
    assert draw.bytes(64).hex() == block, section


def test_a_draw_encrypts_the_example_of_section_2_4_2() -> None:
    plain = (
        b"Ladies and Gentlemen of the class of '99: "
        b"If I could offer you only one tip for the future, sunscreen would be it."
    )
    draw = drawing(COUNTING, int.from_bytes(bytes.fromhex("000000000000004a00000000"), "little"))
    draw.bytes(64)  # the example starts at block 1
    assert bytes(p ^ k for p, k in zip(plain, draw.bytes(len(plain)), strict=True)).hex() == (
        "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab"
        "8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42"
        "874d"
    )


def test_elements_are_little_endian_words_of_the_stream() -> None:
    words = np.frombuffer(drawing().bytes(8 * 1000), dtype="<i8")
    assert drawing().elements(1000).tolist() == words.tolist()


# draws


@pytest.mark.parametrize("cuts", [[1, 2, 3], [0, 7, 0, 1], [9, 40000, 50001], [70000]])
def test_draws_of_one_operation_follow_each_other(cuts: list[int]) -> None:
    """70000 elements are more than the buffer of zeros; 7, 9 and 50001 end within a block."""
    draw = drawing()
    pieces = [draw.elements(cut) for cut in cuts]
    assert torch.equal(torch.cat(pieces), drawing().elements(sum(cuts)))


def test_bytes_and_elements_come_from_one_stream() -> None:
    draw, whole = drawing(), drawing().bytes(100)
    assert draw.bytes(3) == whole[:3]
    assert draw.elements(2).numpy().tobytes() == whole[3:19]
    assert draw.bytes(0) == b""
    assert draw.bytes(81) == whole[19:]


def test_elements_take_any_shape() -> None:
    flat = drawing().elements(24)
    for shape in [(24,), (2, 3, 4), [4, 6], torch.Size([24, 1])]:
        elements = drawing().elements(shape)
        assert elements.shape == torch.Size(shape)
        assert elements.dtype == torch.int64
        assert torch.equal(elements.flatten(), flat)
    assert drawing().elements(()).item() == flat[0]
    assert drawing().elements((3, 0)).shape == (3, 0)
    for shape in (-1, (2, -3)):
        with pytest.raises(ValueError, match="cannot draw"):
            drawing().elements(shape)


def test_fill_writes_the_same_elements_where_it_is_told() -> None:
    draw, memory = drawing(), torch.zeros(3, 5, dtype=torch.int64)
    assert draw.fill(memory) is memory
    assert torch.equal(memory, drawing().elements((3, 5)))
    draw.fill(memory)
    assert torch.equal(memory.flatten(), drawing().elements(30)[15:])
    for wrong in (memory.t(), memory.to(torch.float64), memory.to("meta")):
        with pytest.raises(ValueError, match="contiguous int64"):
            draw.fill(wrong)


def test_every_bit_is_one_half_of_the_time() -> None:
    """200000 elements of a fixed key: each of the 64 bits within 4 standard deviations (0.0045) of one half."""
    elements = drawing().elements(200_000).numpy().view(np.uint64)
    ones = [np.mean(elements >> np.uint64(bit) & np.uint64(1)) for bit in range(64)]
    assert np.abs(np.array(ones) - 0.5).max() < 4 * 0.5 / 200_000**0.5


def test_keys_and_operations_give_streams_of_their_own() -> None:
    stream = Stream(COUNTING)
    firsts = [stream.operation(number).bytes(16) for number in (0, 1, 2, 2**32, 2**64, 2**96 - 1)]
    firsts.append(Stream(COUNTING[::-1]).operation(0).bytes(16))
    assert len(set(firsts)) == len(firsts)


# nothing twice


def test_an_operation_number_is_given_once_and_never_after_a_later_one() -> None:
    stream = Stream(COUNTING)
    for number in (0, 1, 5):
        stream.operation(number)
    for number in (0, 1, 4, 5):
        with pytest.raises(ReuseError, match=f"operation {number} was used or passed before: the next one is 6"):
            stream.operation(number)
    stream.operation(6)


def test_threads_that_ask_for_one_number_do_not_both_get_it() -> None:
    class Slow(int):
        """A number that takes its time to be compared, so that both threads are between the check and the record."""

        def __lt__(self, other: int) -> bool:
            less = int(self) < other
            time.sleep(0.005)
            return less

    stream = Stream(COUNTING)

    def ask(number: int) -> bool:
        try:
            stream.operation(Slow(number))
        except ReuseError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for number in range(5):
            assert sum(pool.map(ask, [number] * 8)) == 1


@pytest.mark.parametrize("number", [-1, 2**96])
def test_an_operation_number_fits_the_nonce(number: int) -> None:
    with pytest.raises(ValueError, match="operation number"):
        Stream(COUNTING).operation(number)


def test_an_operation_ends_before_its_block_counter_does() -> None:
    with pytest.raises(ReuseError, match="its stream would start again"):
        drawing().elements(2**35 + 1)  # refused before memory is taken for it
    with pytest.raises(ReuseError):
        drawing().bytes(2**38 + 1)


def test_what_is_left_of_an_operation_counts_all_its_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prg, "_BYTES_PER_OPERATION", 128)
    draw = drawing()
    draw.elements(10)
    draw.bytes(40)
    for ask in (lambda: draw.elements(2), lambda: draw.bytes(9), lambda: draw.fill(torch.zeros(2, dtype=torch.int64))):
        with pytest.raises(ReuseError, match="with 8 left"):
            ask()
    assert draw.elements(1).numpy().tobytes() == drawing().bytes(128)[120:]
    with pytest.raises(ReuseError, match="with 0 left"):
        draw.bytes(1)


def test_streams_and_draws_are_not_copied() -> None:
    for thing in (Stream(COUNTING), drawing()):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="neither pickled nor copied"):
                attempt(thing)


def test_a_forked_process_cannot_go_on_with_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, draw = Stream(COUNTING), drawing()
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)  # what a fork changes
    for ask in (lambda: stream.operation(0), lambda: draw.elements(1), lambda: draw.bytes(1)):
        with pytest.raises(ReuseError, match="forked"):
            ask()


# keys


def test_no_key_in_what_is_printed() -> None:
    key = fresh_key()
    for thing in (Stream(key), drawing(key)):
        for text in (repr(thing), str(thing), f"{thing}"):
            assert key.hex() not in text
            assert repr(key) not in text


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33), "0" * 32, bytearray(32)], ids=repr)
def test_a_key_is_32_bytes(key) -> None:
    for use in (Stream, derive):
        with pytest.raises(ValueError, match="a key is 32 bytes"):
            use(key)


def test_a_key_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(ValueError) as refused:
        Stream(b"secret of thirty-three bytes long")
    assert "secret" not in str(refused.value)


def test_fresh_keys_differ() -> None:
    keys = {fresh_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}


def test_derive_is_hkdf_sha256_of_rfc_5869() -> None:
    """Extract, then expand by one block, written out with the standard library."""
    info = b"s" + (4).to_bytes(8, "little") + b"pair" + b"i" + (2).to_bytes(8, "little") + b"12" + b"b" + bytes(8)
    extracted = hmac.digest(b"mpcfl.ring.prg 1", COUNTING, hashlib.sha256)
    assert derive(COUNTING, "pair", 12, b"") == hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def test_no_two_lists_of_labels_give_one_key() -> None:
    labels = [
        (), ("",), ("", ""), (b"",), ("a",), (b"a",), ("ab",), ("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"),
        (0,), ("0",), (b"0",), (1,), (-1,), (10,), (1, 0), (2**70,), ("a", 1), ("a", "1"), ("a1",),
        ("s\x01\x00\x00\x00\x00\x00\x00\x00a",),
    ]  # fmt: skip
    keys = {derive(COUNTING, *row) for row in labels} | {derive(bytes(32), "a")}
    assert len(keys) == len(labels) + 1
    assert derive(COUNTING, "a", 1) == derive(COUNTING, "a", 1)


@pytest.mark.parametrize("label", [1.0, None, True, ("a",)], ids=repr)
def test_a_label_is_bytes_str_or_int(label) -> None:
    with pytest.raises(TypeError, match="a label is bytes, str or int"):
        derive(COUNTING, label)
