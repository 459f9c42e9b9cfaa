"""Shares on a device go through CrypTen, which works on the CPU, and come back; at real processes and connections."""

from __future__ import annotations

from typing import Any

import torch

from mpcfl.protocols.crypten_code import run_crypten
from mpcfl.sharing.reveal import reveal
from mpcfl.world.session import Session
from mpcfl.world.transport import Mesh
from tests.offline.crypten_runs import TWO, UNIT, X, Y, share
from tests.simulated_cuda import simulated_cuda
from tests.world.crew import crew


def party(mesh: Mesh, _: Any) -> Any:
    with simulated_cuda():
        session = Session(TWO, mesh.rank, mesh, device="cuda" if mesh.rank else "cpu")
        session.agree(b"test")
        x, y = share(session, x=X, y=Y)
        product = run_crypten(
            session, lambda: x.to_crypten() @ y.to_crypten().t() + x.to_crypten().relu()[:, :2], shape=(2, 2), bound=1e3
        )
        both = (product * 2)[0]  # goes on where the share is
        devices = x._ring.device.type, product._ring.device.type
        found = reveal({"both": both}, to=["north", "south"], reason="a test")["both"]
        return devices, None if found.is_meta else found.tolist()


def test_shares_go_to_crypten_and_come_back_to_their_device() -> None:
    with crew(party, 3, links=TWO.links(), timeout=60.0) as run:
        results = run.values()
    assert [devices for devices, _ in results] == [("cpu", "cpu"), ("cuda", "cuda"), ("meta", "meta")]
    wanted = 2 * (X @ Y.T + X.relu()[:, :2])[0]
    assert results[0][1] == results[1][1]
    assert (torch.tensor(results[0][1]) - wanted).abs().max() < 6 * UNIT
