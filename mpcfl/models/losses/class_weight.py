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
from mpcfl.models.losses.class_counts import COUNTS, COUNTS_OF_EACH, counts_of
from mpcfl.sharing.reveal import reveal
from mpcfl.world.session import Session

Array = npt.NDArray[np.float64]
ClassWeight = Mapping[int, float] | str | None


def checked(value: Any, classes: int = 2) -> ClassWeight:
    """None, "balanced", or a weight for each class; JobError for anything else."""
    if value is None or value == "balanced":
        return value
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


def balanced(session: Session, facts: Facts, own: Source | None, classes: int) -> dict[int, float]:
    """n / (number of classes * n_k) by class, from the number of training rows of class 1, of more than two classes of
    each, in all tables, which is revealed: it is in the ledger. JobError: a class without rows, or one so rare that its
    weight would pass WEIGHT_BOUND. `classes` as in `counts_of`. Cost: that of `counts_of`, and of `reveal`."""
    name = COUNTS if classes == 1 else COUNTS_OF_EACH
    shared = counts_of(session, facts, own, classes)
    found = reveal({name: shared}, to=session.roster.names, reason='class_weight = "balanced"')[name]
    if found.device.type == "meta":
        return dict.fromkeys(range(max(classes, 2)), 1.0)
    return _balancing(found.tolist(), facts.training_rows)


def balanced_plain(y: Array, classes: int) -> dict[int, float]:
    """The same from labels y (n,)."""
    labels = (1,) if classes == 1 else range(classes)
    return _balancing([float((y == label).sum()) for label in labels], len(y))


def _balancing(counts: list[float], rows: int) -> dict[int, float]:
    counts = [rows - counts[0], counts[0]] if len(counts) == 1 else counts
    rarest = min(counts)
    if rows > len(counts) * WEIGHT_BOUND * rarest:
        raise JobError(
            f"class_weight = balanced: class {counts.index(rarest)} has {rarest:g} of {rows} rows",
            hint=f"give weights yourself: class_weight = {{ 0 = 1.0, 1 = {WEIGHT_BOUND:g} }}",
        )
    return {label: rows / (len(counts) * count) for label, count in enumerate(counts)}
