"""The gradient of a loss over rows, on shares: its public scales, and its three rounds."""

from __future__ import annotations

import math
from copy import copy

import numpy as np
import torch

from mpcfl.data.facts import Facts
from mpcfl.data.own_rows import WEIGHT_BOUND, row_size, size_bound
from mpcfl.data.rows import Layout, Vector
from mpcfl.errors import HeadroomError, JobError
from mpcfl.protocols.rounds import Protocol
from mpcfl.sharing.share import Share, concatenate, zeros
from mpcfl.solvers.objective import Objective
from mpcfl.solvers.pinned_rows import PACE_BITS, PinnedRows

_BITS = 61  # of a gradient before its truncation
_PENALTY_BITS = 14  # of the coefficient of the penalty, at least
_LEAST = 16  # bits of the weights below which a run would be of no use
_LARGEST = 16  # bits of each factor of a gradient: more would gain nothing
_AHEAD = 3.0  # momentum looks at most so many times further than the weights have travelled
_RING = 64
_SEEN = 0.9  # of 2^predictor_bits: as large may |X w| be, and the guard of the loss sees it
_OFFSET = 2.0**-4  # of the same: as large may an offset be


class Scales:
    """Public scales of a run: `bits` of each of the three factors of a gradient, `weights` of w.

    A gradient is multiplied by `factor` = rate 2^shift in [1/2, 1) as it is made, and divided by 2^shift for nothing,
    so that no public factor is left. rate: learning rate over rows. `travelled`: public bound of every weight.
    `decay`: public bound of l2 w, default l2 `travelled`; 0: the solver takes care of it, the gradient is without.
    `finer`: bits that the point of the gradient may have beyond those of the weights. `moved`: public bound of what the
    solver adds to the weights besides, `moved_finer` bits beyond them. `sighted`: whether z has bits for more than one
    period of a periodic loss; if not, the solver has to look at the rows again at the end. JobError: the penalty would
    make the weights swing. HeadroomError: too few bits are left.

    `turn`: weights beyond 5/8 of 2^turn are noticed; with smaller ones no |z| is beyond what the loss sees.

    `pace`: public, what errors of rows are multiplied by, at PACE_BITS, in a training by the scales `paced`; None: in
    no training.
    """

    def __init__(
        self,
        facts: Facts,
        objective: Objective,
        *,
        rows: int,
        rate: float,
        travelled: float,
        decay: float | None = None,
        finer: int = 0,
        moved: float = 0.0,
        moved_finer: int = 0,
        sighted: bool = True,
        pace: float | None = None,
    ) -> None:
        loss, l2 = objective.loss, objective.penalty.l2
        self.pace = 1.0 if pace is None else pace
        paced = self.pace * rate
        if paced * l2 > 1:
            raise JobError(
                f"learning_rate times the penalty is {paced * l2:.3g} a row, more than 1: the weights would swing",
                hint=f"use a learning_rate of {rows / l2 / self.pace:.2g} or less",
            )
        self.rate, self.shift, self.travelled = rate, -math.floor(math.log2(rate)) - 1, travelled
        self.decay = _AHEAD * l2 * travelled if decay is None else decay
        self.factor = rate * 2.0**self.shift
        self.total = self.pace * self.factor * (largest_gradient(facts, objective, rows) + self.decay)
        finest = _BITS if pace is None else _BITS - PACE_BITS
        self.bits = min(_LARGEST, math.floor((finest - math.log2(self.total)) / 3))
        self.weights = min(
            3 * self.bits - _PENALTY_BITS,
            3 * self.bits + self.shift - 1,  # of a gradient there is something to drop
            _RING - (loss.predictor_bits if sighted else loss.period_bits) - self.bits - finer,
            _BITS - math.ceil(math.log2(_AHEAD * travelled + 1)),
            _BITS - moved_finer - math.ceil(math.log2(moved + 1)),
        )
        if self.weights < _LEAST:
            raise HeadroomError(
                f"{rows} rows at this learning rate leave {self.weights} bits for the weights",
                hint="use smaller batches, fewer iterations, less momentum or a smaller penalty",
            )
        self.predictor = self.bits + self.weights + finer
        seen = _SEEN * 2.0**loss.predictor_bits / row_size(facts)
        self.turn = min(math.floor(math.log2(seen / 0.625)), _RING - 2 - self.weights - finer)

    @property
    def step(self) -> float:
        """Public bound of rate times a gradient."""
        return self.total / 2.0**self.shift

    def paced(self) -> Scales:
        """The same scales where the errors of all rows that count are multiplied by `pace`, and with them the rate."""
        other = copy(self)
        other.rate = self.pace * self.rate
        return other


def largest_gradient(facts: Facts, objective: Objective, rows: int) -> float:
    """No element of X.T (f(z) - response) over a batch of `rows` is larger."""
    return objective.loss.slope * size_bound(facts, rows) * heaviest(facts, objective)


def heaviest(facts: Facts, objective: Objective) -> float:
    """No weight of a row is larger."""
    return WEIGHT_BOUND if _weighted(facts, objective) else 1.0


def _weighted(facts: Facts, objective: Objective) -> bool:
    return facts.aside.weight is not None or objective.loss.class_weight is not None


def layout_of(
    facts: Facts, objective: Objective, scales: Scales, fit_intercept: bool, *, scored: bool = False
) -> Layout:
    """How the rows are shared for this objective; `scored`: predictions of training rows will be compared with their
    targets. JobError: an offset, which would be that of every class."""
    loss, aside = objective.loss, facts.aside
    columns = loss.classes if loss.classes > 1 else 0
    has_offset = loss.has_offset or aside.offset is not None or aside.exposure is not None
    if has_offset and columns:
        raise JobError("[model] offset and exposure are for two classes", hint="leave them out, or [model] classes")
    largest = min(_OFFSET * 2.0**loss.predictor_bits, 2.0 ** (_RING - 2 - scales.predictor))
    response = Vector(scale=2 * scales.bits, bound=loss.slope, factor=scales.factor, columns=columns)
    return Layout(
        scale=scales.bits,
        fit_intercept=fit_intercept,
        code=loss.code,
        response=response if loss.has_response else None,
        offset=Vector(scale=scales.predictor, bound=largest) if has_offset else None,
        signed=loss.signed,
        weighted=_weighted(facts, objective),
        target=loss.target if facts.test_fraction or scored else None,
    )


def row_gradient(rows: PinnedRows, at: Share, objective: Objective, scales: Scales, penalised: int) -> Protocol:
    """(total, gone): factor * (X.T (f(z) - response) + l2 w) at scale 3 bits, without the second term where the scales
    have no decay; how many rows have left the range, (). at: (d', ...), its first `penalised` rows under the
    penalty. Cost: 2 rounds and that of the loss."""
    z, away = yield from predictor(rows, at, scales)
    value, gone = yield from objective.loss.derivative(z, bits=scales.bits, factor=scales.factor)
    total = yield from pulled_back(rows, value, objective, scales)
    if scales.decay:
        total = with_decay(total, at, objective, scales, penalised)
    return total.within(scales.total), count(gone, away, rows.mask)


def predictor(rows: PinnedRows, at: Share, scales: Scales) -> Protocol:
    """(z = X at + offset; away (), as `Pinned.times_watched` has it, of the weights `at`). Cost: 1 round."""
    z, away = yield from rows.x.times_watched(at, scales.turn)
    z = z.at_scale(scales.predictor)  # only its last bits matter where f is periodic: nothing is lost
    return (z if rows.offset is None else z + rows.offset), away


def pulled_back(rows: PinnedRows, value: Share, objective: Objective, scales: Scales) -> Protocol:
    """X.T (value - response). Cost: 1 round."""
    error = value if rows.response is None else value - rows.response
    error = error.within(objective.loss.slope * scales.factor)
    if rows.mask is not None:
        error = error.times(rows.mask, scale=PACE_BITS, bound=scales.pace)
    return (yield from rows.weighted.transposed_times(error))


def with_decay(total: Share, w: Share, objective: Objective, scales: Scales, penalised: int) -> Share:
    """total + rate 2^shift l2 w, w at a smaller scale, the intercept not penalised."""
    finer = total.scale - w.scale
    factor = np.rint(objective.penalty.strengths * scales.rate * 2.0 ** (scales.shift + finer)).astype(np.int64)
    decay = w[:penalised].times(torch.from_numpy(factor), scale=finer, bound=factor.max() / 2.0**finer)
    rest = w.shape[0] - penalised
    if rest:
        decay = concatenate([decay, zeros(w.session, (rest, *w.shape[1:]), scale=total.scale)])
    return (total + decay).within(scales.total)


def count(gone: Share, away: Share, mask: torch.Tensor | None = None) -> Share:
    """() rows have left the range, of those that count where there is a mask; a random element where a weight is
    `away`."""
    if mask is not None:
        gone = gone.times((mask != 0).to(torch.int64), bound=1.0)
    return gone.reshape(-1).sum(0) + away.divided_by_power(gone.scale)
