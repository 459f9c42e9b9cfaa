"""The model card: what was trained, on which columns, by whom, how, what was revealed, and how to use it."""

from __future__ import annotations

import datetime
from typing import Any

from mpcfl.report import words
from mpcfl.report.record import RunRecord


def model_card(record: RunRecord) -> dict[str, Any]:
    """The card as JSON values; no weight is in it, so that it can be shown where the model may not go."""
    general = record.job.get("job", {})
    card = {
        "name": record.name,
        "model": record.at("model") or general.get("model"),
        "description": f"{words.title(record)}, trained under secure multi-party computation.",
        "target": record.target,
        "features": list(record.features),
        "partition": record.at("partition") or general.get("partition"),
        "rows": record.at("rows"),
        "parties": record.roles,
        "parameters": record.job.get("model"),
        "solver": record.at("solver") or record.job.get("solver"),
        "error_against_plaintext": record.at("error"),
        "selection": record.at("selection"),
        "metrics_on_held_out_rows": record.at("metrics"),
        "revealed": [{"what": entry.get("what"), "to": entry.get("to")} for entry in record.ledger],
        "threat_model": words.threat_model(record),
        "files": {
            "model.safetensors": f"{_shapes(record)}, float64, on the scale of the data as given",
            "ledger.json": "every value that left the shares: what, shape, to whom, why",
            "report.json": "costs, errors and versions of the run",
            "report.html": "the same to read",
        },
        "how_to_use": words.how_to_use(record),
        "written_by": record.party,
        "written_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "mpcfl": record.version,
        "versions": record.at("versions"),
    }
    return {key: value for key, value in card.items() if value is not None}


def _shapes(record: RunRecord) -> str:
    if record.classes is None:
        return "coef (columns,) and intercept (1,)"
    return "coef (classes, columns) and intercept (classes,)"
