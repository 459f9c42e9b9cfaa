"""MT19937, which is behind every `torch.Generator` of the CPU: found by its seed, or wound on from what it gave.

    seed_of(mask, 0, 2**22)      the seed below 2^22 whose first ring element is `mask`: so many million seeds a second
    following(masks, count)      the `count` elements that come after 312 or more known ones: no search at all

Whatever 64-bit number a generator is seeded with, it keeps the lower 32 bits. A ring element, as CrypTen draws it, is
two outputs of 32 bits: randint(-2^63, 2^63 - 1) is their 64 bits minus 2^63. Matsumoto and Nishimura 1998.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from numba import njit

Words = npt.NDArray[np.uint32]
KNOWN = 312  # elements that fix all that follow: 624 words of state
_SIZE, _SHIFT = 624, 397
_UPPER, _LOWER, _TWIST = np.uint32(0x80000000), np.uint32(0x7FFFFFFF), np.uint32(0x9908B0DF)
_B, _C = np.uint32(0x9D2C5680), np.uint32(0xEFC60000)
_U, _S, _T, _L, _ONE = np.uint32(11), np.uint32(7), np.uint32(15), np.uint32(18), np.uint32(1)
_FACTOR, _HIGH = np.uint32(1812433253), np.uint32(30)
_LANES = 16  # seeds that are tried side by side, so that a processor can do several at once


def elements(generator: torch.Generator, count: int) -> torch.Tensor:
    """The next ring elements of a generator, int64, as CrypTen's `generate_random_ring_element` draws them."""
    return torch.randint(-(2**63), 2**63 - 1, (count,), generator=generator, dtype=torch.long)


def words(masks: torch.Tensor) -> Words:
    """The 32-bit outputs that ring elements (k,) were made of: (2 k,)."""
    whole = masks.numpy().astype(np.uint64) + np.uint64(2**63)
    return np.c_[whole >> np.uint64(32), whole & np.uint64(0xFFFFFFFF)].astype(np.uint32).reshape(-1)


def seed_of(mask: torch.Tensor, start: int, stop: int) -> int:
    """The seed in start..stop-1 (multiples of 16) whose first elements are `mask` (k,), k >= 1; -1 if there is none."""
    first = words(mask)[0]
    while start < stop:
        found = int(_search(first, start, stop))
        if found < 0:
            return -1
        if torch.equal(elements(torch.Generator().manual_seed(found), len(mask)), mask):
            return found
        start = found - found % _LANES + _LANES  # one seed in 2^32 has the same first word
    return -1


def following(masks: torch.Tensor, count: int) -> torch.Tensor:
    """The `count` elements after `masks` (312 or more, consecutive): each output gives a word of the state."""
    if len(masks) < KNOWN:
        raise ValueError(f"{len(masks)} elements are known, {KNOWN} fix the state")
    outputs = words(masks[-KNOWN:])
    state = np.empty(_SIZE + 2 * count, np.uint32)
    state[:_SIZE] = _untempered(outputs)
    _wind_on(state)
    out = _tempered(state[_SIZE:]).astype(np.uint64).reshape(-1, 2)
    return torch.from_numpy(((out[:, 0] << np.uint64(32) | out[:, 1]) - np.uint64(2**63)).astype(np.int64))


@njit(cache=True)
def _twisted(word: np.uint32, after: np.uint32, far: np.uint32) -> np.uint32:
    y = (word & _UPPER) | (after & _LOWER)
    return far ^ (y >> _ONE) ^ (_TWIST if after & _ONE else np.uint32(0))


@njit(cache=True)
def _output(y: np.uint32) -> np.uint32:
    y ^= y >> _U
    y ^= (y << _S) & _B
    y ^= (y << _T) & _C
    return np.uint32(y ^ (y >> _L))


@njit(cache=True)
def _search(first: np.uint32, start: int, stop: int) -> int:
    """The first output needs words 0, 1 and 397 of the first state; those before are needed on the way only."""
    word, one = np.empty(_LANES, np.uint32), np.empty(_LANES, np.uint32)
    for base in range(start, stop, _LANES):
        for lane in range(_LANES):
            word[lane] = np.uint32(base + lane)
        for i in range(1, _SHIFT + 1):
            for lane in range(_LANES):
                word[lane] = _FACTOR * (word[lane] ^ (word[lane] >> _HIGH)) + np.uint32(i)
            if i == 1:
                one[:] = word
        for lane in range(_LANES):
            if _output(_twisted(np.uint32(base + lane), one[lane], word[lane])) == first:
                return base + lane
    return -1


@njit(cache=True)
def _wind_on(state: Words) -> None:
    for i in range(_SIZE, len(state)):
        state[i] = _twisted(state[i - _SIZE], state[i - _SIZE + 1], state[i - _SIZE + _SHIFT])


def _tempered(y: Words) -> Words:
    y = y ^ (y >> _U)
    y = y ^ ((y << _S) & _B)
    y = y ^ ((y << _T) & _C)
    return y ^ (y >> _L)


def _untempered(y: Words) -> Words:
    """Each step of `_tempered` undone, the last first: the bits that are known give those that are not."""
    y = y ^ (y >> _L)
    y = y ^ ((y << _T) & _C)
    known = y
    for _ in range(5):
        known = y ^ ((known << _S) & _B)
    y = known
    for _ in range(3):
        known = y ^ (known >> _U)
    return known
