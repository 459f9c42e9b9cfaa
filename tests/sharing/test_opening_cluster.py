"""Openings over a torch.distributed group, of Gloo in the place of NCCL: real processes open what was shared, at the
cost that is planned, and none of it is on the wire."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from mpcfl.sharing import opening
from mpcfl.sharing.inputs import share_inputs
from mpcfl.sharing.opening import Masked, open_masked
from mpcfl.sharing.share import Share
from mpcfl.world.session import Session
from mpcfl.world.transport import Mesh
from tests.evaluation import Given, full_range
from tests.parties import roster
from tests.world.crew import crew
from tests.world.gloo import cluster_of

SHAPES = [(3,), (5, 1), (), (0, 2), (2, 2), (7,), (997,), (0,)]
WIDTHS = (8, 16, 64, 32, 32, 64, 16, 8)
LONG = 1000  # bytes from which on the long route is taken: the 997 elements of 16 bits


def values() -> list[torch.Tensor]:
    rng = np.random.default_rng(5)
    return [full_range(rng, *shape) for shape in SHAPES]


def everything(session: Session) -> list[torch.Tensor]:
    """In phase online: all widths in one message, short and long; and nothing at all."""
    shares = share_inputs(session, [Given(x).as_input(f"x{k}", session.rank) for k, x in enumerate(values())])
    with session.phase("online"):
        opened = _open(session, shares[:6], WIDTHS[:6])
        opened += _open(session, shares, WIDTHS)
        opened += _open(session, shares[7:], WIDTHS[7:])
    return opened


def _open(session: Session, shares: list[Share], widths: tuple[int, ...]) -> list[torch.Tensor]:
    return open_masked(session, [Masked(x, width) for x, width in zip(shares, widths, strict=True)])


def party(compute: int, mesh: Mesh, say: Any) -> Any:
    """What was opened, what was counted and planned, and the bytes on the connections with other compute parties."""
    opening.LONG_MESSAGE = LONG
    who = roster(compute)
    session = Session(who, mesh.rank, mesh)
    with session.closing():
        session.agree(b"test")
        if session.is_compute:
            session.cluster = cluster_of(mesh, compute)
        before = dict(mesh.sent_payload)
        opened = everything(session)
        sent = sum(mesh.sent_payload[rank] - before[rank] for rank in who.compute if rank != mesh.rank)
    dry = Session.dry(who, mesh.rank)
    dry.agree(b"")
    everything(dry)
    return [x.numpy() for x in opened] if session.is_compute else [], session.meter.exact(), dry.meter.exact(), sent


@pytest.mark.parametrize("compute", [2, 3])
def test_they_are_right_cost_what_is_planned_and_leave_the_wire(compute: int) -> None:
    with crew(partial(party, compute), compute + 1) as run:
        found = run.values()
    wanted = [low_bits(x, width) for x, width in zip(values(), WIDTHS, strict=True)]
    wanted = [*wanted[:6], *wanted, *wanted[7:]]
    for opened, counted, planned, sent in found[:compute]:
        assert len(opened) == len(wanted) and all(map(np.array_equal, opened, wanted))
        assert counted == planned and sum(cost["bytes"] for cost in counted["online"].values()) > 2000
        assert sent == 0


def low_bits(x: torch.Tensor, width: int) -> np.ndarray:
    return (x if width == 64 else x & ((1 << width) - 1)).numpy()
