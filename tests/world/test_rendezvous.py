"""Parties find each other, and whoever is missing, unreachable or different is named before anything is sent."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import torch.distributed as dist

from mpcfl.errors import AgreementError, PartyError, SetupError
from mpcfl.world.frame import Verdict
from mpcfl.world.meeting import listen, reachable
from mpcfl.world.rendezvous import Address, Rendezvous, is_loopback, local_host, open_store
from mpcfl.world.transport import Mesh
from tests.world.crew import DEALT, crew

TORCHRUN = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "RANK": "0", "WORLD_SIZE": "3"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(probe.getsockname()[1]))
    yield monkeypatch


@pytest.mark.parametrize("name", list(TORCHRUN))
def test_without_torchrun_the_error_says_how_to_start(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(SetupError, match=f"{name} is not set") as raised:
        open_store(0, 1)
    assert "torchrun --standalone" in str(raised.value.hint) and "--party NAME" in str(raised.value.hint)


def test_nonsense_in_the_environment_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MASTER_PORT", "http")
    with pytest.raises(SetupError, match="MASTER_PORT is 'http'"):
        open_store(0, 1)


def test_rank_0_hosts_the_store_and_nobody_waits_for_the_others(environment: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    hosted = open_store(0, 5)
    joined = open_store(1, 5)
    hosted.set("key", "value")
    assert joined.get("key") == b"value"
    assert time.monotonic() - began < 3


def test_under_torchrun_the_agent_hosts_it(environment: pytest.MonkeyPatch) -> None:
    agent = dist.TCPStore("127.0.0.1", 0, 3, True, timedelta(seconds=5), wait_for_workers=False)
    environment.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    environment.setenv("MASTER_PORT", str(agent.port))
    open_store(0, 5).set("key", "value")
    assert agent.get("key") == b"value"


def test_a_store_that_does_not_answer_is_named(environment: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with pytest.raises(
        PartyError, match=r"the rendezvous at 127.0.0.1:\d+, kept by rank 0, did not answer within 0.3 s"
    ):
        open_store(1, 0.3)
    assert time.monotonic() - began < 3


def test_a_program_that_accepts_but_says_nothing_is_no_store(environment: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        environment.setenv("MASTER_PORT", str(silent.getsockname()[1]))
        with pytest.raises(PartyError, match="did not answer within 0.3 s"):
            open_store(1, 0.3)


@pytest.mark.parametrize(
    "rank, error, words", [(0, SetupError, "is not known here"), (1, PartyError, "within 0.3 s (")]
)
def test_a_host_that_nobody_knows_is_named_and_torch_prints_nothing(
    environment: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], rank: int, error: type, words: str
) -> None:
    environment.setenv("MASTER_ADDR", "no-such-host.invalid")
    with pytest.raises(error) as raised:
        open_store(rank, 0.3)
    assert "no-such-host.invalid" in str(raised.value) and words in str(raised.value)
    assert "no-such-host" not in capfd.readouterr().err


def test_a_long_wait_is_said_once_and_for_whom(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setattr("mpcfl.world.knock.SILENCE", 0.05)
    caplog.set_level("INFO")
    with pytest.raises(PartyError):
        open_store(1, 0.7, keeper="north")
    store = dist.TCPStore("127.0.0.1", 0, 3, True, timedelta(seconds=5), wait_for_workers=False)
    with pytest.raises(PartyError):
        Rendezvous(store, 0, ["north", "south", "east"], "run", 0.7).exchange(Address("127.0.0.1", 1, b""))
    place = f"127.0.0.1:{os.environ['MASTER_PORT']}"
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting for north (rank 0) at {place} (0.7 s at most)",
        "waiting for south, east (0.7 s at most)",
    ]


def test_two_processes_of_one_rank_are_found_by_the_first() -> None:
    """A party was started twice, or has another place in its own job file. Started again after it died, it is one."""
    store = dist.TCPStore("127.0.0.1", 0, 2, True, timedelta(seconds=5), wait_for_workers=False)
    first, second = (Rendezvous(store, 1, ["north", "south"], "run", 3) for _ in range(2))
    late = threading.Timer(0.1, lambda: pytest.raises(PartyError, second.exchange, Address("127.0.0.1", 2, b"")))
    late.start()
    with pytest.raises(AgreementError, match="two processes have rank 1, here that of south"):
        first.exchange(Address("127.0.0.1", 1, b""))
    first.warn(Verdict(1, 1, "two processes"))
    late.join()


def test_who_is_interrupted_while_it_waits_takes_its_address_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a party that comes before it is started again would go on with an address where nobody is."""
    store = dist.TCPStore("127.0.0.1", 0, 2, True, timedelta(seconds=5), wait_for_workers=False)
    start = Rendezvous(store, 1, ["north", "south"], "run", 3)

    def interrupted() -> None:
        assert store.check(["run/address/1"])
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "heed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start.exchange(Address("127.0.0.1", 1, b""))
    assert not store.check(["run/address/1"])


def test_a_taken_port_is_named(environment: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        environment.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(SetupError, match=f"cannot listen on port {taken.getsockname()[1]}"):
            open_store(0, 1)


class Stuck:
    """A store whose host was suspended: every question hangs."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: time.sleep(4)


def test_a_store_that_hangs_does_not_hang_the_party(environment: pytest.MonkeyPatch) -> None:
    start = Rendezvous(Stuck(), 1, ["north", "south"], "run", 0.1)
    with pytest.raises(PartyError, match="north .rank 0. no longer answers at the rendezvous") as raised:
        start.exchange(Address("127.0.0.1", 1, b""))
    assert raised.value.party == "north"


def test_a_local_run_stays_on_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    assert local_host() == "127.0.0.1"
    assert is_loopback("localhost") and is_loopback("::1") and is_loopback("127.0.1.1")
    assert not is_loopback("10.1.2.3") and not is_loopback("example.org")


def test_a_master_that_knows_itself_as_loopback_is_reached_from_elsewhere() -> None:
    assert reachable("127.0.0.1", "127.0.0.1", "north.example.org") == "127.0.0.1"
    assert reachable("127.0.0.1", "10.0.0.2", "north.example.org") == "north.example.org"
    assert reachable("10.0.0.3", "10.0.0.2", "north.example.org") == "10.0.0.3"
    for master, bound in (("localhost", "127.0.0.1"), ("north.example.org", "0.0.0.0")):
        with listen("127.0.0.1", master) as listener:
            assert listener.getsockname()[0] == bound


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(SetupError, match=r"cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1", "192.0.2.1")


def test_an_unknown_master_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "no-such-host.invalid")
    with pytest.raises(SetupError, match="no-such-host.invalid"):
        local_host()


def linked(mesh: Mesh, say: Any) -> str:
    return "linked"


def test_parties_missing_at_the_start_are_named_everywhere_even_where_not_linked() -> None:
    with crew([linked, linked, None, linked, None], 5, links=DEALT | {frozenset({0, 4})}, timeout=1.0) as run:
        began = time.monotonic()
        outcomes = [run.outcome(rank) for rank in (0, 1, 3)]
    for outcome in outcomes:
        assert outcome.party == "east"
        assert "east (rank 2) did not arrive within 1 s (nor did centre)" in outcome.message
        assert outcome.at - began < 4


def test_a_party_that_falls_silent_while_linking_up_is_named_also_by_who_is_not_linked_with_it() -> None:
    with crew([linked, linked, None, linked], 4, links=DEALT, timeout=1.0, encrypt=False) as run:
        entry = {"wire": 1, "host": "127.0.0.1", "port": 1, "certificate": ""}
        run.store.set("mpcfl/0/address/2", json.dumps(entry))
        outcomes = [run.outcome(rank) for rank in (0, 1, 3)]
    for outcome in outcomes:
        assert outcome.party == "east"
        assert "east (rank 2, 127.0.0.1:1) did not link up within 1 s" in outcome.message


def test_a_party_that_does_not_encrypt_is_named() -> None:
    with crew(linked, 2, settings=lambda rank: {"encrypt": rank == 0}) as run:
        outcomes = [run.outcome(rank) for rank in range(2)]
    for outcome in outcomes:
        assert "north encrypts the connections, south does not" in outcome.message


def test_another_version_is_named() -> None:
    store = dist.TCPStore("127.0.0.1", 0, 2, True, timedelta(seconds=5), wait_for_workers=False)
    store.set("run/address/1", json.dumps({"wire": 99}))
    start = Rendezvous(store, 0, ["north", "south"], "run", 5)
    with pytest.raises(AgreementError, match="south and north do not run the same version"):
        start.exchange(Address("127.0.0.1", 1, b""))


def test_a_party_that_dies_while_linking_up_is_named() -> None:
    store = dist.TCPStore("127.0.0.1", 0, 2, True, timedelta(seconds=5), wait_for_workers=False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        entry = {"wire": 1, "host": "127.0.0.1", "port": closed.getsockname()[1], "certificate": ""}
    store.set("run/address/0", json.dumps(entry))
    began = time.monotonic()
    with pytest.raises(PartyError, match="north .* is gone: its address refuses connections"):
        Mesh.connect(
            store, rank=1, names=["north", "south"], links={frozenset({0, 1})}, timeout=20, encrypt=False, prefix="run"
        )
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("encrypt", [False, True], ids=["plain", "tls"])
def test_strangers_are_turned_away_and_hold_nobody_up(encrypt: bool) -> None:
    """One says nothing, one talks HTTP; the real peer comes after them."""
    store = dist.TCPStore("127.0.0.1", 0, 2, True, timedelta(seconds=5), wait_for_workers=False)
    common: dict[str, Any] = {"names": ["north", "south"], "links": {frozenset({0, 1})}, "encrypt": encrypt}
    meshes: dict[int, Mesh] = {}

    def join(rank: int) -> None:
        meshes[rank] = Mesh.connect(store, rank=rank, timeout=10, prefix="run", **common)

    north = threading.Thread(target=join, args=(0,))
    north.start()
    while not store.check(["run/address/0"]):
        time.sleep(0.01)
    port = json.loads(store.get("run/address/0"))["port"]
    with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)) as talker:
        talker.sendall(b"GET / HTTP/1.1\r\nHost: north\r\nAccept: everything there is\r\n\r\n")
        join(1)
        north.join()
    assert meshes[0].peers == (1,) and meshes[1].peers == (0,)
    for mesh in meshes.values():
        mesh.close()
