"""Whether what a training will hold fits the party's GPU: said before anything is shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpcfl.errors import SetupError
from mpcfl.world.session import Session


def require_memory(session: Session, program: Callable[[Session], Any]) -> None:
    """SetupError, with both figures, unless the GPU of this party has the memory that a dry run of `program` counts.
    Nothing for a party on the CPU. Other parties that begin on the same GPU at the same time are not seen."""
    if session.dry_run or session.own_device.type != "cuda":
        return
    dry = Session.dry(session.roster, session.rank)
    program(dry)
    needed = memory_of(dry)
    free, _ = torch.cuda.mem_get_info(session.own_device)
    if needed > free:
        raise SetupError(
            f"{session.name} needs about {gigabytes(needed)} of memory on {session.own_device}, where "
            f"{gigabytes(free)} are free",
            hint='take a larger GPU or fewer rows, or set device = "cpu" for this party: the others need not change',
        )


def memory_of(dry: Session) -> int:
    """Bytes that the party of a dry run needs where it works, estimated: as a compute party, as the dealer, or (in an
    insecure simulation) as both."""
    roles = [computes for computes, has in ((True, dry.is_compute), (False, dry.is_dealer)) if has]
    return sum(dry.footprint.bytes(computes=computes) for computes in roles)


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
