"""How the parties of a run find each other: a torch.distributed store, as torchrun sets it up.

Every party publishes where it listens and its TLS certificate, and waits until *all* parties have done so, linked with
it or not: a party that is missing is then named at every other party. Nobody blocks inside the store without a limit
(`wait_for_workers=False`, and each dealing with the store has a deadline of its own), and whoever finds a fault leaves
it in the store, where the others find it within a fraction of a second.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

import torch.distributed as dist

from mpcfl.errors import AgreementError, PartyError, SetupError
from mpcfl.world.blame import explain
from mpcfl.world.frame import Verdict, one_line
from mpcfl.world.knock import Waiting, answer

WIRE_VERSION = 1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2  # between two looks at the store
_LINGER = 0.5  # a party that found a fault may host the store: leave the others time to read it
_HINT = (
    "on one machine: torchrun --standalone --nproc-per-node 3 -m mpcfl train job.toml; on several, for each party: "
    "MASTER_ADDR=HOST MASTER_PORT=29500 mpcfl train job.toml --party NAME"
)
_VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE")
T = TypeVar("T")


class Store(Protocol):
    """What is needed of a torch.distributed store."""

    def set(self, key: str, value: str) -> object: ...

    def get(self, key: str) -> bytes: ...

    def check(self, keys: list[str]) -> bool: ...

    def delete_key(self, key: str) -> bool: ...

    def compare_set(self, key: str, expected: str, desired: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where a party listens, and its certificate in DER form (empty: it does not encrypt)."""

    host: str
    port: int
    certificate: bytes

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


def open_store(rank: int, timeout: float, *, keeper: str | None = None) -> Store:
    """The store at MASTER_ADDR:MASTER_PORT; rank 0, the party called `keeper`, hosts it unless torchrun's agent does.

    SetupError: a variable is missing or wrong, or the port is taken. PartyError: no answer within `timeout` seconds.
    """
    missing = [name for name in _VARIABLES if not os.environ.get(name)]
    if missing:
        raise SetupError(f"{missing[0]} is not set: this process does not know how to find the others", hint=_HINT)
    host, port, size = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"], os.environ["WORLD_SIZE"]
    for name in _VARIABLES[1:]:
        if not os.environ[name].isdecimal():
            raise SetupError(f"{name} is '{os.environ[name]}', which is no number", hint="set it to one")
    hosted_here = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != str(True)

    owner = f"{keeper} (rank 0)" if keeper else "rank 0"
    began = time.monotonic()
    silent = answer(host, int(port), timeout, who=f"{owner} at {host}:{port}", listens=not hosted_here)
    if silent is not None and hosted_here:
        raise SetupError(
            f"MASTER_ADDR '{host}' is not known here: {silent}",
            hint="set MASTER_ADDR to the name or address of this machine, the same at every party",
        )

    def connect() -> Store:
        limit = timedelta(seconds=max(timeout - time.monotonic() + began, 0.1))
        store: Store = dist.TCPStore(host, int(port), int(size), hosted_here, limit, wait_for_workers=False)  # type: ignore[attr-defined]
        return store

    if silent is None:
        try:
            return within(timeout + 1, connect)
        except (RuntimeError, TimeoutError) as error:
            if hosted_here:
                raise SetupError(
                    f"the rendezvous cannot listen on port {port}: {_reason(error)}",
                    hint="another program has it, or this party was started twice: set MASTER_PORT to a free port, the "
                    "same at every party",
                ) from None
    raise PartyError(
        f"the rendezvous at {host}:{port}, kept by {owner}, did not answer within {timeout:g} s"
        + (f" ({silent})" if silent else ""),
        party=keeper,
        hint="start rank 0 first, and check that MASTER_ADDR and MASTER_PORT can be reached from here",
    )


def within(seconds: float, call: Callable[[], T]) -> T:
    """`call()`, or TimeoutError if it has not returned after `seconds` (its thread is then left behind)."""
    answer: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put((call(), None))
        except BaseException as error:  # passed on to the caller
            answer.put((None, error))

    threading.Thread(target=run, name="mpcfl-rendezvous", daemon=True).start()
    try:
        result, error = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def local_host() -> str:
    """This machine's address on the way to MASTER_ADDR, as the others can reach it; 127.0.0.1 if that is itself."""
    master = os.environ.get("MASTER_ADDR", "127.0.0.1")
    try:
        family, _, _, _, target = socket.getaddrinfo(master, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(target)  # sends nothing: only asks for the route
            host: str = probe.getsockname()[0]
    except OSError as error:
        raise SetupError(
            f"MASTER_ADDR '{master}' cannot be resolved or reached: {error.strerror}",
            hint="set MASTER_ADDR to the name or address of rank 0's machine",
        ) from None
    return "127.0.0.1" if is_loopback(host) else host


def is_loopback(host: str) -> bool:
    """Whether `host`, an address or "localhost", can only be this machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


class Rendezvous:
    """This party's view of the store during the start of one run. `prefix` must be new for each run on a store."""

    def __init__(self, store: Store, rank: int, names: Sequence[str], prefix: str, timeout: float) -> None:
        self.rank, self.names, self._store, self.prefix = rank, tuple(names), store, prefix
        self.master = os.environ.get("MASTER_ADDR", "127.0.0.1")
        self.timeout, self.deadline = timeout, time.monotonic() + timeout
        self.places = [""] * len(names)

    def token(self) -> bytes:
        """The run's random token, made by whoever asks first."""
        ours = secrets.token_hex(32)
        return self._ask(lambda: bytes(self._store.compare_set(self._key("token"), "", ours)))

    def exchange(self, own: Address) -> list[Address]:
        """Publish `own` and wait for all others: their addresses by rank.

        PartyError names every party that is missing after the time limit; AgreementError a party that speaks another
        version, or does not encrypt while this one does.
        """
        mine = {"wire": WIRE_VERSION, "host": own.host, "port": own.port}
        mine["certificate"] = base64.b64encode(own.certificate).decode()
        mine["process"] = secrets.token_hex(8)  # another one for a party that is started again
        try:
            self._meet_all("address", json.dumps(mine), "did not arrive")
        except KeyboardInterrupt:  # a person may start this party again while the others wait
            with suppress(RuntimeError, TimeoutError):
                within(_LINGER, lambda: self._store.delete_key(self._key(f"address/{self.rank}")))
            raise
        self.deadline = time.monotonic() + self.timeout  # whoever was last, all have the same time left
        addresses = [self._read(rank, self._get(f"address/{rank}")) for rank in range(len(self.names))]
        for rank, address in enumerate(addresses):
            self.places[rank] = address.place
            if bool(address.certificate) != bool(own.certificate):
                with_, without = (self.rank, rank) if own.certificate else (rank, self.rank)
                raise AgreementError(f"{self.names[with_]} encrypts the connections, {self.names[without]} does not")
        return addresses

    def all_linked(self) -> None:
        """Say that this party has linked up, and wait until all have; PartyError names who has not.

        Who is linked with all its peers must not go on alone: it would take those who still wait for somebody else
        for stalled. They find that out first, and know whom to name; hence the second more.
        """
        self.deadline += 1
        self._meet_all("linked", "", "did not link up")

    def _meet_all(self, what: str, own: str, fault: str) -> None:
        keys = [f"{what}/{rank}" for rank in range(len(self.names))]
        self._ask(lambda: self._store.set(self._key(keys[self.rank]), own))
        pause, waiting = _FIRST_PAUSE, Waiting(self.timeout)
        while not self._has(*keys):
            self.heed()
            if own and self._get(keys[self.rank]).decode() != own:
                raise AgreementError(
                    f"two processes have rank {self.rank}, here that of {self.names[self.rank]}",
                    hint="start every party once, and give all the same job file: ranks follow from its parties",
                )
            waiting.say(lambda: ", ".join(self.names[rank] for rank, key in enumerate(keys) if not self._has(key)))
            if time.monotonic() > self.deadline:
                raise self.absent([rank for rank, key in enumerate(keys) if not self._has(key)], fault)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def absent(self, missing: Sequence[int], fault: str) -> PartyError:
        """The error that names all of `missing`."""
        others = ", ".join(self.names[rank] for rank in missing[1:])
        also = f" (nor did {others})" if others else ""
        return self.fault(missing[0], f"{fault} within {self.timeout:g} s{also}")

    def fault(self, culprit: int, fault: str) -> PartyError:
        """The error for a fault that this party found at the start of the run."""
        return explain(Verdict(self.rank, culprit, fault), self.rank, self.names, self.places, "waited for the start")

    def heed(self) -> None:
        """Raise the fault that another party found, if there is one."""
        if self._has("fault"):
            origin, culprit, text = json.loads(self._get("fault"))
            verdict = Verdict(int(origin), int(culprit), one_line(str(text)))
            raise explain(verdict, self.rank, self.names, self.places, "")

    def warn(self, verdict: Verdict) -> None:
        """Leave `verdict` for the others; best effort, at most about a second."""
        text = json.dumps([verdict.origin, verdict.culprit, verdict.fault])
        try:
            within(_LINGER, lambda: self._store.compare_set(self._key("fault"), "", text))
        except (RuntimeError, TimeoutError):
            return  # the store is gone: the others have noticed
        time.sleep(_LINGER)

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _has(self, *names: str) -> bool:
        return self._ask(lambda: self._store.check([self._key(name) for name in names]))

    def _get(self, name: str) -> bytes:
        return self._ask(lambda: bytes(self._store.get(self._key(name))))

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return within(max(self.deadline - time.monotonic(), 0) + 1, call)
        except (RuntimeError, TimeoutError):
            where = f"{self.master}:{os.environ.get('MASTER_PORT', '?')}"
            raise self.fault(0, f"no longer answers at the rendezvous {where}, which it keeps,") from None

    def _read(self, rank: int, raw: bytes) -> Address:
        try:
            entry = json.loads(raw)
            if entry["wire"] == WIRE_VERSION:
                return Address(str(entry["host"]), int(entry["port"]), base64.b64decode(entry["certificate"]))
        except (ValueError, KeyError, TypeError):
            pass
        raise AgreementError(
            f"{self.names[rank]} and {self.names[self.rank]} do not run the same version of mpcfl",
            hint="install the same release at every party",
        )


def _reason(error: BaseException) -> str:
    return one_line(str(error).partition("Exception raised from")[0])
