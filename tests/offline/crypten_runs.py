"""A session at a real process with two shared matrices, for tests of CrypTen code on them."""

from __future__ import annotations

import torch

from mpcfl.ring.fixed import encode
from mpcfl.sharing.inputs import Input, share_inputs
from mpcfl.sharing.share import Share
from mpcfl.world.party import Party, Roster
from mpcfl.world.session import Session
from mpcfl.world.transport import Mesh

UNIT = 2.0**-16  # of CrypTen's fixed point
X = torch.tensor([[1.5, -2.25, 0.5], [-0.125, 3.0, -7.75]], dtype=torch.float64)
Y = torch.tensor([[0.75, 1.0, -4.0], [2.5, -3.0, 1.25]], dtype=torch.float64)
TWO = Roster([Party.of("north", ["data", "compute"]), Party.of("south", ["compute"]), Party.of("east", ["dealer"])])


def start(who: Roster, mesh: Mesh) -> tuple[Session, Share, Share]:
    """A session, and X and Y of its first data owner as shares at CrypTen's scale."""
    session = Session(who, mesh.rank, mesh)
    session.agree(b"test")
    return session, *share(session, x=X, y=Y)


def share(session: Session, **values: torch.Tensor) -> list[Share]:
    (owner,) = session.roster.owners
    mine = session.rank == owner
    inputs = [
        Input(name, owner, tuple(value.shape), 16, 100.0, encode(value, 16) if mine else None)
        for name, value in values.items()
    ]
    return share_inputs(session, inputs)
