"""Digits of matrices that are multiplied again and again, kept beside them.

Keys are tensors themselves, by identity, held weakly: digits go when their tensor goes, and no other tensor ever finds
them, whatever address it gets. A tensor that was changed in place since then is split anew; of tensors of inference
mode torch does not count the changes, and those that are kept have none (the simulated device of the tests watches).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import torch
from torch.utils.weak import WeakIdKeyDictionary

from mpcfl.ring import _digits
from mpcfl.ring._digits import DIGITS, Digits

LEFT, RIGHT = True, False


@dataclass(slots=True)
class _Kept:
    digits: int
    version: int  # of the tensor, which torch counts up with every change in place
    made: dict[tuple[bool, bool], Digits] = field(default_factory=dict)


_kept: WeakIdKeyDictionary = WeakIdKeyDictionary()
_lock = threading.Lock()


def keep(a: torch.Tensor, digits: int = DIGITS) -> None:
    """Digits of `a` (n, k), once made, stay as long as it does: as many bytes again, or twice as many where it is used
    on both sides."""
    with _lock:
        _kept[a] = _Kept(digits, _version(a))


def digits_of(a: torch.Tensor, side: bool, transposed: bool) -> Digits:
    """Of the operand `a`, or a.T: on the LEFT its own, on the RIGHT those of its columns."""
    rows = a.t() if transposed == side else a
    with _lock:
        kept = _kept.get(a)
    if kept is None:
        return _digits.digits_of(rows, left=side)
    if kept.version != (version := _version(a)):
        kept.version, kept.made = version, {}
    if (side, transposed) not in kept.made:
        kept.made[side, transposed] = _digits.digits_of(rows, left=side, digits=kept.digits)
    return kept.made[side, transposed]


def _version(a: torch.Tensor) -> int:
    return 0 if a.is_inference() else int(a._version)
