"""Weights of rows by their class, as scikit-learn has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import WEIGHT_BOUND
from mpcfl.data.source import Source
from mpcfl.errors import JobError
from mpcfl.models.losses.class_counts import COUNTS, ones_of
from mpcfl.sharing.reveal import reveal
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
ClassWeight = Mapping[int, float] | str | None


def checked(value: Any, classes: int = 2) -> ClassWeight:
    """None, "balanced" (of two classes only), or a weight for each class; JobError for anything else."""
    if value is None or (value == "balanced" and classes == 2):
        return value
    if value == "balanced":
        raise JobError(
            'class_weight = "balanced" is for two classes',
            hint="give weights yourself: class_weight = { 0 = 1.0, 1 = 5.0, 2 = 1.0 }",
        )
    if not isinstance(value, Mapping) or {str(key) for key in value} != {str(label) for label in range(classes)}:
        raise JobError('class_weight must be "balanced", or a weight for each class', hint="{ 0 = 1.0, 1 = 5.0 }")
    weights = {int(key): float(weight) for key, weight in value.items()}
    if not all(0 <= weight <= WEIGHT_BOUND for weight in weights.values()):
        raise JobError(f"the weights of class_weight must be from 0 to {WEIGHT_BOUND:g}")
    return weights


def weights_of(y: Array, class_weight: ClassWeight) -> Array | None:
    """(n,), for y in 0, 1, ...; None without class weights."""
    if not isinstance(class_weight, Mapping):
        return None
    return np.array([class_weight[label] for label in range(len(class_weight))])[y.astype(np.int64)]


def balanced(session: Session, facts: Facts, own: Source | None) -> dict[int, float]:
    """n / (2 n_k) by class, from the number of training rows of class 1 in all tables, which is revealed: it is in the
    ledger. JobError: one class only, or one so rare that its weight would pass WEIGHT_BOUND. Cost: that of `ones_of`,
    and of `reveal`."""
    ones_share = ones_of(session, facts, own)
    found = reveal({COUNTS: ones_share}, to=session.roster.names, reason='class_weight = "balanced"')[COUNTS]
    if found.device.type == "meta":
        return {0: 1.0, 1: 1.0}
    ones = float(found.item())
    counts = {0: facts.training_rows - ones, 1: ones}
    rarest = min(counts.values())
    if facts.training_rows > 2 * WEIGHT_BOUND * rarest:
        raise JobError(
            f"class_weight = balanced: one class has {rarest:g} of {facts.training_rows} rows",
            hint=f"give weights yourself: class_weight = {{ 0 = 1.0, 1 = {WEIGHT_BOUND:g} }}",
        )
    return {label: facts.training_rows / (2 * count) for label, count in counts.items()}
