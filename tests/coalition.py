"""What a coalition sees of a run, and what else the data of others could have been: perfect simulation, by execution.

All compute parties but one, and owners who side with them, put together all that they expand and receive. Against them
stand one compute party and the dealer, who have a stream in common, and the other owners, who have one with that party.
`simulated` runs a program again on other data of those, with other elements on these streams and on no others, until
the coalition has the view that it had, to the last bit:

- what is opened, x + r, stays where r moves by as much as x has, the other way: the mask of each opened element is
  found by watching where it is added, and one that is opened without a mask of its own is an error;
- what the dealer sends, f(r) less the shares of others, stays where the honest party's share of f(r) takes the change;
- what an owner sends, x less the shares of others, likewise.

Each element that is moved is moved by one equation, and the way back is the same: to each stream that gives a view with
one data set belongs exactly one that gives it with the other. So were these streams random, the view would have one
distribution, whatever the data. They are ChaCha20's, under keys that the coalition does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

from mpcfl.offline import dealing
from mpcfl.protocols import rounds
from mpcfl.sharing.opening import Masked
from mpcfl.world.party import Roster
from mpcfl.world.session import Session
from tests.models.devices import same_keys
from tests.parties import run_with_sessions

NARROW = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}
Program = Callable[[Session, Any], Any]
Streams = dict[tuple[int, int], torch.Tensor]
"""Elements by peer and operation: of the honest compute party with the dealer and with honest owners."""


@dataclass(frozen=True)
class Place:
    """Where the masks of an opened tensor are from: positions (elements,) in an operation's stream; x + sign r is what
    is opened, modulo 2^width."""

    operation: int
    positions: torch.Tensor
    sign: int
    width: int


@dataclass
class Seen:
    """One run. view: by member of the coalition, what it expanded and received, with what for and whom with.
    The rest is not the coalition's. opened, places: at the honest party, in order. sent: to the last compute party by
    honest owners. dealt: correction and recipe by operation, as the last compute party has it. results: by rank."""

    view: dict[int, list[tuple[str, int, torch.Tensor]]]
    streams: Streams
    opened: list[torch.Tensor] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    sent: dict[int, list[torch.Tensor]] = field(default_factory=dict)
    dealt: dict[int, tuple[torch.Tensor, dealing.Recipe]] = field(default_factory=dict)
    deals: set[int] = field(default_factory=set)
    results: list[Any] = field(default_factory=list)

    def differences(self, other: Seen, but: str = "") -> list[str]:
        """What the coalition could tell two runs apart by, but for messages of protocol `but`."""
        found = []
        for rank, mine in self.view.items():
            theirs = other.view[rank]
            if [(what, peer) for what, peer, _ in mine] != [(what, peer) for what, peer, _ in theirs]:
                found.append(f"rank {rank}: other messages")
            pairs = zip(mine, theirs, strict=False)
            found += [
                f"rank {rank}: {what} with {peer}"
                for (what, peer, a), (_, _, b) in pairs
                if what != but and not torch.equal(a, b)
            ]
        return found


@dataclass(frozen=True)
class Coalition:
    """`members`, ranks; `honest`: the compute party that is none of them, None where all are."""

    who: Roster
    members: frozenset[int]

    @classmethod
    def against(cls, who: Roster, honest: int, *others: int) -> Coalition:
        """All compute parties but one, and others who do not compute."""
        return cls(who, frozenset(who.compute) - {honest} | frozenset(others))

    @property
    def honest(self) -> int | None:
        return next((rank for rank in self.who.compute if rank not in self.members), None)

    def hides(self, rank: int, peer: int) -> bool:
        """Whether the coalition lacks the stream of this pair: one is the honest compute party, no one a member."""
        return self.honest is not None and self.honest in (rank, peer) and not {rank, peer} & self.members

    def run(self, program: Program, data: Any, streams: Streams | None = None, places: Sequence[Place] = ()) -> Seen:
        """Run `program(session, data)` at all parties, with keys that are always the same, and these streams. places:
        of masks, where they are known; they are the same in all runs."""
        seen = Seen({rank: [] for rank in sorted(self.members)}, dict(streams or {}), places=list(places))
        watching = None if places else _Watching()

        def party(session: Session) -> Any:
            with watching if watching and session.rank == self.honest else nullcontext():
                return program(session, data)

        with same_keys(), _noted(self, seen, watching):
            seen.results, _ = run_with_sessions(self.who, party)
        return seen

    def simulated(self, seen: Seen, program: Program, data: Any, *, passes: int = 60) -> Seen:
        """A run on other data of honest parties whose view is that of `seen`, but for what is revealed.

        AssertionError if there is none. Each pass is right up to one more rounding that depends on a mask.
        """
        streams = seen.streams
        for _ in range(passes):
            found = self.run(program, data, streams, seen.places)
            if not found.differences(seen, but="reveal"):
                return found
            streams = self._moved(found, seen)
        raise AssertionError(f"no masks give this view: {found.differences(seen, but='reveal')[:5]}")

    def _moved(self, found: Seen, wanted: Seen) -> Streams:
        """The streams of `found`, each element moved by what the view that belongs to it is off."""
        streams = {key: elements.clone() for key, elements in found.streams.items()}
        for now, then, place in zip(found.opened, wanted.opened, found.places, strict=True):
            stream, at = streams[self.who.dealer, place.operation], place.positions
            low = -1 if place.width == 64 else (1 << place.width) - 1
            moved = stream[at] + place.sign * (then - now).reshape(-1)
            stream[at] = (stream[at] & ~low) | (moved & low)
        if self.who.last not in self.members:  # what is sent to it is the honest party's own
            return streams
        for operation, (now, recipe) in found.dealt.items():
            tail = streams[self.who.dealer, operation][-now.numel() :]
            off = dealing._without(now, wanted.dealt[operation][0], recipe, fresh=False)
            tail.copy_(dealing._without(off, tail, recipe, fresh=False))
        for owner, messages in found.sent.items():
            off = torch.cat(messages) - torch.cat(wanted.sent[owner])
            shared = [s for (peer, op), s in sorted(streams.items()) if peer == owner and op not in found.deals]
            for stream, part in zip(shared, off.split([len(s) for s in shared]), strict=True):
                stream += part
        return streams


@contextmanager
def _noted(coalition: Coalition, seen: Seen, watching: _Watching | None) -> Iterator[None]:
    """Everything that `Seen` has is noted meanwhile, and hidden streams are those that `seen` has."""
    draw, exchange, receive, open_masked = Session.draw, Session.exchange, dealing._receive, rounds.open_masked
    who, chosen = coalition.who, dict(seen.streams)

    def drawing(session: Session, peer: int, operation: int) -> Any:
        inner = draw(session, peer, operation)
        if session.rank in coalition.members:
            return _Noting(inner, lambda drawn: seen.view[session.rank].append(("expanded", peer, drawn)))
        if not coalition.hides(session.rank, peer):
            return inner
        if session.rank != coalition.honest:
            return _Noting(inner, given=chosen.get((session.rank, operation)))

        def note(drawn: torch.Tensor) -> None:
            seen.streams[peer, operation] = drawn.reshape(-1).clone()
            if watching and peer == who.dealer:
                watching.drawn(drawn, operation)

        return _Noting(inner, note, chosen.get((peer, operation)))

    def exchanging(session: Session, sends: Any, receives: Any, **how: Any) -> dict[int, torch.Tensor]:
        what = session.meter.protocol_name
        received = exchange(session, sends, receives, **how)
        if what == "agreement":
            return received
        for peer, message in received.items():
            if session.rank in coalition.members:
                seen.view[session.rank].append((what, peer, message.clone()))
            if what == "share" and session.rank == who.last and coalition.hides(peer, coalition.honest or 0):
                seen.sent.setdefault(peer, []).append(message.clone())
        return received

    def receiving(session: Session, recipe: dealing.Recipe, operation: int) -> Any:
        masks, derived = receive(session, recipe, operation)
        if session.rank == who.last:
            seen.deals.add(operation)
            if derived and coalition.hides(who.dealer, coalition.honest or 0):
                seen.dealt[operation] = dealing._flat(derived).clone(), recipe
        return masks, derived

    def opening(session: Session, items: list[Masked]) -> list[torch.Tensor]:
        values = open_masked(session, items)
        if session.rank == coalition.honest and coalition.hides(session.rank, who.dealer):
            seen.places += [watching.place(item) for item in items] if watching else []
            seen.opened += [value.clone() for value in values]
        return values

    with (
        patch.object(Session, "draw", drawing),
        patch.object(Session, "exchange", exchanging),
        patch.object(dealing, "_receive", receiving),
        patch.object(rounds, "open_masked", opening),
    ):
        yield


class _Noting:
    """A draw whose elements are noted, or the given ones in its place."""

    def __init__(
        self, inner: Any, note: Callable[[torch.Tensor], None] | None = None, given: torch.Tensor | None = None
    ) -> None:
        self._inner, self._note, self._given, self._at = inner, note, given, 0

    def elements(self, shape: Any) -> torch.Tensor:
        elements = self._inner.elements(shape)
        if self._given is not None:
            elements = self._given[self._at : self._at + elements.numel()].reshape(elements.shape).clone()
        self._at += elements.numel()
        if self._note is not None:
            self._note(elements)
        return elements


class _Watching(TorchFunctionMode):
    """Watches where elements drawn from the dealer's stream are added to a share, or subtracted."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn: dict[int, tuple[torch.Tensor, int]] = {}
        self._masked: dict[int, tuple[torch.Tensor, torch.Tensor, int, int]] = {}
        self._used: set[tuple[int, int]] = set()

    def drawn(self, elements: torch.Tensor, operation: int) -> None:
        self._drawn[_memory(elements)] = elements, operation

    def __torch_function__(
        self, function: Any, types: Collection[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name.strip("_") not in ("add", "sub") or not isinstance(result, torch.Tensor):
            return result
        for index, operand in enumerate(args[:2]):
            if isinstance(operand, torch.Tensor) and operand.shape == result.shape and _memory(operand) in self._drawn:
                base, operation = self._drawn[_memory(operand)]
                sign = -1 if "sub" in name and index == 1 else 1
                positions = torch.empty(result.untyped_storage().nbytes() // 8, dtype=torch.int64)
                _like(result, positions).copy_(_like(operand, torch.arange(base.numel())))
                self._masked[_memory(result)] = result, positions, operation, sign
        return result

    def place(self, item: Masked) -> Place:
        ring = item.share._ring
        assert _memory(ring) in self._masked, f"{item.protocol}: opened without a mask"
        _, flat, operation, sign = self._masked[_memory(ring)]
        positions = _like(ring, flat).reshape(-1).clone()
        used = {(operation, position) for position in positions.tolist()}
        assert len(used) == len(positions) and not used & self._used, f"{item.protocol}: a mask is used twice"
        self._used |= used
        return Place(operation, positions, sign, item.width)


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _like(tensor: torch.Tensor, flat: torch.Tensor) -> torch.Tensor:
    """`flat`, an element for each of a tensor's memory, seen as the tensor sees that."""
    return flat.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
