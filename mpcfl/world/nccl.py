"""NCCL, as openings need it: whether it is there, which GPU a party is on, and a group of it.

A group is made directly, and not by `torch.distributed.init_process_group`: that one makes the process's default group,
of which there is one, the user's perhaps, and CrypTen refuses to start beside it.
"""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from mpcfl.errors import SetupError

OPENINGS = ("tls", "nccl")
SETTING = 'openings = "nccl"'
INSTEAD = 'or leave openings = "tls"'
_WATCHDOG = {  # torch reads these when a group is made: by default it ends the process where a round takes long
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
    "TORCH_NCCL_ENABLE_MONITORING": "0",
    "TORCH_NCCL_DUMP_ON_TIMEOUT": "0",
}


def why_no_nccl() -> str | None:
    """None where torch has NCCL; else why it has not."""
    return None if dist.is_available() and dist.is_nccl_available() else "this build of torch has no NCCL"


def require_nccl(name: str, device: torch.device) -> None:
    """SetupError unless compute party `name`, which works on `device`, can use NCCL."""
    if device.type != "cuda":
        raise SetupError(
            f"{SETTING}: {name} works on the CPU, and NCCL goes from GPU to GPU",
            hint=f'say device = "cuda" for every compute party, {INSTEAD}',
        )
    if (why := why_no_nccl()) is not None:
        raise SetupError(f"{SETTING}: {why}", hint=f"install one that has it (Linux, CUDA), {INSTEAD}")


def gpu_tag(device: torch.device) -> bytes:
    """32 bytes that are the same for the same GPU, and say nothing else of it."""
    return hashlib.sha256(f"gpu|{torch.cuda.get_device_properties(device).uuid}".encode()).digest()


def nccl_group(store: Any, rank: int, size: int, limit: timedelta) -> Any:
    """A `torch.distributed` backend of NCCL; `limit`: what its rounds may take as far as torch is concerned."""
    for name, value in _WATCHDOG.items():
        os.environ.setdefault(name, value)
    options = dist.ProcessGroupNCCL.Options()
    options._timeout = limit
    return dist.ProcessGroupNCCL(store, rank, size, options)
