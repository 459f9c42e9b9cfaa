"""mpcfl: two organisations compute, a helper deals; through the public classes only.

Bytes and rounds are the run's own meter (payload, without headers and TLS), which equals the plan's. `links` of the
specification: "TLS" or "plaintext"; `model`: "linear" is least squares, whatever the iterations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from measuring.peers.stage import Stage

ROLES = {"north": ["data", "compute"], "south": ["data", "compute"], "helper": ["dealer"]}


def main() -> None:
    stage = Stage()
    import mpcfl

    spec, rank = stage.spec, stage.rank
    x, y = stage.table()
    own = np.array_split(np.arange(len(x)), 2)[rank] if rank < 2 else None
    data = None if own is None else mpcfl.Table.of({"x": x[own], "y": y[own]})
    spent = dict.fromkeys(("rounds", "bytes", "bytes_offline"), 0)

    def fit(iterations: int) -> dict[str, Any]:
        solver = mpcfl.Gradient(learning_rate=spec["rate"], iterations=iterations, batch=spec["batch"])
        logistic = spec.get("model", "logistic") == "logistic"
        model = mpcfl.LogisticRegression(penalty="none", solver=solver) if logistic else mpcfl.LinearRegression()
        model.fit(session, data, target="y")
        costs, before = _costs(model.costs_), dict(spent)
        spent.update(costs)
        weights = [*map(float, model.coef_), float(model.intercept_)]
        return {name: costs[name] - before[name] for name in costs} | {"weights": weights}

    stage.say_versions(mpcfl=mpcfl.__version__)
    with mpcfl.join(mpcfl.roster(ROLES), encrypt=spec["links"] == "TLS") as session:
        stage.fits(fit)


def _costs(costs: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, int]:
    """`costs_` counts what a session has sent since it began."""
    online, offline = costs.get("online", {}), costs.get("offline", {})
    return {
        "rounds": sum(cost["rounds"] for cost in online.values()),
        "bytes": sum(cost["bytes"] for cost in online.values()),
        "bytes_offline": sum(cost["bytes"] for cost in offline.values()),
    }


if __name__ == "__main__":
    main()
