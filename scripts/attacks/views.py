"""What each party of mpcfl learns: can it tell two data sets apart by everything that it sees of whole trainings?

    python scripts/attacks/views.py [--out FOLDER]

Whole runs of the real program, linear and logistic, eighty on each of two tables that have nothing in common but
their shape and the attacker's own rows. `west` gets the weights, so that nothing the others see may depend on the
table; a party that gets them too learns them, and no more (`seen` of each share is uniform: the last rows). The dealer
is easily done: nothing is sent to it. The control is the same test on the same program whose masks are zeros, or have
a highest bit that is always 0: it notices.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.recorded import COMPUTE, ROLES, TRAININGS, View, recorded
from measuring.attacks.repeated import CONTROLS, repeated, workers
from measuring.attacks.run import attack
from measuring.attacks.telling import bytes_of, bytes_p, positions_p, told_by_bytes, told_by_values, values_of
from measuring.rows import Row

Array = npt.NDArray[np.float64]
Table = tuple[Array, Array]
ROWS, COLUMNS, RUNS, FEW = 48, 4, 80, 16


def views_rows(seed: int, runs: int = RUNS, few: int = FEW, pool: Executor | None = None) -> Iterator[Row]:
    """Figure "views"."""
    for model, training in TRAININGS.items():
        first, *others = tables(model, seed)
        one, *rest = repeated(training, [first, *others], runs, pool=pool)
        for party, other in zip(COMPUTE, rest, strict=True):
            yield told_apart(model, party, one, other, seed)
        yield told_apart(model, "east", one, rest[0], seed)
        for control in CONTROLS:
            if control:
                spoiled = repeated(training, [first, others[0]], few, control, pool)
                yield told_apart(model, "north", *spoiled, seed, control)
        yield of_receivers(model, first, few)


def tables(model: str, seed: int) -> list[Table]:
    """A table (x, y) of normal rows, and for each compute party one that has nothing in common with it but that
    party's own rows: plus and minus 1 with a target that does not depend on them."""
    rng = np.random.default_rng(seed)
    x, signs = rng.standard_normal((ROWS, COLUMNS)), rng.choice([-1.0, 1.0], (ROWS, COLUMNS))
    y, other = x @ rng.standard_normal(COLUMNS) + rng.standard_normal(ROWS), rng.standard_normal(ROWS)
    if model == "logistic":
        y, other = (y > 0).astype(float), (other > 0).astype(float)
    owner = np.repeat(list(ROLES), ROWS // len(ROLES))
    mine = [owner == party for party in COMPUTE]
    return [(x, y), *((np.where(own[:, None], x, signs), np.where(own, y, other)) for own in mine)]


def told_apart(
    model: str,
    party: str,
    first: list[dict[str, View]],
    second: list[dict[str, View]],
    seed: int,
    control: str = "",
) -> Row:
    """The row of one party, from its views of runs on one table and on another."""
    one, other = ([run[party] for run in runs] for runs in (first, second))
    row: Row = {"case": f"{model}, {party}{', ' + control if control else ''}", "system": "mpcfl", "model": model}
    row |= {"rows": ROWS, "columns": COLUMNS, "control": control, "trials": len(one) + len(other)}
    row |= {"attacker": "dealer" if party == "east" else "compute party", "messages": len(one[0].messages)}
    row["bytes_seen"] = sum(part.nbytes for part in one[0].messages)
    row["same_start"] = len({b"".join(part.tobytes() for part in view.public) for view in (*one, *other)}) == 1
    row["same_lengths"] = len({tuple(view.shape) for view in (*one, *other)}) == 1
    if not row["bytes_seen"]:
        return row
    by_bytes = told_by_bytes(bytes_of(one), bytes_of(other))
    row |= {"bytes_p": bytes_p([*one, *other]), "positions_p": positions_p(bytes_of(one), bytes_of(other))}
    row["tested_on"] = by_bytes.of
    for name, told in (("linear", by_bytes), ("forest", told_by_values(values_of(one), values_of(other), seed))):
        row |= {f"told_{name}": told.share, f"told_{name}_interval": [round(end, 4) for end in told.interval]}
    return row


def of_receivers(model: str, table: Table, runs: int) -> Row:
    """Everybody gets the weights, as by default: each share of them, like all else, is uniform by itself."""
    everybody = [recorded(TRAININGS[model], *table, to=tuple(ROLES)) for _ in range(runs)]
    row: Row = {"case": f"{model}, all get the weights", "system": "mpcfl", "model": model, "trials": runs}
    row |= {"rows": ROWS, "columns": COLUMNS, "attacker": "every party", "control": ""}
    return {**row, "bytes_p_of": {name: bytes_p([run[name] for run in everybody]) for name in ROLES}}


if __name__ == "__main__":
    with workers() as pool:
        attack(__doc__, "views", partial(views_rows, pool=pool))
