"""CKKS (Cheon, Kim, Kim, Song 2017) by TenSEAL: vectors of reals, encrypted, that can be added and multiplied.

Parameters keep 128 bits of security by the tables of homomorphicencryption.org, or SEAL refuses them. That holds as
long as nobody else learns what is decrypted: its noise says something of the secret key (Li and Micciancio 2021). Here
all learn the weights, which follow from it; a weakness of the design, and not mended here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.aggregation import require_below
from mpcfl.baselines.encryption import Encryption, Encryptor, Message, optional

Array = npt.NDArray[np.float64]


class HomomorphicEncryption(Encryption):
    """degree: of the polynomials; half of it are the numbers in a ciphertext. primes: bits of each, the last for keys.
    scale: fractional bits. rotations: whether sums within a ciphertext are wanted; their keys are large."""

    def __init__(
        self, degree: int = 4096, primes: Sequence[int] = (54, 54), scale: int = 36, rotations: bool = False
    ) -> None:
        _tenseal()
        self.degree, self.primes, self.scale, self.rotations = degree, tuple(primes), scale, rotations

    @property
    def slots(self) -> int:
        """Numbers in a ciphertext."""
        return self.degree // 2

    @property
    def params(self) -> dict[str, Any]:
        sizes = {"degree": self.degree, "primes": list(self.primes), "scale": self.scale}
        return {"scheme": "CKKS (TenSEAL)", **sizes, "rotations": self.rotations, "security_bits": 128}

    def make_keys(self) -> bytes:
        """For encryption only: without the keys for products and rotations."""
        tenseal = _tenseal()
        primes = list(self.primes)
        self._context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS, poly_modulus_degree=self.degree, coeff_mod_bit_sizes=primes
        )
        self._context.global_scale = 2.0**self.scale
        if self.rotations:
            self._context.generate_galois_keys()
        return self.public(products=False)

    def public(self, *, products: bool) -> bytes:
        """The public key; with `products` also those for products and rotations, for one who computes."""
        kept = {"save_secret_key": False, "save_relin_keys": products, "save_galois_keys": products and self.rotations}
        return bytes(self._context.serialize(save_public_key=True, **kept))

    def encryptor(self, public: bytes, what: str, parties: int) -> Encryptor:
        context, slots = loaded(public), self.slots
        bound = 2.0 ** (self.primes[0] - 2 - self.scale) / parties  # a sign, and a bit for what noise adds

        def encrypt(vector: Array) -> Message:
            require_below(vector, bound, what)
            chunks = [vector[start : start + slots] for start in range(0, len(vector), slots)]
            return [bytes(_tenseal().ckks_vector(context, chunk).serialize()) for chunk in chunks]

        return encrypt

    def add(self, messages: Sequence[Message]) -> Message:
        sums = []
        for chunks in zip(*messages, strict=True):
            first, *others = (loaded(chunk, self._context) for chunk in chunks)
            sums.append(bytes(sum(others, first).serialize()))
        return sums

    def decrypt(self, message: Message) -> Array:
        return np.concatenate([loaded(chunk, self._context).decrypt() for chunk in message])


def loaded(received: bytes, context: Any = None) -> Any:
    """A ciphertext as TenSEAL has it, for computing with the keys of `context`; without one, keys themselves."""
    return _tenseal().context_from(received) if context is None else _tenseal().ckks_vector_from(context, received)


def spent_zero(context: Any, width: int, products: int) -> Any:
    """Zeros after so many products: a fresher ciphertext comes down to their level when they are added to it, and there
    sums within a ciphertext are quick and messages short."""
    zero = _tenseal().ckks_vector(context, [0.0] * width)
    for _ in range(products):
        zero = zero * 1.0
    return zero


def _tenseal() -> Any:
    return optional("tenseal", "CKKS")
