"""One process takes part in several runs, one after the other: none meets what an earlier one left in the store."""

from __future__ import annotations

import os
import socket
from multiprocessing.connection import Connection

import pytest

import mpcfl
from mpcfl.errors import MpcflError
from mpcfl.world import runs
from tests.forked import processes

PARTIES = {"north": ["data", "compute"], "south": ["data", "compute"], "east": ["dealer"]}


def three_runs(rank: int, port: int, said: Connection) -> None:
    """In the second one south fails by a defect of its own program."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "3"}
    for run in range(3):
        try:
            with mpcfl.join(mpcfl.roster(PARTIES), timeout=20.0) as session:
                heard = session.publish(f"{run}{session.name}".encode())
                if run == 1 and rank == 1:
                    raise ValueError("wage 12345")
                session.publish(b"")
            said.send(b" ".join(heard).decode())
        except (MpcflError, ValueError) as error:
            said.send(str(error).partition("\n")[0])


def test_a_process_joins_again_after_a_run_and_after_one_that_failed() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pipes = [processes().Pipe(duplex=False) for _ in PARTIES]
    parties = [processes().Process(target=three_runs, args=(rank, port, pipes[rank][1])) for rank in range(3)]
    for party in parties:
        party.start()
    said = [[ear.recv() for _ in range(3)] for ear, _ in pipes]
    for party in parties:
        party.join()
    for first, _, third in said:
        assert (first, third) == ("0north 0south 0east", "2north 2south 2east")
    assert [second for _, second, _ in said] == ["south stopped: ValueError", "wage 12345", "south stopped: ValueError"]


def test_a_store_that_is_gone_is_opened_anew_and_its_runs_are_counted_from_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Kept:
        gone = False

        def check(self, keys: list[str]) -> bool:
            if self.gone:
                raise RuntimeError("connection closed")
            return False

    stores = [Kept(), Kept()]
    left = iter(stores)
    monkeypatch.setattr(runs, "open_store", lambda *_, **__: next(left))
    monkeypatch.setattr(runs, "_opened", {})
    assert [runs.store_of_run(1, 1.0) for _ in range(2)] == [(stores[0], "mpcfl/0/0/0"), (stores[0], "mpcfl/0/0/1")]
    stores[0].gone = True
    assert runs.store_of_run(1, 1.0) == (stores[1], "mpcfl/0/0/0")
