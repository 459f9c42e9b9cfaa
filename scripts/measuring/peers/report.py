"""results/peers.md: the rows of peers.jsonl as tables, one for each network and problem."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

Row = dict[str, Any]
OURS = "mpcfl"
TITLES = {"loopback": "Loopback", "40ms-100mbit": "40 ms round trip, 100 Mbit/s"}
_HEAD = """\
# Logistic regression beside CrypTen and SecretFlow SPU

Written by `scripts/bench_peers.py` from `peers.jsonl`; its docstring says what each system needs.

One iteration of gradient descent: rounds and bytes sent by a compute party, online, and what a dealer that is a process
of its own sends, offline. Seconds and CPU seconds (of all processes together) are times mpcfl's of the same run: 3 is
three times as slow as mpcfl. Error: of the weights against the same steps in float64, relative to their norm, after as
many iterations as `whole` says in the row. Start-up, sharing the data and opening X once are not in an iteration.

mpcfl's links are TLS, the others' plaintext. A dealer that is rank 0 can read everything; CrypTen's helper keeps its
parties from that and not from each other's masks, which can be predicted (`scripts/attacks/seed.py`). "taylor" is no
sigmoid: it is 1/2 + z/4, cut off at 0 and 1. Each system counts its own bytes (`measuring/peers/*_party.py` says how);
on the slow link `wire_bytes` in the rows are the IP packets of each party, counted by the link itself. With
mini-batches SPU, and all on the slow link, have the first few batches of the table only (`rows`): an iteration costs
the same.
"""
_COLUMNS = "| system | dealer | rounds | bytes sent | from the dealer | seconds | CPU | error |\n" + "|---" * 8 + "|\n"


def page(rows: Sequence[Row]) -> str:
    """The whole of peers.md."""
    parts = [_HEAD]
    for network, of_network in groupby(rows, key=lambda row: row["network"]):
        parts.append(f"\n## {TITLES[network]}\n")
        for _, group in groupby(of_network, key=lambda row: row["problem"]):
            parts.append("\n" + _table(list(group)))
    if any(other_run(row, ours_of(rows, row)) for row in rows):
        parts.append("\n\\* not measured in one run with mpcfl's row, so not compared.\n")
    return "".join(parts)


def _table(rows: list[Row]) -> str:
    first = rows[0]
    title = f"**{first['problem']}**: {first['rows']:,} x {first['columns']}, {first['batch']:,} rows an iteration\n\n"
    return title + _COLUMNS + "".join(_line(row, ours_of(rows, row)) for row in rows)


def _line(row: Row, ours: Row | None) -> str:
    if "not_measured" in row:
        reason = row["not_measured"][:100]
        return f"| {row['remark']} | {row['dealer']} | not measured: {reason} | | | | | |\n"
    one = row["per_iteration"]
    dealt = f"{one['bytes_offline']:,.0f}" if "bytes_offline" in one else ""
    error = f"{row['error']:.1e}" if "error" in row else ""
    cells = [row["remark"], row["dealer"], f"{one['rounds']:g}", f"{one['bytes']:,.0f}", dealt]
    cells += [ratio(row, ours, "seconds"), ratio(row, ours, "cpu_seconds"), error]
    return "| " + " | ".join(cells) + " |\n"


def ratio(row: Row, ours: Row | None, what: str) -> str:
    """`what` of an iteration, mpcfl's being 1."""
    if ours is None:
        return ""
    return "\\*" if other_run(row, ours) else f"{row['per_iteration'][what] / ours['per_iteration'][what]:.3g}"


def ours_of(rows: Sequence[Row], row: Row) -> Row | None:
    """mpcfl's row on the same problem and network."""
    same = (one for one in rows if all(one[key] == row[key] for key in ("network", "problem")))
    return next((one for one in same if one["system"] == OURS and "not_measured" not in one), None)


def other_run(row: Row, ours: Row | None) -> bool:
    """Seconds of two runs are not to be compared: the machine may have been busier in one of them."""
    return ours is not None and "not_measured" not in row and row["run"] != ours["run"]
