"""From the linear predictor z = X w to what a model predicts: the inverse of its link."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

Array = npt.NDArray[np.float64]
LINKS = {"logistic": "logit", "poisson": "log", "gamma": "log"}
"""By model; identity where none is named."""


def mean_of(model: str, z: Array) -> Array:
    """logit: the probability of class 1, or of every class for scores (n, classes); log: the expected count or size;
    identity: z itself."""
    link = LINKS.get(model, "identity")
    if link == "logit":
        return np.exp(-np.logaddexp(0.0, -z)) if z.ndim == 1 else one_against_rest(z)
    return np.exp(z) if link == "log" else z


def one_against_rest(z: Array) -> Array:
    """Scores (n, classes) -> probabilities: those of each class against the rest, divided by their sum (scikit-learn's
    OneVsRestClassifier). By logarithms, so that a row far from every class has a sum too."""
    logs = -np.logaddexp(0.0, -z)
    return np.asarray(softmax(logs, axis=1))
