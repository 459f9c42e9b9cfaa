"""Logistic regression by gradient descent, four rounds an iteration (PROTOCOLS.md, section 4).

    round 1   open w - b                 z = X w                       X pinned once for the whole fit
    round 2   open z - r (half words)    e = m (sigmoid(z) - y)        learning rate and 1/n are in the factor m
    round 3   open e - rho               g = X.T e + m alpha w
    round 4   open g + rho'              w <- w - g 2^-t               lr / n = m 2^-t, the power of two free

1.5 n + 2 d' elements, whatever d' is (momentum: d' more). Every iteration adds to the guard how many rows have left the
range in which the series is the sigmoid; one comparison at the end says whether it was ever more than half a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mpcfl.data.batches import batches
from mpcfl.data.facts import Facts
from mpcfl.data.rows import MEAN_BOUND, share_rows
from mpcfl.data.source import Source
from mpcfl.errors import AgreementError, HeadroomError
from mpcfl.protocols.comparison import at_least
from mpcfl.protocols.harmonics import Series, fingerprint
from mpcfl.protocols.pinned import Pinned
from mpcfl.protocols.rounds import Protocol, parallel, run
from mpcfl.protocols.sigmoid import GUARD_SCALE, sigmoid
from mpcfl.protocols.truncation import truncation
from mpcfl.sharing.share import Share, zeros
from mpcfl.solvers.gradient import Gradient
from mpcfl.world.session import Session

_BITS = 61  # of a gradient before its truncation
_PENALTY_BITS = 14
_SLOPE = 1.1  # |sigmoid - y|, with what the series adds
_LEAST = 16  # bits of the weights below which a run would be of no use
_LARGEST = 16  # bits of each factor of a gradient: more would gain nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """The loss: the series of the sigmoid, and the l2 penalty alpha = 1 / C (0: none), not on the intercept."""

    series: Series
    alpha: float


class _Scales:
    """Public scales: `bits` of each of the three factors of a gradient, `weights` of w; lr / n = factor 2^-shift."""

    def __init__(self, facts: Facts, solver: Gradient, alpha: float, rows: int) -> None:
        self.shift = -math.floor(math.log2(solver.learning_rate / rows)) - 1
        self.factor = solver.learning_rate / rows * 2.0**self.shift  # in [1/2, 1)
        step = solver.learning_rate * _SLOPE * MEAN_BOUND / (1 - solver.momentum)
        travelled = float(solver.start(facts, False).abs().max()) + solver.iterations * step
        self.total = self.factor * (_SLOPE * MEAN_BOUND * rows + alpha * travelled)
        self.bits = min(_LARGEST, math.floor((_BITS - math.log2(self.total)) / 3))
        self.weights = 3 * self.bits - _PENALTY_BITS
        if self.weights < _LEAST:
            raise HeadroomError(
                f"{rows} rows and {solver.iterations} steps leave {self.weights} bits for the weights",
                hint="use smaller batches, fewer iterations or a larger C",
            )


def train_logistic(
    session: Session, facts: Facts, loss: Logistic, solver: Gradient, fit_intercept: bool, own: Source | None
) -> tuple[Share, Share]:
    """(weights (d',), the intercept last; bit: no row ever left the range), both shared.

    Cost: 1 round and n d' elements to open X, 4 rounds an iteration, 3 for the guard.
    """
    if not session.dry_run:
        _agree_on_series(session, loss.series)
    chosen = batches(facts, solver.batch)
    scales = _Scales(facts, solver, loss.alpha, max(map(len, chosen)))
    x, y = share_rows(
        session,
        own,
        facts,
        chosen,
        fit_intercept=fit_intercept,
        scale=scales.bits,
        label_scale=2 * scales.bits,
        factor=scales.factor,
    )
    whole = Pinned(x)
    run(session, whole.opening())
    first = solver.start(facts, fit_intercept)
    w = zeros(session, tuple(first.shape), scale=scales.weights) + first
    velocity = zeros(session, w.shape, scale=scales.weights)
    left = zeros(session, (), scale=scales.bits + GUARD_SCALE)
    penalised = torch.ones(w.shape, dtype=torch.int64)
    penalised[len(facts.features) :] = 0
    for i in range(solver.iterations):
        session.step("gradient descent", i + 1, solver.iterations)
        rows = torch.from_numpy(chosen[i % len(chosen)])
        batch, labels = (whole, y) if len(chosen) == 1 else (whole.rows(rows), y[rows])
        gradient, gone = run(session, _gradient(batch, labels, w, loss, scales))
        left = left + gone
        decay = (w * round(scales.factor * loss.alpha * 2**_PENALTY_BITS)).divided_by_power(_PENALTY_BITS)
        total = (gradient + decay.times(penalised, bound=1.0)).within(scales.total)
        velocity = run(session, _velocity(total, velocity, solver.momentum, scales))
        w = w - velocity
    return w, run(session, _stayed(left))


def _agree_on_series(session: Session, series: Series) -> None:
    """Public coefficients multiply shares, so they must be equal to the last bit: AgreementError names who differs."""
    own = fingerprint(series)
    for name, theirs in zip(session.roster.names, session.publish(own), strict=True):
        if theirs != own:
            raise AgreementError(
                f"{name} computes other coefficients of the sigmoid", hint="use the same numpy everywhere"
            )


def _gradient(batch: Pinned, labels: Share, w: Share, loss: Logistic, scales: _Scales) -> Protocol:
    """(factor * X.T (sigmoid(X w) - y), how many rows left the range): three rounds."""
    z = yield from batch.times(w)
    value, gone = yield from sigmoid(z, loss.series, table_scale=scales.bits, scale=scales.bits, factor=scales.factor)
    error = (value - labels).within(_SLOPE * scales.factor)
    gradient = yield from batch.transposed_times(error)
    return gradient.within(scales.total), gone.sum(0)


def _velocity(total: Share, velocity: Share, momentum: float, scales: _Scales) -> Protocol:
    """total * 2^-shift + momentum * velocity, at the scale of the weights: one round."""
    fresh = truncation(total.divided_by_power(scales.shift), _PENALTY_BITS + scales.shift)
    if not momentum:
        return (yield from fresh)
    kept = truncation((velocity * round(momentum * 2**_PENALTY_BITS)).divided_by_power(_PENALTY_BITS), _PENALTY_BITS)
    fresh, kept = yield from parallel(fresh, kept)
    return fresh + kept


def _stayed(left: Share) -> Protocol:
    """Bit (): over all iterations together less than half a row left the range."""
    reached = yield from at_least(left, torch.tensor([1 << (left.scale - 1)]))
    return -(reached[..., 0] - 1.0)
