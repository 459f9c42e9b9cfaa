"""How vectors of participants become their sum at the one who adds them up, and what everybody sees of it.

`Aggregation` is the interface of `InTheClear` here, of pairwise masks (`mpcfl.baselines.masks`) and of encryption
(`mpcfl.baselines.secure_aggregation`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.baselines.costs import Costs
from mpcfl.errors import HeadroomError

Array = npt.NDArray[np.float64]
COORDINATOR = "coordinator"
KEY_HOLDER = "key holder"
EVERYBODY = "everybody"
SUM = "sum"
ELEMENT = 8  # bytes of a number that is sent in the clear
WEIGHTS_SEEN = "all: the weights of every iteration"


@dataclass(frozen=True, eq=False)
class View:
    """One thing that one role learns. iteration: from 0. role: `COORDINATOR`, `KEY_HOLDER`, `EVERYBODY`, and "server"
    where rows are encrypted. what: "weights" (at which the gradients of the iteration are taken; iteration
    `iterations`: the final ones), "gradient", "part of the mean", or one of the two with "masked " before it. of: a
    participant, or `SUM`. value: (d + 1,); float64, and int64 where masked."""

    iteration: int
    role: str
    what: str
    of: str
    value: npt.NDArray[Any] = field(repr=False)


Observer = Callable[[View], None]


@dataclass(frozen=True, eq=False)
class Vectors:
    """What participants bring into one sum, by name, each (d + 1,). what: its name in a `View`."""

    iteration: int
    what: str
    of: Mapping[str, Array] = field(repr=False)


class Aggregation(ABC):
    """`adder`: the role that adds up. `params`: of the scheme; they and what is `seen` are in the row."""

    adder: str

    @property
    def params(self) -> dict[str, Any]:
        return {}

    @abstractmethod
    def seen(self, averaging: bool) -> str:
        """In words: of gradients, or of weights that are averaged."""

    @abstractmethod
    def set_up(self, names: Sequence[str], costs: Costs) -> None:
        """Keys, before there are data; new ones for each training."""

    @abstractmethod
    def total(self, vectors: Vectors, costs: Costs, observer: Observer | None) -> Array:
        """(d + 1,): the sum, as the one who adds up has it. Cost: one round; each participant sends a message. What the
        `observer` is told costs nothing, since whoever looks does it for himself."""


class InTheClear(Aggregation):
    """No protection at all. The sum is that of float64, in the order of the participants."""

    adder = COORDINATOR

    def seen(self, averaging: bool) -> str:
        what = "weights" if averaging else "gradient"
        return f"{COORDINATOR}: the {what} of every participant, in every iteration; {WEIGHTS_SEEN}"

    def set_up(self, names: Sequence[str], costs: Costs) -> None:
        """There are no keys."""

    def total(self, vectors: Vectors, costs: Costs, observer: Observer | None) -> Array:
        costs.round({name: ELEMENT * vector.size for name, vector in vectors.of.items()})
        if observer is not None:
            for name, vector in vectors.of.items():
                observer(View(vectors.iteration, COORDINATOR, vectors.what, name, vector.copy()))
        return costs.alone("compute", COORDINATOR, lambda: np.sum(list(vectors.of.values()), axis=0))


def require_below(vector: Array, bound: float, what: str) -> None:
    """HeadroomError, without the value, unless all of `vector` lies within the bound."""
    bad = ~(np.abs(vector) <= bound)
    if bad.any():
        raise HeadroomError(
            f"{what}: element {int(np.argmax(bad))} does not fit: its size must be at most {bound:g}",
            hint="bring the columns to mean 0 and variance 1",
        )
