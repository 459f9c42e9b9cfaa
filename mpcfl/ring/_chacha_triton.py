"""ChaCha20 (RFC 8439, section 2.3) in Triton: elements of the key stream, made where they are wanted.

A lane computes a block: 16 words of state in registers, 64 bytes of key stream, 8 elements. Its 20 rounds are 960
integer operations, and they bound the kernel on a GPU, not the memory that it writes to. The blocks of a program are
put side by side before they are stored, so that neighbouring lanes write neighbouring bytes.
"""

from __future__ import annotations

import struct

import torch
import triton
import triton.language as tl

_BLOCK = 8  # elements
_LANES = 128  # blocks of a program

# They differ at every launch. Were the kernel specialised for their values (1, or multiples of 16), as Triton does, it
# would be compiled again and again.
_VARYING = ["skipped", "count", "block", *(f"k{i}" for i in range(8)), "n0", "n1", "n2"]


def fill(key: bytes, nonce: bytes, first: int, out: torch.Tensor) -> None:
    """Elements first, first + 1, ... of the key stream of `key` (32 bytes) and `nonce` (12 bytes), block counter 0 at
    element 0, into `out`, contiguous int64. One launch; the key travels among its arguments."""
    block, skipped = divmod(first, _BLOCK)
    programs = triton.cdiv(skipped + out.numel(), _BLOCK * _LANES)
    # Words are read as signed numbers: from 2^31 on an argument would be of another type.
    words = struct.unpack("<12i", block.to_bytes(4, "little") + key[:32] + nonce)
    with torch.cuda.device_of(out):
        _elements[(programs,)](out, skipped, out.numel(), *words, LANES=_LANES, enable_fp_fusion=False)


@triton.jit(do_not_specialize=_VARYING)
def _elements(out, skipped, count, block, k0, k1, k2, k3, k4, k5, k6, k7, n0, n1, n2, LANES: tl.constexpr):
    """out[:count]: what follows the first `skipped` elements of block number `block`."""
    program = tl.program_id(0)
    zero = tl.zeros([LANES], tl.uint32)
    counter = (block + program * LANES + tl.arange(0, LANES)).to(tl.uint32, bitcast=True)
    # RFC 8439 section 2.3: constants, key, block counter, nonce
    a0, a1, a2, a3 = zero + 0x61707865, zero + 0x3320646E, zero + 0x79622D32, zero + 0x6B206574
    b0, b1, b2, b3 = _word(k0, zero), _word(k1, zero), _word(k2, zero), _word(k3, zero)
    c0, c1, c2, c3 = _word(k4, zero), _word(k5, zero), _word(k6, zero), _word(k7, zero)
    d0, d1, d2, d3 = counter, _word(n0, zero), _word(n1, zero), _word(n2, zero)
    for _ in range(10):
        a0, b0, c0, d0 = _quarter(a0, b0, c0, d0)
        a1, b1, c1, d1 = _quarter(a1, b1, c1, d1)
        a2, b2, c2, d2 = _quarter(a2, b2, c2, d2)
        a3, b3, c3, d3 = _quarter(a3, b3, c3, d3)
        a0, b1, c2, d3 = _quarter(a0, b1, c2, d3)
        a1, b2, c3, d0 = _quarter(a1, b2, c3, d0)
        a2, b3, c0, d1 = _quarter(a2, b3, c0, d1)
        a3, b0, c1, d2 = _quarter(a3, b0, c1, d2)
    e0 = _element(a0 + 0x61707865, a1 + 0x3320646E)
    e1 = _element(a2 + 0x79622D32, a3 + 0x6B206574)
    e2 = _element(b0 + _word(k0, zero), b1 + _word(k1, zero))
    e3 = _element(b2 + _word(k2, zero), b3 + _word(k3, zero))
    e4 = _element(c0 + _word(k4, zero), c1 + _word(k5, zero))
    e5 = _element(c2 + _word(k6, zero), c3 + _word(k7, zero))
    e6 = _element(d0 + counter, d1 + _word(n0, zero))
    e7 = _element(d2 + _word(n1, zero), d3 + _word(n2, zero))
    # A join makes a new last dimension: (lane, 4s, 2s, 1s) of the number of an element.
    even = tl.join(tl.join(e0, e4), tl.join(e2, e6))
    odd = tl.join(tl.join(e1, e5), tl.join(e3, e7))
    elements = tl.reshape(tl.join(even, odd), [LANES * 8])
    start = program.to(tl.int64) * (LANES * 8) - skipped
    low, high = tl.maximum(-start, 0).to(tl.int32), tl.minimum(count - start, LANES * 8).to(tl.int32)
    places = tl.arange(0, LANES * 8)
    tl.store(out + start + places, elements, mask=(places >= low) & (places < high))


@triton.jit
def _word(signed, zero):
    return signed.to(tl.uint32, bitcast=True) + zero


@triton.jit
def _quarter(a, b, c, d):
    """RFC 8439, section 2.1."""
    a += b
    d = _turned(d ^ a, 16)
    c += d
    b = _turned(b ^ c, 12)
    a += b
    d = _turned(d ^ a, 8)
    c += d
    b = _turned(b ^ c, 7)
    return a, b, c, d


@triton.jit
def _turned(x, left: tl.constexpr):
    return (x << left) | (x >> (32 - left))


@triton.jit
def _element(low, high):
    return ((high.to(tl.uint64) << 32) | low.to(tl.uint64)).to(tl.int64, bitcast=True)
