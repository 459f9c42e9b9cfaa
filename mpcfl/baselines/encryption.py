"""What an encryption must be able to do for gradients to be added up under it: `mpcfl.baselines.homomorphic` (CKKS) and
`mpcfl.baselines.paillier` can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.errors import SetupError

Array = npt.NDArray[np.float64]
Message = list[bytes]
"""A vector, encrypted, as it is sent: one ciphertext or several."""
Encryptor = Callable[[Array], Message]


class Encryption(ABC):
    """The key holder's side: whoever has this object can decrypt everything."""

    @property
    @abstractmethod
    def params(self) -> dict[str, Any]:
        """For the row: scheme and sizes."""

    @abstractmethod
    def make_keys(self) -> bytes:
        """New keys; the public one, as it is sent to participants."""

    @abstractmethod
    def encryptor(self, public: bytes, what: str, parties: int) -> Encryptor:
        """The side of a participant, who has the public key and nothing else. What it returns raises HeadroomError,
        which says `what`, for a vector that is too large for a sum of so many."""

    @abstractmethod
    def add(self, messages: Sequence[Message]) -> Message:
        """The sum, still encrypted; needs no secret key."""

    @abstractmethod
    def decrypt(self, message: Message) -> Array:
        """All the numbers of a message, of one participant's as well as of a sum."""


def optional(module: str, what: str) -> Any:
    """A module that only baselines need. SetupError says how to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise SetupError(f"{what} needs {module}", hint="type: pip install 'mpcfl[baselines]'") from None
