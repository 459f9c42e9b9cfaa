"""A public decision on a secret state: one bit is revealed to all parties, and all go on by it.

The plan cannot know the bits. It goes on as `expected`; the plan that a finished run is held against is given the bits
that the run revealed (`Session.dry(..., script=session.decisions)`).
"""

from __future__ import annotations

from mpcfl.sharing.reveal import reveal
from mpcfl.sharing.share import Share


def decide(bit: Share, *, what: str, reason: str, expected: bool) -> bool:
    """The bit, a share () of 0 or 1 at scale 0, known to every party from here on. Writes the ledger.

    Cost: that of `reveal`: 1 round, 8 bytes from each compute party to every other party.
    """
    session = bit.session
    found = reveal({what: bit}, to=session.roster.names, reason=reason)[what]
    if session.dry_run:
        answer = session.script.pop(0) if session.script else expected
    else:
        answer = bool(round(float(found)))
    session.decisions.append(answer)
    return answer
