"""Fixed point: a real a at scale s is the ring element round(a * 2^s), in float64 on the real side.

    encode(values, scale)           one element a value; refuses what does not fit 62 bits
    decode(ring, scale)             back to float64
    encode_words(values, scales)    several elements a value, each modulo 2^64: for values wider than one element

All round to nearest, ties to even. What is refused is named with its index, never with its value: that is data.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mpcfl.errors import DataError, HeadroomError
from mpcfl.ring.blank import blank

_HEADROOM = 62  # bits of |a * 2^s|: the sign has one more, and truncation (PROTOCOLS 2) needs the other
_LARGEST_SCALE = 900  # 2^-900 and 2^64 * 2^900 are still normal float64 numbers, so that decoding rounds once

Real = np.ndarray | torch.Tensor | float


def encode(values: Real, scale: int, *, bound: float | None = None, name: str = "value") -> torch.Tensor:
    """round(values * 2^scale), an int64 tensor of the shape of `values`, on its device. 0 <= scale <= 62.

    `bound` is the largest |value| that the caller's headroom allows; without it 2^(62 - scale) is out of range.
    Raises DataError for NaN and infinity, HeadroomError for a value out of range; each says `name` and the first index.
    """
    if not 0 <= _whole(scale) <= _HEADROOM:
        raise ValueError(f"scale {scale} is not in 0..{_HEADROOM}")
    if bound is not None and not bound >= 0:
        raise ValueError("bound must be 0 or more")
    real = _real(values, name)
    if real.is_meta:
        return blank(real.shape)
    limit = 2.0 ** (_HEADROOM - scale)
    if real.numel():
        low, high = torch.aminmax(real)  # both NaN where any value is: then no comparison holds
        top = max(-low.item(), high.item())
        if not (top < limit and (bound is None or top <= bound)):
            _refuse(real, limit, bound, scale, name)
    return (real * 2.0**scale).round_().to(torch.int64)


def decode(ring: torch.Tensor, scale: int) -> torch.Tensor:
    """ring / 2^scale, a float64 tensor: the float64 nearest to the exact quotient, for either sign. |scale| <= 900.

    ring: int64, any shape, read as two's complement.
    """
    if ring.dtype != torch.int64:
        raise TypeError(f"decode takes torch.int64, not {ring.dtype}")
    if abs(_whole(scale)) > _LARGEST_SCALE:
        raise ValueError(f"scale {scale} is not in -{_LARGEST_SCALE}..{_LARGEST_SCALE}")
    if ring.is_meta:
        return blank(ring.shape, torch.float64)
    return ring.to(torch.float64).mul_(2.0**-scale)


def encode_words(values: np.ndarray | float, scales: Sequence[int], *, name: str = "value") -> torch.Tensor:
    """Element k of the last dimension is round(values * 2^scales[k]) mod 2^64, exactly, however large it is.

    values: float64, shape S. Returns int64, shape S + (len(scales),). A scale is any int, also negative or above 62.
    Two words at scales s and s + t, t < 64, hold what one cannot: they determine value * 2^(s + t) up to 2^(63 + t).
    Raises DataError for NaN and infinity, naming `name` and the first index. Cost: local.
    """
    real = _float64(values, name)
    if not np.isfinite(real).all():
        _refuse(torch.from_numpy(real), np.inf, None, 0, name)
    fraction, exponent = np.frexp(real)
    mantissa = np.ldexp(fraction, 53)  # value = mantissa * 2^(exponent - 53), the mantissa an integer of 53 bits
    words = np.empty((*real.shape, len(scales)), np.uint64)
    for k, scale in enumerate(scales):
        # At a shift of -55 nothing is left, nor at 64, and a scale beyond 4096 either way shifts every float64 there.
        shift = np.clip(exponent + (min(max(_whole(scale), -4096), 4096) - 53), -55, 64)
        near = np.rint(np.ldexp(mantissa, np.minimum(shift, 0))).astype(np.int64).view(np.uint64)
        words[..., k] = np.where(shift < 64, near << np.clip(shift, 0, 63).astype(np.uint64), np.uint64(0))
    return torch.from_numpy(words.view(np.int64))


def _whole(scale: int) -> int:
    if not isinstance(scale, int) or isinstance(scale, bool):
        raise TypeError(f"a scale is an int, not {type(scale).__name__}")
    return scale


def _real(values: Real, name: str) -> torch.Tensor:
    if not isinstance(values, torch.Tensor):
        return torch.from_numpy(_float64(values, name))
    if values.is_complex():
        raise DataError(f"{name} holds {values.dtype}, not real numbers", hint="convert it to float64")
    return values.detach().to(torch.float64)


def _float64(values: np.ndarray | float, name: str) -> np.ndarray:
    """`values` as a float64 array that torch can take: writable, in C order, native bytes."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype}, not real numbers", hint="convert it to float64")
    return np.require(array, np.float64, ["C", "W"])


def _refuse(real: torch.Tensor, limit: float, bound: float | None, scale: int, name: str) -> None:
    """Raises for the first value of `real` that is not finite, not within `bound` or not below `limit`."""
    size = real.abs()
    bad = ~torch.isfinite(real) | ~(size < limit)
    if bound is not None:
        bad |= size > bound
    index = torch.nonzero(bad)[0].tolist()
    where = f"{name}{index}" if index else name
    first = real[tuple(index)]
    if not torch.isfinite(first):
        kind = "NaN" if torch.isnan(first) else "infinite"
        raise DataError(f"{where} is {kind}", hint="remove or impute it before it is shared")
    if bound is not None and abs(first.item()) > bound:
        raise HeadroomError(f"{where} is outside the bound {bound:g}", hint="raise the bound, or rescale the column")
    raise HeadroomError(
        f"{where} at scale {scale} does not fit {_HEADROOM} bits: its size must be below 2^{_HEADROOM - scale}",
        hint="choose a smaller scale, or rescale the column",
    )
