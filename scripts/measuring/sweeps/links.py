"""Seconds against the round trip of the links: measured where this machine can emulate them, computed beside.

Computed: the seconds on loopback, half a round trip for each round, and the bytes of the busiest party at the link's
rate. That is an estimate of what a link adds; rounds and bytes in it are exact.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring.peers import wan
from measuring.peers.launch import Places, run
from measuring.peers.problems import save
from measuring.real import load
from measuring.rows import Row
from measuring.sweeps import Sweep

LIMIT = 120.0


@dataclass(frozen=True)
class Link:
    """`round_trip` in seconds, `rate` in bits a second of each party's uplink; loopback has neither."""

    name: str
    round_trip: float = 0.0
    rate: float = 0.0

    def seconds(self, rounds: float, size: float, dealt: float = 0.0) -> float:
        """What so many rounds take, and bytes of the party that sends most; `dealt` bytes come from the dealer beside
        them. In a round all send at the same time, so it takes one way and not both."""
        if not self.rate:
            return 0.0
        return max(rounds * self.round_trip / 2 + 8 * size / self.rate, 8 * dealt / self.rate)


LOOPBACK = Link("loopback")
LAN = Link("1 ms, 1 Gbit/s", 0.001, 1e9)
WAN = Link("40 ms, 100 Mbit/s", 0.040, 100e6)
LINKS = (LOOPBACK, LAN, Link("10 ms, 1 Gbit/s", 0.010, 1e9), WAN, Link("100 ms, 100 Mbit/s", 0.100, 100e6))
PROBLEMS = {
    # data, model of the party's program, iterations (least squares has none)
    "linear": ("diabetes", {"model": "linear"}, 1),
    "logistic, 20 steps": ("breast-cancer", {"model": "logistic"}, 20),
}


def links_rows(sweep: Sweep) -> Iterator[Row]:
    """Figure "link": two compute parties who own data, and a helper, three processes with TLS."""
    for name, (data, spec, iterations) in PROBLEMS.items():
        base: Row = {}
        for link in LINKS if sweep.full else (LOOPBACK, LAN, WAN):
            row: Row = {"figure": "link", "case": f"{name}, {link.name}", "training": name, "system": "mpcfl"}
            row |= {"data": data, "iterations": iterations, "link": link.name, "round_trip_seconds": link.round_trip}
            row |= {"bits_per_second": link.rate, "compute_parties": 2, "owners": 2, **spec}
            found = _measured(data, spec, iterations, link)
            base = base or found
            if "seconds" in base and "rounds" in base:
                added = link.seconds(base["rounds"], base["bytes"], base["bytes_offline"]["helper"])
                found["seconds_computed"] = round(base["seconds"] + added, 4)
            yield {**row, **found}


def _measured(data: str, spec: Row, iterations: int, link: Link) -> Row:
    """Median of three fits, after one that is not counted."""
    if link.rate and (reason := wan.missing()):
        return {"not_measured": reason}
    repeats = 3 if link.round_trip < 0.02 else 1
    x, y = load(data)
    with TemporaryDirectory(prefix="links-") as folder, ExitStack() as stack:
        table = Path(folder) / "table.npz"
        save(table, x, y)
        places = Places()
        if link.rate:
            places = stack.enter_context(wan.wide_area(3, one_way=link.round_trip / 2, rate=link.rate))
        told = {"table": str(table), "rate": 0.1, "batch": 0, "fits": [iterations] * (1 + repeats), "waits_for": 3}
        try:
            outcome = run(
                "mpcfl_party", 3, {**told, "links": "TLS", **spec}, places, python=sys.executable, limit=LIMIT
            )
        except RuntimeError as error:
            return {"not_measured": str(error).strip().splitlines()[-1][-200:]}
    fits = outcome.fits[0][1:]
    row: Row = {"rounds": fits[0]["rounds"], "bytes": fits[0]["bytes"]}
    row["bytes_offline"] = {"helper": outcome.fits[2][1]["bytes_offline"]}
    row["seconds"] = round(statistics.median(fit["seconds"] for fit in fits), 4)
    row["seconds_all"] = [round(fit["seconds"], 4) for fit in fits]
    if fits[0]["wire_bytes"]:
        row["wire_bytes"] = fits[-1]["wire_bytes"]
    return row
