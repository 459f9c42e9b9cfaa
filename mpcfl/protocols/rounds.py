"""Protocols as coroutines, so that those that do not wait for each other share their rounds.

A protocol is a generator: it yields what it wants opened (`Masked` shares), is sent the opened tensors, and returns its
result. Inside another protocol it is called by `yield from`; `parallel` runs several in lock step, all that they open
at one time in one message. Rounds of parallel protocols are therefore the maximum, not the sum.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import GeneratorType
from typing import Any

import torch

from mpcfl.sharing.opening import Masked, open_masked
from mpcfl.world.session import Session

Openings = Sequence[Masked]
Protocol = Generator[Openings, list[torch.Tensor], Any]


def run(session: Session, protocol: Protocol) -> Any:
    """The result of a protocol, its openings done.

    Nothing in a protocol is differentiated: torch's inference mode spares each operation its preparations for that, a
    third of what a small one takes.
    """
    with torch.inference_mode():
        try:
            openings = next(protocol)
            while True:
                openings = protocol.send(_open(session, protocol, openings))
        except StopIteration as end:
            return end.value


def together(session: Session, *protocols: Protocol) -> list[Any]:
    """The results of several protocols that share their rounds."""
    return list(run(session, parallel(*protocols)))


def parallel(*protocols: Protocol) -> Protocol:
    """A protocol that is several, in lock step; returns their results in order."""
    results: list[Any] = [None] * len(protocols)
    waiting: dict[int, Openings] = {}

    def advance(index: int, opened: list[torch.Tensor] | None) -> None:
        try:
            openings = next(protocols[index]) if opened is None else protocols[index].send(opened)
            waiting[index] = [_named(item, protocols[index]) for item in openings]
        except StopIteration as end:
            waiting.pop(index, None)
            results[index] = end.value

    for index in range(len(protocols)):
        advance(index, None)
    while waiting:
        current = list(waiting.items())
        opened = yield [item for _, openings in current for item in openings]
        for index, openings in current:
            advance(index, [opened.pop(0) for _ in openings])
    return results


def _named(item: Masked, protocol: Protocol) -> Masked:
    return item if item.protocol else item._replace(protocol=_name(protocol))


def _name(protocol: Any) -> str:
    """Of the innermost protocol, whichever called it: what the offline phase counts its recipe under."""
    while isinstance(protocol.gi_yieldfrom, GeneratorType):
        protocol = protocol.gi_yieldfrom
    return protocol.__name__.replace("_", " ")


def _open(session: Session, protocol: Protocol, openings: Openings) -> list[torch.Tensor]:
    """One round; the meter attributes the bytes to each protocol, the round to the first."""
    if not openings:
        return []
    items = [_named(item, protocol) for item in openings]
    sizes = [(item.protocol, item.share._ring.numel() * item.width // 8) for item in items]
    with session.meter.sharing_a_round(sizes):
        return open_masked(session, items)
