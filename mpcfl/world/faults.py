"""What ends a wait: what the pulse knows, or a connection shows, becomes the one error that all parties get."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mpcfl.errors import AgreementError, MpcflError
from mpcfl.world.blame import CLOSED, LEFT, Lost, explain
from mpcfl.world.frame import Verdict
from mpcfl.world.pulse import Pulse

_SETTLE = 1.0  # seconds for the pulse to learn why a data connection closed
_GRACE = 0.5  # seconds for what is under way when a party stops


class Faults:
    """Makes the errors of party `rank`; every fault found here is told to the other parties before it is raised here.

    `occasion` is what the party does, as in "waited for round 12 (online)".
    """

    def __init__(self, pulse: Pulse, rank: int, names: Sequence[str], places: Sequence[str]) -> None:
        self._pulse, self._rank, self._names, self._places = pulse, rank, tuple(names), tuple(places)
        self.occasion = "waited for the start"

    @property
    def in_grace(self) -> bool:
        """A party has just stopped of its own accord. Others may find what it found in messages that are under way,
        and then say it themselves, so a moment is left for these."""
        failure = self._pulse.failure
        stopped = failure is not None and failure.culprit == failure.origin != self._rank
        return stopped and time.monotonic() - self._pulse.failed_at < _GRACE

    def check(self) -> None:
        """Raise the fault that is known, if there is one, and not `in_grace`."""
        if self._pulse.failure is not None and not self.in_grace:
            raise self._explain(self._pulse.failure)

    def judge(self, peer: int, since: float) -> None:
        """Raise if a wait on `peer`, without a byte since `since` (monotonic clock), has lasted too long."""
        # Judged by the time up to which the pulse has heard the others: it may be behind, but never ahead.
        pulse, now = self._pulse, self._pulse.scanned_at
        verdict = pulse.board.judge(peer, since, now, timeout=pulse.timeout, interval=pulse.interval, names=self._names)
        if verdict is not None:
            raise self._found(verdict)

    def closed(self, peer: int) -> Lost:
        """The error for a data connection that closed: the pulse knows why, or will in a moment."""
        self._hear_out(peer)
        return self._found(Verdict(self._rank, peer, LEFT if peer in self._pulse.left else CLOSED))

    def settle(self) -> None:
        """Raise the fault that is known in a moment, if there is one."""
        self._hear_out()
        if self._pulse.failure is not None:
            raise self._explain(self._pulse.failure)

    def _hear_out(self, peer: int = -1) -> None:
        """Leave the pulse a moment to learn of a fault, or that `peer` has left."""
        patience = time.monotonic() + _SETTLE
        while self._pulse.failure is None and peer not in self._pulse.left and time.monotonic() < patience:
            time.sleep(0.002)

    def out_of_step(self, peer: int, wrong: str) -> MpcflError:
        """The error for a message of `peer` that is not the one due here."""
        name, other = self._names[self._rank], self._names[peer]
        verdict = Verdict(self._rank, self._rank, f"{name} and {other} are out of step: {wrong}")
        if self._pulse.fail(verdict) is not verdict:
            return self._found(verdict)
        self._pulse.flush()
        return AgreementError(
            f"{name} and {other} (rank {peer}) are out of step: {wrong} while {name} {self.occasion}",
            hint="all parties must run the same program on the same job; if they do, please report this",
        )

    def _found(self, verdict: Verdict) -> Lost:
        """Tell the others, then the error; if another fault was known first, that one."""
        first = self._pulse.fail(verdict)
        self._pulse.flush()
        return self._explain(first)

    def _explain(self, verdict: Verdict) -> Lost:
        return explain(verdict, self._rank, self._names, self._places, self.occasion)
