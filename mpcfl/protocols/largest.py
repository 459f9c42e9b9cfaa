"""Where the largest of a few secrets stands: all pairs are compared at once, and the one that loses to none is it."""

from __future__ import annotations

import torch

from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.lookup import lookup
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share, zeros

MOST = 64


def place_of_largest(x: Share) -> Protocol:
    """(), scale 0: the index of the largest of x (K,), of equal ones the first. K from 1 to 64, else ValueError.

    HeadroomError unless |x_i - x_j| < 2^63 by the bound. Cost: 4 rounds (none for K = 1), 11 bytes for each of
    K (K - 1) / 2 pairs and 1 for each of K; offline 72 elements a pair, and K times K rounded up to a power of two.
    """
    (count,), session = x.shape, x.session
    if not 1 <= count <= MOST:
        raise ValueError(f"the largest of 1 to {MOST} values can be found, not of {count}")
    if count == 1:
        return zeros(session, (), scale=0)
    first, second = torch.triu_indices(count, count, 1)
    bits = yield from at_least(x[first] - x[second], torch.zeros(1, dtype=torch.int64))
    won = torch.zeros(len(first), count, dtype=torch.int64)
    pairs = torch.arange(len(first))
    won[pairs, first], won[pairs, second] = 1, -1  # the second wins where the bit is 0
    wins = bits[:, 0].reshape(1, -1).matmul_public(won, scale=0, bound=1.0).reshape(count)
    wins = (wins + torch.arange(count, dtype=torch.float64)).within(count - 1.0)
    table = (torch.arange(1 << (count - 1).bit_length()) == count - 1).to(torch.int64)
    is_largest = yield from lookup(wins, table)
    return is_largest.times(torch.arange(count), bound=count - 1.0).sum(0).within(count - 1.0)
