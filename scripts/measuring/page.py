"""The parts of results/README.md that hold numbers: each is made of kept rows, between two marks in the text.

<!-- rows: headline -->
...
<!-- end of rows -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from measuring.attack_tables import (
    differencing_table,
    gradients_table,
    inversion_table,
    key_holder_table,
    membership_table,
    seed_table,
    views_table,
)
from measuring.page_tables import bits_table, classic_table, cost_table, headline_table, links_table, real_table
from measuring.pictures.headline import bytes_of_all, seconds_on
from measuring.rows import Row, pick
from measuring.sweeps.links import LAN, WAN
from measuring.text import error, times

FILES = ("sweep.jsonl", "attacks.jsonl")
"""Whose rows are on the page; their figures have different names."""
_PLACE = re.compile(r"(<!-- rows: ([\w-]+) -->\n).*?(?=<!-- end of rows -->)", re.DOTALL)


IN_SHORT = """\
- **It gives up** next to nothing: after {steps} steps of logistic regression the weights are within **{error}** of the
  same steps in float64 (CrypTen {crypten_error}, SPU {spu_error}), with the same accuracy. On {models} models of real
  tables the worst is {worst}.
- **It costs**, over plaintext federated learning (FedSGD): **{rounds} times** the rounds, **{bytes} times** the bytes
  online, and **{lan} times** the time at 1 ms and 1 Gbit/s, **{wan} times** at 40 ms and 100 Mbit/s. The dealer's masks
  are {dealt} times FedSGD's bytes again; they need no data and can be sent before.
- **It buys** that no party sees a row or a gradient of another. CrypTen and SPU want that too and take {crypten_rounds}
  and {spu_rounds} times mpcfl's rounds, {crypten_bytes} and {spu_bytes} times its bytes online, {crypten_wan} and
  {spu_wan} times its time at 40 ms and 100 Mbit/s, here with a dealer (rank 0) who can read everything.
- **Encrypted gradients** that are added up are cheaper. Their key holder learns the sum in every iteration, and each
  participant's gradient whenever it cares to. That is what mpcfl exists to take away.
- **Attacked**, gradients give up {single} single rows; a run of CrypTen with its helper, {crypten_rows} rows to a party
  who owns others; all that a party of mpcfl sees, {ours_rows}: its error is {ours_error} of that of guessing the mean.
  The weights themselves are not protected ([Attacks](#attacks)).
"""


def in_short(rows: Sequence[Row]) -> str:
    """What it costs and buys, in a few lines."""
    found = {row["case"]: row for row in pick(rows, figure="headline")}
    ours, plain = found["mpcfl, 2 compute parties"], found["fedsgd"]
    crypten, spu = found["CrypTen 0.4.1, provider TFP"], found["SPU SEMI2K, logistic sigmoid, X opened once"]
    real = [row for row in pick(rows, figure="real") if "relative" in row]
    dealt = sum(ours["bytes_offline"].values()) / bytes_of_all(plain)
    words = {"steps": ours["iterations"], "error": error(ours["relative"]), "dealt": times(dealt), "models": len(real)}
    words |= {"worst": error(max(row["relative"] for row in real))}
    measures = {"rounds": lambda row: row["rounds"], "bytes": bytes_of_all}
    measures |= {"lan": partial(seconds_on, LAN), "wan": partial(seconds_on, WAN)}
    for name, measure in measures.items():
        words[name] = times(measure(ours) / measure(plain))
        words |= {
            f"{peer}_{name}": times(measure(row) / measure(ours)) for peer, row in (("crypten", crypten), ("spu", spu))
        }
    words |= _attacked(rows)
    return IN_SHORT.format(**words, crypten_error=error(crypten["relative"]), spu_error=error(spu["relative"]))


def _attacked(rows: Sequence[Row]) -> dict[str, str]:
    """What attacks recover, of all trials of a kind together."""
    single = [row for row in pick(rows, figure="gradients", batch=1) if row["system"] != "mpcfl"]
    crypten = pick(rows, figure="seed", system="crypten-ttp")
    ours = pick(rows, figure="gradients", system="mpcfl", control="")
    found = {"single": single, "crypten_rows": crypten, "ours_rows": ours}
    words = {name: f"{sum(r['recovered'] for r in of)} of {sum(r['of'] for r in of)}" for name, of in found.items()}
    return {**words, "ours_error": f"{min(row['error'] for row in ours):.2f}"}


BLOCKS: dict[str, Callable[[Sequence[Row]], str]] = {
    "in-short": in_short,
    "headline": headline_table,
    "real": real_table,
    "bits": bits_table,
    "cost": cost_table,
    "links": links_table,
    "classic": classic_table,
    "gradients": gradients_table,
    "key-holder": key_holder_table,
    "seed": seed_table,
    "views": views_table,
    "membership": membership_table,
    "model-inversion": inversion_table,
    "differencing": differencing_table,
}


def filled(text: str, rows: Sequence[Row]) -> str:
    """The page with all parts made anew. KeyError names a part that is not known."""
    return _PLACE.sub(lambda place: place[1] + BLOCKS[place[2]](rows), text)
