"""How far the weights of a figure may be off: a fresh run is held against these, not against the kept error."""

from __future__ import annotations

from measuring.rows import Row

BANDS = {"diabetes": 1e-5, "ill-conditioned": 1e-2, "seed example": 1e-4, "real": 1e-3, "owners": 1e-5}
"""Largest relative error |w - reference| / |reference| of each figure."""
BASELINES = {"pooled": 0.0, "fedsgd": 1e-14, "fedavg": 1e-2, "masks-sum": 1e-11}
"""Those of figure "headline", by system: sums in another order, steps at home, fixed point."""
_SERIES = 3.0  # by how much the error of the weights may exceed that of the sigmoid
_ROUNDING = 2e-5
_ATTACKS = ("seed", "key holder", "gradients", "views", "membership", "model inversion", "differencing")
_UNLIKELY = 1e-9  # a correct program fails a statistical test at most this often
_MAY_REFUSE = ("ill-conditioned", "sigmoid")


def within_band(row: Row) -> bool:
    """Whether a row's error is within the band of its figure; a refusal is, in a figure that allows it. What a party
    sees must look uniform."""
    if row["figure"] in _ATTACKS:
        return min(row.get("bytes_p", 1.0), row.get("positions_p", 1.0)) > _UNLIKELY
    if row.get("refused"):
        return row["figure"] in _MAY_REFUSE
    if row["figure"] == "sigmoid":
        return bool(row["relative"] <= _SERIES * row["series_error"] + _ROUNDING)
    band = BASELINES[row["system"]] if row["figure"] == "headline" else BANDS[row["figure"]]
    return bool(row["relative"] <= band)
