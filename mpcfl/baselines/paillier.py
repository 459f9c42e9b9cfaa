"""Paillier's encryption (1999) by `phe`: integers that can be added, one a ciphertext, exactly.

A real a is round(a * 2^40): phe's own numbers have an exponent in the clear, which tells their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.aggregation import require_below
from mpcfl.baselines.encryption import Encryption, Encryptor, Message, optional

Array = npt.NDArray[np.float64]
SCALE = 40
_BOUND = 2.0**53  # the key has room for more by far; this keeps a * 2^40 a number that nobody doubts


class Paillier(Encryption):
    """bits: of the modulus; 3072 are worth 128 bits of security (NIST SP 800-57). Cost: a ciphertext of twice as many
    bits for each number."""

    def __init__(self, bits: int = 3072) -> None:
        self._phe = optional("phe", "Paillier's encryption")
        self.bits = bits

    @property
    def params(self) -> dict[str, Any]:
        return {"scheme": "Paillier (phe)", "key_bits": self.bits, "gmpy2": bool(self._phe.util.HAVE_GMP)}

    def make_keys(self) -> bytes:
        self._public, self._secret = self._phe.generate_paillier_keypair(n_length=self.bits)
        return bytes(self._public.n.to_bytes(self.bits // 8, "big"))

    def encryptor(self, public: bytes, what: str, parties: int) -> Encryptor:
        key = self._phe.PaillierPublicKey(int.from_bytes(public, "big"))

        def encrypt(vector: Array) -> Message:
            require_below(vector, _BOUND / parties, what)
            whole = (round(math.ldexp(value, SCALE)) % key.n for value in vector.tolist())
            return [key.raw_encrypt(value).to_bytes(self.bits // 4, "big") for value in whole]

        return encrypt

    def add(self, messages: Sequence[Message]) -> Message:
        square, sums = self._public.nsquare, []
        for ciphertexts in zip(*messages, strict=True):
            product = 1  # of ciphertexts, which is the sum of what is in them
            for ciphertext in ciphertexts:
                product = product * int.from_bytes(ciphertext, "big") % square
            sums.append(product.to_bytes(self.bits // 4, "big"))
        return sums

    def decrypt(self, message: Message) -> Array:
        n, found = self._public.n, []
        for ciphertext in message:
            value = self._secret.raw_decrypt(int.from_bytes(ciphertext, "big"))
            found.append(math.ldexp(value - n if value > n // 2 else value, -SCALE))
        return np.array(found)
