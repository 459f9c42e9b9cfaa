"""Secure aggregation by pairwise masks: the coordinator learns the sum of the vectors and no single one.

Bonawitz et al. (2017), "Practical secure aggregation for privacy-preserving machine learning", for participants who all
stay: without its shares of keys for those who leave. Each pair agrees on a key (X25519, RFC 7748); of the mask that it
gives for an iteration, the first of the pair adds it to its vector and the second subtracts it. The sum of all masked
vectors modulo 2^64 is the sum of the vectors in fixed point.

It is as cheap as sending gradients in the clear, and what is left to see is the sum in every iteration. The public keys
go through the coordinator, who must not exchange them for its own: in the paper they are signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from mpcfl.baselines.aggregation import COORDINATOR, WEIGHTS_SEEN, Aggregation, Observer, Vectors, View, require_below
from mpcfl.baselines.costs import OFFLINE, Costs
from mpcfl.ring.fixed import decode, encode
from mpcfl.ring.prg import Stream, derive

Array = npt.NDArray[np.float64]
SCALE = 32
_ROOM = 62 - SCALE  # log2 of what the sum stays below
_KEY, _ELEMENT = 32, 8  # bytes


class Masking:
    """A participant's side: its key, and the stream that it shares with each other one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._own = X25519PrivateKey.generate()
        self._streams: dict[str, Stream] = {}

    @property
    def public(self) -> bytes:
        return self._own.public_key().public_bytes_raw()

    def agree(self, keys: Mapping[str, bytes]) -> None:
        """`keys`: the public key of every participant, by name."""
        for name, key in keys.items():
            if name != self.name:
                secret = self._own.exchange(X25519PublicKey.from_public_bytes(key))
                pair = sorted([(self.name, self.public), (name, key)])
                labels = [label for one in pair for label in one]
                self._streams[name] = Stream(derive(secret, "baselines", "pairwise mask", *labels))

    def masked(self, vector: Array, iteration: int) -> torch.Tensor:
        """(d + 1,) int64, uniform to whoever lacks one of the streams. Iterations rise: no mask comes twice."""
        require_below(vector, 2.0**_ROOM / (len(self._streams) + 1), f"the vector of {self.name}")
        ring = encode(vector, SCALE)
        for other, stream in self._streams.items():
            mask = stream.operation(iteration).elements(len(ring))
            ring = ring + mask if self.name < other else ring - mask
        return ring


class PairwiseMasks(Aggregation):
    """For two participants and more; of two, each can subtract its own vector from the sum."""

    adder = COORDINATOR

    @property
    def params(self) -> dict[str, Any]:
        return {"scheme": "pairwise masks", "scale": SCALE, "ring_bits": 64, "key_agreement": "X25519"}

    def seen(self, averaging: bool) -> str:
        what = "mean of the weights" if averaging else "sum of the gradients"
        return f"{COORDINATOR}: the {what}, in every iteration; {WEIGHTS_SEEN}, hence the {what}"

    def set_up(self, names: Sequence[str], costs: Costs) -> None:
        """Offline: each sends its public key to the coordinator, who passes it on to every other one."""
        self._masking = costs.together(OFFLINE, {name: partial(Masking, name) for name in names})
        keys = {name: one.public for name, one in self._masking.items()}
        costs.sent_before(dict.fromkeys(names, _KEY))
        costs.sent_before({COORDINATOR: _KEY * len(names) * (len(names) - 1)})
        costs.together(OFFLINE, {name: partial(one.agree, keys) for name, one in self._masking.items()})

    def total(self, vectors: Vectors, costs: Costs, observer: Observer | None) -> Array:
        i, of = vectors.iteration, vectors.of
        work = {name: partial(self._masking[name].masked, vector, i) for name, vector in of.items()}
        masked = costs.together("encrypt", work)
        costs.round({name: _ELEMENT * ring.numel() for name, ring in masked.items()})
        if observer is not None:
            for name, ring in masked.items():
                observer(View(i, COORDINATOR, f"masked {vectors.what}", name, ring.numpy().copy()))
        total = costs.alone("add", COORDINATOR, lambda: torch.stack(list(masked.values())).sum(dim=0))
        return costs.alone("decrypt", COORDINATOR, lambda: decode(total, SCALE).numpy())
