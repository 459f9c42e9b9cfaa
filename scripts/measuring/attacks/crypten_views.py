"""CrypTen 0.4.1's own parties, each with a notebook: what rank 0 and rank 1 see of one product X w, and know besides.

Nothing of CrypTen is changed but that it is listened to: what a party draws for the masks and what is opened to it are
in its memory anyway. Rank 1 owns the first half of the rows, rank 0 the others.
"""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from measuring.parties import free_port

Array = npt.NDArray[np.float64]
BITS = 16  # CrypTen's fractional bits


@dataclass(frozen=True)
class View:
    """Ring elements. `opened` (n, d): X - A, which both see. `drawn` (n, d): what this rank drew itself when the masks
    were made: with TFP A at rank 0 and nothing of use at rank 1, with TTP its share of A. `own`: its rows."""

    opened: torch.Tensor
    drawn: torch.Tensor
    own: torch.Tensor

    def other_share(self, provider: str) -> torch.Tensor:
        """At rank 1, what it does not know of the masks of its own rows: A = X - opened, less its own share of it."""
        mine = len(self.own)
        return self.own - self.opened[:mine] - self.share(provider)[:mine]

    def share(self, provider: str) -> torch.Tensor:
        """Of A, at rank 1."""
        return self.drawn if provider == "TTP" else torch.zeros_like(self.drawn)


def views(provider: str, x: Array, local_seed: int | None = None) -> list[View]:
    """Of ranks 0 and 1, real processes, after one X w. `local_seed`: of rank 0's masks, in the place of 64 random bits.

    RuntimeError: a party has said nothing for two minutes.
    """
    context = multiprocessing.get_context("spawn")
    answers, before, processes = context.Queue(), dict(os.environ), []
    world = {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    try:
        for rank in range(3 if provider == "TTP" else 2):
            os.environ.update(world, RENDEZVOUS="env://", RANK=str(rank), WORLD_SIZE="2")
            process = context.Process(target=_party, args=(rank, provider, x, local_seed, answers))
            process.start()
            processes.append(process)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        found = dict(answers.get(timeout=120) for _ in range(2))
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()
    return [View(*map(torch.from_numpy, found[rank])) for rank in (0, 1)]


def _party(rank: int, provider: str, x: Array, local_seed: int | None, answers: Any) -> None:
    from mpcfl.world._crypten import load

    crypten = load()
    crypten.cfg.mpc.provider = provider
    if rank == 2:
        crypten.mpc.provider.TTPServer()
        return
    crypten.init()
    if local_seed is not None:
        for generator in crypten.generators["local"].values():
            generator.manual_seed(local_seed if rank == 0 else 0)
    drawn, opened = _listen(provider)
    blocks = []
    for owner, rows in zip((1, 0), np.array_split(x, 2), strict=True):
        blocks.append(crypten.cryptensor(torch.tensor(rows if rank == owner else 0 * rows).float(), src=owner))
    shared = crypten.cat(blocks)
    drawn.clear()
    shared.matmul(crypten.cryptensor(torch.zeros(x.shape[1])))
    own = torch.tensor(np.array_split(x, 2)[1 - rank]).float().mul(2**BITS).long()
    answers.put((rank, [opened[0].numpy(), drawn[0].numpy(), own.numpy()]))
    crypten.uninit()


def _listen(provider: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(what this party draws for the masks, what is opened to it), from now on, in order."""
    import importlib

    dealing = importlib.import_module(f"crypten.mpc.provider.{provider.lower()}_provider")
    sharing = importlib.import_module("crypten.mpc.primitives.arithmetic").ArithmeticSharedTensor
    draw, reveal = dealing.generate_random_ring_element, sharing.reveal_batch
    drawn, opened = list[torch.Tensor](), list[torch.Tensor]()

    def drawing(*given: Any, **more: Any) -> torch.Tensor:
        drawn.append(draw(*given, **more))
        return drawn[-1]

    def opening(items: Any, *given: Any, **more: Any) -> Any:
        values = reveal(items, *given, **more)
        opened.extend(values if isinstance(values, list | tuple) else [values])
        return values

    dealing.generate_random_ring_element, sharing.reveal_batch = drawing, opening
    return drawn, opened
