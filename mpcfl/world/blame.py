"""Who holds up a run: signs of life of all parties, the chain of who waits for whom, and the error that names its end.

If north waits for south and south waits for east, then east is the one to name, at north as at south. Ticks carry
what is needed (mpcfl.world.frame): each party's beat (its pulse thread lives), its progress (its program gets on) and
the rank it waits for; a waiting party passes on the beats of its chain, so that a party reads those of parties that
it is not linked with. A wait lasts as long as anybody on its chain makes progress. A party's own progress counts
work and messages only, never the progress of others, so parties that wait for each other in a circle do expire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpcfl.errors import PartyError
from mpcfl.world.frame import Beat, Verdict

_LONGEST_CHAIN = 16
_TICKS_BEFORE_SILENT = 3

CLOSED = "is gone: its connection closed"
LEFT = "has left: it did its part and closed"


class Lost(PartyError):
    """The run is lost to a party; `verdict` is what the others are told, `culprit` the rank (or None)."""

    def __init__(self, message: str, *, verdict: Verdict, party: str, hint: str | None = None) -> None:
        super().__init__(message, party=party, hint=hint)
        self.verdict = verdict
        self.culprit = verdict.culprit if verdict.culprit >= 0 else None


@dataclass(slots=True)
class Sign:
    """Latest sign of life of a party; times are of this machine's monotonic clock, in seconds."""

    beat: int
    progress: int
    waits_for: int
    seen_at: float
    moved_at: float


class Board:
    """What is known of every other party. Written by the pulse thread, read by the main thread."""

    def __init__(self, rank: int, peers: Sequence[int], now: float) -> None:
        self.rank = rank
        self._signs = {peer: Sign(-1, -1, -1, now, now) for peer in peers}

    def note(self, beat: Beat, now: float) -> None:
        """Take in `beat`, heard from its party or passed on; older ones than the known are dropped."""
        if beat.rank == self.rank:
            return
        sign = self._signs.setdefault(beat.rank, Sign(-1, -1, -1, now, now))
        if beat.beat <= sign.beat:
            return
        if beat.progress != sign.progress:
            sign.progress, sign.moved_at = beat.progress, now
        sign.beat, sign.waits_for, sign.seen_at = beat.beat, beat.waits_for, now

    def excuse(self, now: float) -> None:
        """Start all clocks anew: it was this process that was suspended, and who was silent is not known."""
        for sign in self._signs.values():
            sign.seen_at = sign.moved_at = now

    def silence(self, rank: int, now: float) -> float:
        """Seconds since the last sign of life of `rank`."""
        return now - self._signs[rank].seen_at

    def waits(self, rank: int) -> bool:
        """Whether `rank` waits for somebody itself, as far as is known."""
        return rank in self._signs and self._signs[rank].waits_for >= 0

    def chain(self, first: int) -> list[int]:
        """`first`, the party it waits for, the party that one waits for...: up to who waits for nobody, is unknown,
        or closes a circle."""
        chain: list[int] = []
        while first in self._signs and first not in chain and len(chain) < _LONGEST_CHAIN:
            chain.append(first)
            first = self._signs[first].waits_for
        return chain

    def passed_on(self, first: int) -> list[Beat]:
        """Beats of the parties on the chain of `first`, for those who do not hear them directly."""
        signs = [(rank, self._signs[rank]) for rank in self.chain(first)]
        return [Beat(rank, sign.beat, sign.progress, sign.waits_for) for rank, sign in signs if sign.beat >= 0]

    def judge(
        self, awaited: int, since: float, now: float, *, timeout: float, interval: float, names: Sequence[str]
    ) -> Verdict | None:
        """Whom to blame for a wait on `awaited` without any byte since `since`; None while the wait may go on."""
        chain = self.chain(awaited)
        if now - max([since, *(self._signs[rank].moved_at for rank in chain)]) <= timeout:
            return None
        for rank in chain:
            silence = self.silence(rank, now)
            if silence > _TICKS_BEFORE_SILENT * interval:
                return Verdict(self.rank, rank, stalled(silence))
        end = chain[-1]
        fault = f"is late: alive but silent for {timeout:.3g} s"
        circle = self._signs[end].waits_for
        if circle == self.rank or circle in chain:
            fault += f", and waits for {names[circle]}: the parties are out of step"
        return Verdict(self.rank, end, fault)


def stalled(seconds: float) -> str:
    """The fault of a party whose pulse stopped `seconds` ago."""
    return f"is stalled: no sign of life for {seconds:.3g} s"


def explain(verdict: Verdict, rank: int, names: Sequence[str], places: Sequence[str], occasion: str) -> Lost:
    """The error that says `verdict` at party `rank`.

    `places[r]` is "host:port" of rank r or "" if unknown; `occasion` reads like "waited for round 12 (online)".
    """
    origin, culprit = verdict.origin, verdict.culprit
    if culprit not in range(len(names)):
        culprit = origin
    name, finder, place = names[culprit], names[origin], places[culprit]
    where = f"{name} (rank {culprit}, {place})" if place else f"{name} (rank {culprit})"
    if culprit == origin:
        hint = f"see {name}'s own output"
        return Lost(f"{name} stopped: {verdict.fault}", verdict=verdict, party=name, hint=hint)
    if origin == rank:
        message = f"{where} {verdict.fault} while {finder} {occasion}"
    elif culprit == rank:
        message = f"{name} (rank {rank}, this party) {verdict.fault}, says {finder}"
    else:
        message = f"{where} {verdict.fault}, says {finder}"
    return Lost(message, verdict=verdict, party=name, hint=_hint(verdict.fault, name))


def _hint(fault: str, name: str) -> str:
    if fault.startswith("is late"):
        return f"see what {name} is doing; if it has that much local work, raise the time limit at every party"
    if "its certificate is not the pinned one" in fault:
        return f"see whether all have the same certificate of {name}: openssl x509 -in FILE -noout -fingerprint -sha256"
    return f"see {name}'s own output, mend what stopped it, and start all parties again"
