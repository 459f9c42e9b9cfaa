"""The 32-bit seed: masks of a `torch.Generator` are found by search, or wound on from a few; ChaCha20's are not.

    python scripts/attacks/seed.py [--out FOLDER]

CrypTen masks with MT19937 under a 64-bit seed of which the generator keeps 32 bits. A party that owns rows knows the
masks of its own rows: X - A is opened to it, and X is its own. From one of these numbers it finds the seed by search;
from 312 it winds the generator on with none. Either way it has the masks of everybody's rows, hence the rows. In the
runs of CrypTen here rank 1 reads rank 0's rows, also where a helper deals, who is there so that nobody can.

Rank 1's rows are the first of the table here. Where they come later, trying a seed takes a few times as long, and the
generator would have to be wound back, which it allows and which is not done here.

The search is measured in a space of 2^22 seeds, in CPU seconds of one core. It is the same work for each, so the row of
all 2^32 is computed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from measuring.attacks.crypten_views import BITS, views
from measuring.attacks.run import attack
from measuring.attacks.twister import KNOWN, elements, following, seed_of
from measuring.real import load
from measuring.rows import Row

from mpcfl.ring.prg import Stream, fresh_key

REDUCED = 22  # bits of the space that is searched
TRIALS, AHEAD = 8, 1000
YEAR = 365.25 * 86400
EXACT = 2.0**-BITS  # CrypTen's unit


def seed_rows(seed: int, bits: int = REDUCED, trials: int = TRIALS) -> Iterator[Row]:
    """Figure "seed"."""
    rate, found = searched(seed, bits, trials)
    yield found
    words = {"from": f"{rate:,.0f} seeds a second, measured in 2^{bits}", "seeds_per_second": rate}
    yield {"case": "torch.Generator, all 2^32 seeds", "how": "computed", "seconds": 2.0**32 / rate, "bits": 32, **words}
    yield {"case": "ChaCha20, all 2^256 keys", "how": "computed", "seconds": 2.0**256 / rate, "bits": 256, **words}
    yield wound_on("torch.Generator, from 312 known", elements(torch.Generator().manual_seed(seed), KNOWN + AHEAD))
    ours = Stream(fresh_key()).operation(1).elements((KNOWN + AHEAD,))
    yield {**wound_on("mpcfl's ChaCha20, from 312 known", ours), "system": "mpcfl"}
    x, _ = load("diabetes")
    yield crypten(x, "TFP", bits=bits, seed=seed)
    yield crypten(x, "TFP")
    yield crypten(x, "TTP")


def searched(seed: int, bits: int, trials: int) -> tuple[float, Row]:
    """(seeds a second on one core, a row): search for the seeds of several generators, from one element each."""
    rng, right, tried, spent = np.random.default_rng(seed), 0, 0, 0.0
    seed_of(torch.zeros(1, dtype=torch.long), 0, 16)  # compiles
    for chosen in rng.integers(2**bits, size=trials):
        mask = elements(torch.Generator().manual_seed(int(chosen)), 1)
        start = time.process_time()
        found = seed_of(mask, 0, 2**bits)
        spent += time.process_time() - start
        tried += int(chosen) + 1
        right += int(found == chosen)
    row = {"case": f"torch.Generator, 2^{bits} seeds searched", "bits": bits, "knows": "one mask", "trials": trials}
    return tried / spent, {
        **row,
        "recovered": right,
        "of": trials,
        "unit": "seeds",
        "seconds": round(spent / trials, 4),
    }


def wound_on(case: str, masks: torch.Tensor) -> Row:
    """How many of the masks after the first 312 the generator's state foretells."""
    foretold = following(masks[:KNOWN], len(masks) - KNOWN)
    right = int((foretold == masks[KNOWN:]).sum())
    return {"case": case, "knows": f"{KNOWN} masks", "recovered": right, "of": len(foretold), "unit": "masks"}


def crypten(x: np.ndarray, provider: str, bits: int = 0, seed: int = 0) -> Row:
    """Rank 1 recovers rank 0's rows from X - A; with `bits`, from one number of its own and a seed of so many bits."""
    reduced = int(np.random.default_rng(seed).integers(2**bits)) if bits else None
    _, view = views(provider, x, reduced)
    theirs, start = view.opened[len(view.own) :], time.process_time()
    known = view.other_share(provider).reshape(-1)
    if bits:
        generator = torch.Generator().manual_seed(max(seed_of(known[:1], 0, 2**bits), 0))
        masks = elements(generator, view.opened.numel())[len(known) :]
    else:
        masks = following(known, theirs.numel())
    found = theirs + masks.reshape(theirs.shape) + view.share(provider)[len(view.own) :]
    true = x[len(view.own) :]
    off = np.abs(found.double().numpy() * EXACT - true)
    how = f"2^{bits} seeds searched" if bits else "from its own rows"
    row = {"case": f"CrypTen, {provider}: rank 1, {how}", "system": f"crypten-{provider.lower()}", "data": "diabetes"}
    row |= {"rows": len(x), "columns": x.shape[1], "attacker": "rank 1, a compute party"}
    row |= {
        "knows": "one number of its own rows" if bits else f"{KNOWN} numbers of its own rows",
        "recovered": int((off < 2 * EXACT).all(1).sum()),
    }
    guess = np.linalg.norm(true - x.mean(axis=0), axis=1)
    row |= {"of": len(true), "unit": "rows", "within": 2 * EXACT, "worst": float(off.max())}
    row["error"] = float(np.median(np.linalg.norm(off, axis=1) / guess))
    return {**row, "seconds": round(time.process_time() - start, 4)}


if __name__ == "__main__":
    attack(__doc__, "seed", seed_rows)
