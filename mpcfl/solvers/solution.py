"""What a solver returns, still shared, and the check that it has reached the optimum."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share

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


def converged(left_over: Share) -> Protocol:
    """Bit (): every direction of the solution has been reached. Half the steps leave less than 2^-8 of any, so all of
    them less than 2^-16. Cost: 3 rounds."""
    threshold = torch.tensor([int(_LEFT_OVER * 2**left_over.scale)])
    reached = yield from at_least(left_over, threshold)
    return -(reached[..., 0] - 1.0)
