"""Which device a party works on: "cpu", "cuda", "cuda:N" or "auto", as a device that is there."""

from __future__ import annotations

import os
import re

import torch

from mpcfl.errors import SetupError

WORDS = r"cpu|auto|cuda(:\d+)?"
_BUILD = "make clean setup TORCH_INDEX=https://download.pytorch.org/whl/cu130"


def device_of(wanted: str) -> torch.device:
    """The device that `wanted` means in this process.

    "cuda" is the GPU whose number is torchrun's LOCAL_RANK, modulo the number of GPUs: each party on this machine has
    its own as long as they last. "auto" is the same where torch finds a GPU, and the CPU elsewhere.
    SetupError for a GPU that is not there. ValueError for another word.
    """
    if not re.fullmatch(WORDS, wanted):
        raise ValueError(f"a device is cpu, cuda, cuda:N or auto, not {wanted!r}")
    if wanted == "cpu" or (wanted == "auto" and why_no_gpu() is not None):
        return torch.device("cpu")
    if (why := why_no_gpu()) is not None:
        raise SetupError(f'device = "{wanted}": {why[0]}', hint=f'{why[1]}; "auto" works on the CPU where it must')
    count = torch.cuda.device_count()
    name, _, number = wanted.partition(":")
    index = int(number) if number else int(os.environ.get("LOCAL_RANK", "0")) % count
    if index >= count:
        known = "cuda:0 alone" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise SetupError(f'device = "{wanted}": there is no such GPU', hint=f"torch finds {known}")
    return torch.device("cuda", index)


def why_no_gpu() -> tuple[str, str] | None:
    """None where torch can use a GPU; else why it cannot, and what to do."""
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return "this build of torch has no CUDA", f'{_BUILD}, or say device = "cpu"'
    return "torch finds no GPU that it can use", 'see whether nvidia-smi does, or say device = "cpu"'
