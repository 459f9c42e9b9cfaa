"""CrypTen 0.4.1's own linear regression by gradient descent, beside mpcfl's: same table, same steps, same machine.

CrypTen runs as its authors ship it: its communicator (Gloo, plaintext), its provider (TFP: rank 0 computes and deals;
TTP: a process of its own deals), 16 fractional bits, MT19937 masks. Two programs: the gradient from the rows, as in its
tutorials, and from a Gram matrix computed once under MPC, which is what mpcfl's `gradient` does.

Bytes are CrypTen's own count at rank 1, halved: it counts what is sent and what is received. Rank 0 also asks the TTP
process for each triple, and waits for it: `waits_per_iteration_rank_0` counts those messages too.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from measuring.fits import Case, costs, distance, run_cases
from measuring.parties import free_port, roles

Array = npt.NDArray[np.float64]
RATE, STEPS, MORE = 0.1, 20, 120


def peer_rows(seed: int) -> list[dict[str, Any]]:
    """Rows of the results: an iteration of mpcfl (horizontal), and of CrypTen with each provider and program."""
    x, y = standardised_diabetes()
    rows = [_ours(x, y)]
    for provider in ("TTP", "TFP"):
        for program in ("rows", "gram"):
            theirs = _theirs(provider, program, x, y, seed)
            rows.append({"case": f"CrypTen 0.4.1, {provider}, from {program}", **theirs})
    return rows


def standardised_diabetes() -> tuple[Array, Array]:
    """Mean 0 and variance 1 in all columns and the target: CrypTen's 16 bits need it, and a step size of 0.1 too."""
    from measuring.tables import diabetes

    x, y = diabetes()
    return (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std()


def descent(x: Array, y: Array, steps: int) -> Array:
    """The same steps in float64."""
    w = np.zeros(x.shape[1])
    for _ in range(steps):
        w -= RATE / len(x) * (x.T @ (x @ w - y))
    return w


def _ours(x: Array, y: Array) -> dict[str, Any]:
    from mpcfl.models.settings import Settings
    from mpcfl.solvers.gradient import Gradient

    def case(steps: int) -> Case:
        solver = Gradient(learning_rate=RATE, iterations=steps)
        settings = Settings(solver=solver, fit_intercept=False)
        return Case(name=str(steps), partition="horizontal", settings=settings, x=x, y=y)

    few, more = run_cases(roles(2, owners=2), [case(STEPS), case(STEPS + MORE)])
    first, last = costs(few), costs(more)
    return {
        "case": "mpcfl gradient, dealer, TLS",
        "rounds_per_iteration": (last["rounds"] - first["rounds"]) / MORE,
        "bytes_per_iteration": (last["bytes_online"]["north"] - first["bytes_online"]["north"]) / MORE,
        "seconds_per_iteration": (last["seconds"] - first["seconds"]) / MORE,
        "rounds": first["rounds"],
        "bytes_online": first["bytes_online"]["north"],
        **distance(few[0], descent(x, y, STEPS)),
    }


def _theirs(provider: str, program: str, x: Array, y: Array, seed: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    answers, before, processes = context.Queue(), dict(os.environ), []
    world = {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    try:
        for rank in range(3 if provider == "TTP" else 2):
            os.environ.update(world, RENDEZVOUS="env://", RANK=str(rank), WORLD_SIZE="2")
            process = context.Process(target=_crypten_party, args=(rank, provider, program, x, y, seed, answers))
            process.start()
            processes.append(process)
    finally:
        os.environ.clear()
        os.environ.update(before)
    results = dict(answers.get(timeout=120) for _ in range(2))
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()
    first, result = results[0], results[1]
    reference = descent(x, y, STEPS)
    difference = np.array(result.pop("coefficients")) - reference
    result["relative"] = float(np.linalg.norm(difference) / np.linalg.norm(reference))
    result["worst"] = float((np.abs(difference) / np.abs(reference)).max())
    return {**result, "waits_per_iteration_rank_0": first["rounds_per_iteration"]}


def _crypten_party(rank: int, provider: str, program: str, x: Array, y: Array, seed: int, answers: Any) -> None:
    import torch

    from mpcfl.world._crypten import load

    crypten = load()
    crypten.cfg.mpc.provider = provider
    if rank == 2:
        crypten.mpc.provider.TTPServer()
        return
    torch.manual_seed(seed)
    crypten.init()
    features, target = _crypten_inputs(crypten, rank, x, y)
    crypten.cfg.communicator.verbose = True
    communicator = crypten.communicator.get()
    communicator.reset_communication_stats()
    step, w = _crypten_step(program, features, target), crypten.cryptensor(torch.zeros(x.shape[1]))
    for _ in range(STEPS):
        w = step(w)
    rounds, size = communicator.comm_rounds, communicator.comm_bytes
    coefficients = w.get_plain_text().double()
    communicator.reset_communication_stats()
    start = time.perf_counter()
    for _ in range(MORE):
        w = step(w)
    seconds = time.perf_counter() - start
    result = {
        "rounds_per_iteration": communicator.comm_rounds / MORE,
        "bytes_per_iteration": communicator.comm_bytes / 2 / MORE,
        "seconds_per_iteration": seconds / MORE,
        "rounds": rounds,
        "bytes_online": size / 2,
        "coefficients": coefficients.tolist(),
    }
    answers.put((rank, result))
    crypten.uninit()


def _crypten_inputs(crypten: Any, rank: int, x: Array, y: Array) -> tuple[Any, Any]:
    """Rank 0 shares the first half of the rows, rank 1 the others."""
    import torch

    blocks = []
    for owner, rows in enumerate(np.array_split(np.c_[x, y], 2)):
        blocks.append(crypten.cryptensor(torch.tensor(rows if rank == owner else 0 * rows).float(), src=owner))
    whole = crypten.cat(blocks)
    return whole[:, :-1], whole[:, -1]


def _crypten_step(program: str, x: Any, y: Any) -> Any:
    """w -> the next w. The learning rate is applied last: folded into the gradient earlier it would cost digits."""
    n = x.size(0)
    if program == "rows":
        return lambda w: w - x.t().matmul(x.matmul(w) - y).div(n).mul(RATE)
    gram, h = x.t().matmul(x).div(n), x.t().matmul(y).div(n)
    return lambda w: w - (gram.matmul(w) - h).mul(RATE)
