"""From the linear predictor z = X w to what a model predicts: the inverse of its link."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
LINKS = {"logistic": "logit", "poisson": "log", "gamma": "log"}
"""By model; identity where none is named."""


def mean_of(model: str, z: Array) -> Array:
    """logit: the probability of class 1; log: the expected count or size; identity: z itself."""
    link = LINKS.get(model, "identity")
    if link == "logit":
        return np.exp(-np.logaddexp(0.0, -z))
    return np.exp(z) if link == "log" else z
