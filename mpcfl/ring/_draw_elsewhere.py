"""Draws whose elements are made on another device than the CPU; bytes and elements are those of `prg.Draw`."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from torch.autograd.graph import increment_version

from mpcfl.ring._triton import why_not
from mpcfl.ring.prg import Draw

_BLOCK, _ELEMENT = 64, 8  # bytes

Filling = Callable[[bytes, bytes, int, torch.Tensor], None]
"""What a device may have: (key, nonce of 12 bytes, first, out) puts the elements first, first + 1, ... into `out`."""


class DrawElsewhere(Draw):
    """See `prg.Draw`. Positions are kept here, and the CPU's cipher is set to one where it is needed."""

    def __init__(self, key: builtins.bytes, number: int, device: torch.device) -> None:
        super().__init__(key, number)
        self.device = device
        self._key, self._nonce = key, number.to_bytes(12, "little")
        self._whole, self._ciphered = self._left, 0
        self._filling = filling(device.type)

    def elements(self, shape: int | Sequence[int]) -> torch.Tensor:
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self._check(_ELEMENT * math.prod(shape))
        return self._there(torch.empty(shape, dtype=torch.int64, device=self.device))

    def fill(self, out: torch.Tensor) -> torch.Tensor:
        self._check_out(out)
        return self._there(out)

    def _there(self, out: torch.Tensor) -> torch.Tensor:
        position = self._whole - self._left
        if self._filling is None or position % _ELEMENT:  # an element that starts within one: after odd bytes only
            out.copy_(torch.from_numpy(self._fill(np.empty(tuple(out.shape), np.int64))))
        elif out.numel():
            self._left -= _ELEMENT * out.numel()
            self._filling(self._key, self._nonce, position // _ELEMENT, out)
            increment_version(out)  # a change in place that torch does not see: `_kept.py` asks for it
        return out

    def _write(self, out: memoryview) -> None:
        position = self._whole - self._left
        if self._ciphered != position:
            block, skipped = divmod(position, _BLOCK)
            nonce = block.to_bytes(4, "little") + self._nonce
            self._cipher = Cipher(algorithms.ChaCha20(self._key, nonce), mode=None).encryptor()
            self._cipher.update(bytes(skipped))
        super()._write(out)
        self._ciphered = self._whole - self._left


@cache
def filling(kind: str) -> Filling | None:
    """None: made on the CPU and copied. Imported late: triton is not installed everywhere, and loads slowly."""
    if why_not(kind) is not None:
        return None
    from mpcfl.ring._chacha_triton import fill

    return fill
