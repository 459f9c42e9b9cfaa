"""The classic design: gradients are encrypted at home, added up under encryption, and one party decrypts.

That party holds the key and is handed the sum, since the program says so; but every participant's ciphertext passes
through its hands, and its key opens each of them. An observer sees what it can: `View` with role `KEY_HOLDER`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.aggregation import KEY_HOLDER, WEIGHTS_SEEN, Aggregation, Observer, Vectors, View
from mpcfl.baselines.costs import OFFLINE, Costs
from mpcfl.baselines.encryption import Encryption

Array = npt.NDArray[np.float64]


class SecureAggregation(Aggregation):
    """encryption: CKKS (`HomomorphicEncryption`) or `Paillier`. The key holder makes the keys and adds up."""

    adder = KEY_HOLDER

    def __init__(self, encryption: Encryption) -> None:
        self.encryption = encryption

    @property
    def params(self) -> dict[str, Any]:
        return self.encryption.params

    def seen(self, averaging: bool) -> str:
        one, joint = ("weights", "mean of the weights") if averaging else ("gradient", "sum of the gradients")
        handed = f"it is handed the {joint.split()[0]}"
        own = f"{KEY_HOLDER}: the {one} of every participant, in every iteration ({handed})"
        return f"{own}; {WEIGHTS_SEEN}, hence the {joint}"

    def set_up(self, names: Sequence[str], costs: Costs) -> None:
        """Offline: the key holder sends the public key to each participant."""
        public = costs.alone(OFFLINE, KEY_HOLDER, self.encryption.make_keys)
        costs.sent_before({KEY_HOLDER: len(public) * len(names)})
        work = {name: partial(self.encryption.encryptor, public, f"the vector of {name}", len(names)) for name in names}
        self._encryptors = costs.together(OFFLINE, work)

    def total(self, vectors: Vectors, costs: Costs, observer: Observer | None) -> Array:
        work = {name: partial(self._encryptors[name], vector) for name, vector in vectors.of.items()}
        messages = costs.together("encrypt", work)
        costs.round({name: sum(map(len, message)) for name, message in messages.items()})
        if observer is not None:
            for name, message in messages.items():
                observer(View(vectors.iteration, KEY_HOLDER, vectors.what, name, self.encryption.decrypt(message)))
        total = costs.alone("add", KEY_HOLDER, lambda: self.encryption.add(list(messages.values())))
        return costs.alone("decrypt", KEY_HOLDER, lambda: self.encryption.decrypt(total))
