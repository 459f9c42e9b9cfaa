"""Rows under CKKS at a server without the secret key: the gradient of their losses, with products of ciphertexts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.cubic import SIGMOID
from mpcfl.baselines.encryption import Message
from mpcfl.baselines.homomorphic import HomomorphicEncryption, loaded, spent_zero

Array = npt.NDArray[np.float64]
PRODUCTS = 4  # one after the other: X w, z z, z (z z), X.T e


def columns_of(x: Array, y: Array, longest: int, slots: int) -> list[Array]:
    """What a participant encrypts of rows x (n, d), y (n,): d columns, the ones of the intercept, and the target, each
    with zeros at its end that make whole ciphertexts of it. longest: rows of the participant who has most."""
    width = min(slots, 1 << (longest - 1).bit_length())  # a power of two is added up by halves
    table = np.c_[x, np.ones(len(x)), y]
    return list(np.pad(table, ((0, -len(x) % width), (0, 0))).T)


class CiphertextRows:
    """computing: the public key, with those for products and rotations. sigmoid: whether the loss is logistic; else it
    is half the squared error. Of values it knows the weights, and nothing of the rows but how many there are."""

    def __init__(self, encryption: HomomorphicEncryption, computing: bytes, sigmoid: bool) -> None:
        self._context, self._sigmoid = loaded(computing), sigmoid
        self._least = 2.0**-encryption.scale
        self._blocks: list[list[Any]] = []
        self._zero: Any = None

    def load(self, participants: Iterable[Sequence[Message]]) -> None:
        """What each participant sends: a message for each column, the target last."""
        for messages in participants:
            for block in zip(*messages, strict=True):
                self._blocks.append([loaded(one, self._context) for one in block])
        self._zero = spent_zero(self._context, self._blocks[0][0].size(), PRODUCTS)

    def gradient(self, w: Array) -> Message:
        """Of the sum over all rows, at weights w (d + 1,): a ciphertext for each, with nothing but the sum in it.

        Cost: a product of ciphertexts for each column, and three more, for each block of rows; a sum within a
        ciphertext for each column."""
        totals: list[Any] = []
        for *columns, target in self._blocks:
            error = self._error(columns, target, w)
            products = [column * error for column in columns]
            totals = [a + b for a, b in zip(totals, products, strict=True)] if totals else products
        return [bytes((total + self._zero).sum().serialize()) for total in totals]

    def _error(self, columns: Sequence[Any], target: Any, w: Array) -> Any:
        """f(z) - y. A weight that is zero at the scale is left out: it would give a ciphertext without secret."""
        terms = [column * value for column, value in zip(columns, w.tolist(), strict=True) if abs(value) >= self._least]
        constant, slope, _, cube = SIGMOID if self._sigmoid else (0.0, 1.0, 0.0, 0.0)
        if not terms:
            return -target + constant if constant else -target
        z = terms[0]
        for term in terms[1:]:
            z = z + term
        if not self._sigmoid:
            return z - target
        return (z * cube) * (z * z) + z * slope + constant - target
