"""What a solver returns, still shared, and the check that it has reached the optimum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share
from mpcfl.solvers.held_out import HeldOut

_LEFT_OVER = 2.0**-8


@dataclass(frozen=True, slots=True)
class Solution:
    """coefficients (d,) of the scaled columns.

    left_over: shared, (): trace of the matrix M^(T/2) that takes the error of the start to that after half the steps;
    None where a solver does what it was asked for, step by step, and promises no optimum. inverse: (d, d), of the
    scaled Gram matrix, where it was wanted.
    """

    coefficients: Share
    left_over: Share | None = None
    inverse: Share | None = None


@dataclass(frozen=True, slots=True)
class Optimum:
    """Weights (d',) or (d', classes) of a loss over rows, the intercept last; bits: no row left the range of the loss,
    and the optimum was reached (None where so many steps were asked for); the rows that were held out."""

    weights: Share
    stayed: Share
    reached: Share | None
    held_out: HeldOut | None


def converged(left_over: Share) -> Protocol:
    """Bit (): every direction of the solution has been reached. Half the steps leave less than 2^-8 of any, so all of
    them less than 2^-16. Cost: 3 rounds."""
    threshold = torch.tensor([int(_LEFT_OVER * 2**left_over.scale)])
    reached = yield from at_least(left_over, threshold)
    return -(reached[..., 0] - 1.0)


def arrived(change: Share, tolerance: float) -> Protocol:
    """Bit (): no element of the last change (...) is larger than `tolerance`. Each is compared by itself: of values
    that left the ring, which may be anything, none passes but by a chance of tolerance / 2^(63 - scale).

    Cost: 6 rounds."""
    most = round(tolerance * 2.0**change.scale)
    reached = yield from at_least(change.reshape(-1), torch.tensor([-most, most + 1]))
    inside = (reached[..., 0] - reached[..., 1]).sum(0)
    everywhere = yield from at_least(inside, torch.tensor([math.prod(change.shape)]))
    return everywhere[..., 0]
