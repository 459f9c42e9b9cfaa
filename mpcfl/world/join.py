"""Take one's place in a run: find the others, agree that all run the same job, and have a `Session`.

Started by torchrun (or by anything that sets its variables RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT). The parties are
bound to ranks by the job; `Roster.names` says how.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import torch

from mpcfl.errors import JobError
from mpcfl.ring import cut, product, waves
from mpcfl.version import VERSION
from mpcfl.world import _crypten
from mpcfl.world.cluster import Cluster
from mpcfl.world.device import device_of
from mpcfl.world.nccl import OPENINGS, gpu_tag, nccl_group, require_nccl
from mpcfl.world.party import Roster
from mpcfl.world.runs import store_of_run
from mpcfl.world.session import Session
from mpcfl.world.tls import Credentials
from mpcfl.world.transport import Mesh

DEFAULT_TIMEOUT = 60.0


@cache
def load(place: str | torch.device) -> None:
    """Import CrypTen and the kernels of a device, once."""
    _crypten.load()
    product.load(place)
    waves.load(place)
    cut.load(place)
    gc.freeze()  # all these modules: a tenth of a second to look through, in the middle of the first fit


@contextmanager
def join(
    roster: Roster,
    *,
    digest: bytes = b"",
    timeout: float = DEFAULT_TIMEOUT,
    encrypt: bool = True,
    credentials: Credentials | None = None,
    pins: Mapping[int, str] | None = None,
    device: str = "cpu",
    openings: str = "tls",
) -> Iterator[Session]:
    """A session in the run that this process was started for; closed at the end, with the others told if it fails. A
    process may take part in several, one after the other, as long as all parties do.

    `digest`: of what all parties must agree on besides the roster and the version of mpcfl. `timeout`: seconds that any
    wait may last. `credentials`, `pins`: see `mpcfl.world.tls`. `device`: where this party
    computes or deals, see `mpcfl.world.device`; the others need not have the same. `openings`: "tls", or
    "nccl": in the clear, from GPU to GPU, see `mpcfl.world.cluster`; the same at all parties.
    SetupError: not started by torchrun, a device that is not there, or NCCL that cannot be used. JobError: as many
    processes as parties are needed. PartyError: a party did not come. AgreementError: a party runs another job.
    """
    size, rank = os.environ.get("WORLD_SIZE"), os.environ.get("RANK", "0")
    if size is not None and size.isdecimal() and int(size) != roster.size:
        raise JobError(
            f"{size} processes were started for a job of {roster.size} parties ({', '.join(roster.names)})",
            hint=f"torchrun --nproc-per-node {roster.size} ... on one machine, or one process a party",
        )
    if openings not in OPENINGS:
        raise JobError(f"openings = {openings!r} is not known", hint='"tls", or "nccl" in a cluster that all trust')
    works = rank.isdecimal() and int(rank) in (*roster.compute, roster.dealer)
    place = device_of(device if works else "cpu")
    if place.type == "cuda":
        torch.cuda.set_device(place)
    opens = openings == "nccl" and rank.isdecimal() and int(rank) in roster.compute
    if opens:
        require_nccl(roster.names[int(rank)], place)
    load(place)  # seconds, in which nobody waits yet
    store, prefix = store_of_run(int(rank) if rank.isdecimal() else 0, timeout, keeper=roster.names[0])
    mesh = Mesh.connect(
        store,
        rank=int(rank),
        names=roster.names,
        links=roster.links(),
        timeout=timeout,
        encrypt=encrypt,
        credentials=credentials,
        pins=pins,
        prefix=prefix,
    )
    session = Session(roster, int(rank), mesh, device=place)
    with session.closing():
        roles = [sorted(party.roles) for party in roster.parties]
        session.agree(f"{VERSION}|{openings}|{roster.names}|{roles}|".encode() + digest)
        if opens:
            session.cluster = Cluster(mesh, session.rank, len(roster.compute), place)
            limit = 2 * timeout + 60  # the mesh ends a wait long before
            session.cluster.start(nccl_group, store, f"{prefix}/cluster", tag=gpu_tag(place), limit=limit)
        yield session
