"""What a GPU makes of mpcfl: ring products, masks, one party's iteration, a whole fit, each beside a peer and a roof.

    python scripts/bench_gpu.py                            all of it on a GPU, under 8 minutes
    python scripts/bench_gpu.py --device cpu --small       whether the script itself works, where there is none

Prints a table; writes results/gpu.jsonl (a row a figure, in the format of `measuring/rows.py`) and results/gpu.svg.
What cannot be measured is a row too, with the reason, and the rest goes on. On another device or at another size than
the first line's, nothing is written without --out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import torch
from measuring.gpu import ring, training, tuning
from measuring.gpu.clock import Clock
from measuring.gpu.figure import FIGURE, Row, reason, row
from measuring.gpu.peaks import FULL, SMALL, Peaks, Size
from measuring.pictures import gpu as picture
from measuring.rows import RESULTS, Book, Stamp

SEED = 1
_LIMIT = 390.0  # seconds after which no further part is begun
_FIT_LIMIT = 170.0
_APART = "logistic_fit"  # a part that could take long: a process of its own, which is stopped when its time is up

Maker = Callable[[], Iterable[Row]]


def parts(clock: Clock, peaks: Peaks, size: Size) -> dict[str, tuple[list[str], Maker]]:
    """By the name that --only takes: the names of its rows, and what makes them."""
    table = size.table
    iteration = [f"logistic_iteration_{table}", "logistic_iteration_over_float32", "logistic_iteration_over_float64"]
    return {
        "ring_product": ([f"ring_product_{size.square}"], lambda: [ring.ring_product(clock, peaks, size)]),
        "matvec": ([f"matvec_{table}", f"matvec_t_{table}"], lambda: ring.matvec(clock, peaks, size)),
        "chacha20": (["chacha20"], lambda: [ring.chacha20(clock, peaks, size)]),
        "share_reveal": ([training.reveal_name(size)], lambda: [training.share_reveal(clock, size)]),
        "logistic_iteration": (iteration, lambda: training.iteration(clock, peaks, size)),
        "choices": (["choices"], lambda: [ring.choices(clock, size)]),
        _APART: ([f"{_APART}_{table}"], lambda: [training.whole_fit(clock, size)]),
        "tuning": (["tuning"], lambda: [tuning.tuning(clock, size)]),
        "peaks": (["peaks"], lambda: [row("peaks", peaks.bandwidth / 1e12, "TB/s", measured=peaks.as_row())]),
    }


def rows(names: list[str], maker: Maker) -> Iterator[Row]:
    """The maker's rows, and a row with the reason for each that it does not come to."""
    left = list(names)
    try:
        for made in maker():
            left.remove(made["name"])
            yield made
    except Exception as error:  # of whatever kind: the other figures are worth having
        for name in left:
            yield {"figure": FIGURE, "case": name, "name": name, "not_measured": reason(error)}


def in_a_process(arguments: list[str]) -> Iterator[Row]:
    """Rows of a part that another process of this script makes."""
    command = [sys.executable, __file__, *arguments, "--only", _APART, "--rows"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=_FIT_LIMIT)
    if run.returncode:
        raise RuntimeError(run.stderr.strip().splitlines()[-1] if run.stderr.strip() else f"exit code {run.returncode}")
    yield from map(json.loads, run.stdout.splitlines())


def main() -> None:
    options = _options()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("nothing measured: there is no GPU that torch can use here (--device cpu --small tries the script)")
        return
    device = torch.device(options.device)
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)  # torch wants to be told which
        torch.cuda.set_device(device)
    size = SMALL if options.small else FULL
    clock = Clock(device, budget=0.1 if options.small else 1.0)
    known = parts(clock, Peaks(clock, size), size)
    chosen = options.only or list(known)
    if unknown := set(chosen) - set(known):
        raise SystemExit(f"no part is called {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    if options.rows:
        for name in chosen:
            for made in known[name][1]():
                print(json.dumps(made))
        return
    print(f"{describe(device)}, torch {torch.__version__}, {'small' if options.small else 'full'} size\n")
    book = Book(options.out / "gpu.jsonl") if options.out else None
    stamp, end = Stamp(seed=SEED, libraries=("triton",)), time.monotonic() + _LIMIT
    for name in chosen:
        names, maker = known[name]
        if name == _APART:
            maker = partial(in_a_process, ["--device", options.device, *(["--small"] if options.small else [])])
        if time.monotonic() > end:
            maker = _too_late
        if device.type == "cuda":
            torch.cuda.empty_cache()
        for made in stamp.each(partial(rows, names, maker)):
            made["device"] = describe(device)
            print(line(made), flush=True)
            if book is not None:
                book.keep(made)
    if book is not None:
        print(f"written: {book.path}")
        try:
            picture.draw(book.rows, options.out / "gpu")
        except (ImportError, ValueError) as error:  # the rows are what counts: scripts/plot_results.py draws them too
            print(f"not drawn: {error}")


def _too_late() -> Iterable[Row]:
    raise TimeoutError(f"{_LIMIT:.0f} seconds were over before it began")


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def line(made: Row) -> str:
    """A row as a line of the table."""
    name = f"{made['name']:34}"
    text = f"{name} not measured: {made['not_measured']}" if "not_measured" in made else name
    if "value" in made:
        text += f" {made['value']:>10.4g} {made['unit']}"
    if "target" in made:
        text += f"; {'reached' if made['reached'] else 'not reached'} ({made['target']:g})"
    if "roofline" in made:
        text += f"; {made['roofline']['share']:.0%} of what its {made['roofline']['bound']} allow"
    if "ratio" in made:
        text += f"; {made['ratio']:.3g} times {made['peer']['name']}"
    elif "peer" in made:
        text += f"; {made['peer']['name']}: not measured, {made['peer']['not_measured']}"
    for each in (*made.get("table", ()), *made.get("tuned", ())):
        what = each["what"] if "what" in each else " x ".join(map(str, each["shape"]))
        times = "  ".join(f"{option} {taken}" for option, taken in each["milliseconds"].items())
        text += f"\n    {what:24} by {each['chosen']:8} ms: {times}"
    return text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda", help='"cuda", "cuda:N" or "cpu"')
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see whether the script works")
    parser.add_argument("--only", nargs="+", metavar="PART", help="some of the parts")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for gpu.jsonl and the picture")
    parser.add_argument("--rows", action="store_true", help="print rows as JSON and nothing else")
    options = parser.parse_args()
    if options.out is None and options.device.startswith("cuda") and not options.small:
        options.out = RESULTS
    return options


if __name__ == "__main__":
    main()
