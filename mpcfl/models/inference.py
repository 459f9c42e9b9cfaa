"""Standard errors, t and p values of revealed coefficients, as every statistics package gives them; in plaintext."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr

Array = npt.NDArray[np.float64]


def inference(coefficients: Array, variances: Array, freedom: int) -> dict[str, Any]:
    """standard_errors, t, p: (d,) lists. `variances`: revealed, times `freedom` = rows - parameters."""
    errors = np.sqrt(np.maximum(variances, 0.0) / freedom)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = coefficients / errors
    p = 2 * stdtr(freedom, -np.abs(t))
    return {"standard_errors": errors.tolist(), "t": t.tolist(), "p": p.tolist(), "degrees_of_freedom": freedom}
