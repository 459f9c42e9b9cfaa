"""What a run may be steered by while it goes on: one bit a check, revealed to all parties, only if the job asks for it.

Widening: where the range of the loss is "auto", a bit says whether every row has stayed in it. If not, the run goes
back to the state of the last check and on from there with the next wider loss. Stopping: a bit says whether the last
step moved the weights by less than the tolerance.
"""

from __future__ import annotations

import math

import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.inner import sum_of_squares
from mpcfl.protocols.rounds import Protocol, run
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.decide import decide
from mpcfl.sharing.share import Share
from mpcfl.solvers.objective import Loss

_BITS = 60  # of the square of a step
RANGE = "the rows have stayed in range so far"
STOP = "the last step was below the tolerance"


def stayed(left: Share, loss: Loss | None = None) -> Protocol:
    """Bit (): less than half a row has left the range, and nothing is away, which would have made `left` a random
    element of the ring: that passes by a chance of 2^(scale of left - 64). Cost: 3 rounds.

    loss: whose guards were counted, if they are rounded. What rounding alone adds up to is allowed for: of so many
    rows and iterations (`left` is bounded by a little more) the bias, and five standard deviations."""
    bias, deviation = (0.0, 0.0) if loss is None else loss.guard_error(left.scale)
    limit = 0.5 + bias * left.bound + 5 * deviation * math.sqrt(left.bound)
    half = math.ceil(limit * 2.0**left.scale)
    reached = yield from at_least(left, torch.tensor([-half, half]))
    return reached[..., 0] - reached[..., 1]


def in_range(left: Share, loss: Loss) -> bool:
    """`stayed`, revealed to all. Cost: 4 rounds."""
    return decide(run(left.session, stayed(left, loss)), what=RANGE, reason='range = "auto"', expected=True)


def settled(step: Share, tolerance: float) -> bool:
    """Whether the root of the sum of squares of `step` is below `tolerance`, to about 2^-20, revealed to all.
    Cost: 6 rounds."""
    bit = run(step.session, _short(step.reshape(-1), tolerance))
    return decide(bit, what=STOP, reason=f"tolerance = {tolerance:g}", expected=False)


def _short(step: Share, tolerance: float) -> Protocol:
    whole = math.ceil(math.log2(max(step.bound, tolerance)) + 1)
    scale = min(step.scale - 1, (_BITS - math.ceil(math.log2(len(step)))) // 2 - whole)
    short = yield from truncation(step, step.scale - scale)
    total = yield from sum_of_squares(short)
    reached = yield from at_least(total, torch.tensor([max(1, round(tolerance**2 * 2.0**total.scale))]))
    return -(reached[..., 0] - 1.0)
