"""The runs of one process: they share a store, and each has a prefix of its own, so that none reads what an earlier one
left there.

All parties run the same program, so the n-th run of one is the n-th of all. A process that was started again begins at
the first; where it keeps the store, the others see that the old one is gone, and begin at the first with it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from mpcfl.world.rendezvous import Store, open_store, within

_PATIENCE = 1.0  # seconds for a store to show that it is there
_PLACE = ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")


@dataclass(slots=True)
class _Opened:
    store: Store
    runs: int = 0


_opened: dict[tuple[object, ...], _Opened] = {}
"""By process (a forked one has no connection of its own) and by where the store is."""


def store_of_run(rank: int, timeout: float, *, keeper: str | None = None) -> tuple[Store, str]:
    """The store for this process's next run, and the prefix of its keys. Errors are those of `open_store`."""
    place = [os.environ.get(name, "0") for name in _PLACE]
    key = (os.getpid(), rank, *place)
    opened = _opened.get(key)
    if opened is None or not _answers(opened.store):
        opened = _opened[key] = _Opened(open_store(rank, timeout, keeper=keeper))
    prefix = "/".join(["mpcfl", *place[2:], str(opened.runs)])
    opened.runs += 1
    return opened.store, prefix


def _answers(store: Store) -> bool:
    try:
        within(_PATIENCE, lambda: store.check(["mpcfl"]))
    except (RuntimeError, TimeoutError):
        return False
    return True
